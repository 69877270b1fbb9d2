"""Owns what the watcher listens to, whether it hears all of it, and how often it must look for itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

from watcher.memory import conditions
from watcher.service.events import Clock, Event, EventKind, Listener
from watcher.service.hints import Hints
from watcher.settings import Settings

UNHEARD = 2000  # milliseconds after which a change should have been heard of
DEAF_FOR = 600_000  # milliseconds after an unheard change that the rescan is relied upon
EFFORT = 50  # a rescan without events takes a fiftieth of the time at most


class Listening:
    """Listens to the folders that matter, and knows when that is not to be relied on."""

    def __init__(self, settings: Settings, *, listener: Listener, clock: Clock) -> None:
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._hints = Hints()
        self._refused: dict[Path, str] = {}  # folders that cannot be listened to, and why
        self._heard_since = 0  # epoch: all changes since should have been heard of; 0: nothing is listened to
        self._unheard_at: int | None = None  # epoch of the last look that found a change nobody had told of
        self._took = 0.0  # seconds of the last rescan
        self._told = ""

    def listen(self) -> None:
        """Listen to where hooks and Claude Code write; where that cannot be had, the rescan finds all the same."""
        projects = self._settings.projects
        for folder, recursive in ((projects, True), (self._settings.database.parent, False)):
            try:
                has_begun = self._hints.listen(folder, recursive=recursive)
            except OSError as error:
                self._refused[folder] = error.strerror or os.strerror(error.errno or 0)
            else:
                self._refused.pop(folder, None)
                if has_begun and folder == projects:
                    self._heard_since = self._clock()

    def stop(self) -> None:
        """Listen no longer."""
        self._hints.stop()

    def wait(self, timeout: float) -> set[str]:
        """Return the paths that changed, as soon as one has, after `timeout` seconds at most."""
        return self._hints.wait(timeout)

    def wake(self) -> None:
        """Wake whoever waits; safe in a signal handler."""
        self._hints.wake()

    @property
    def trouble(self) -> str:
        """Why events are not to be relied on; empty where they are."""
        if self._refused:
            return "; ".join(f"cannot listen to {folder}: {why}" for folder, why in self._refused.items())
        if self._unheard_at is not None and self._clock() - self._unheard_at < DEAF_FOR:
            return "changes were found that no event told of"
        return ""

    @property
    def rescan_interval(self) -> float:
        """How often to look at every transcript, in seconds: more often where events do not tell."""
        usual = self._settings.watch.discover_interval
        if not self.trouble:
            return usual
        return min(usual, max(2 * self._settings.watch.scan_interval, EFFORT * self._took))

    def look_after(self, found: Sequence[Path], *, took: float) -> None:
        """Judge by what a rescan found what was not heard, and listen where that is needed."""
        self._took = took
        moment = self._clock()
        unheard = [path for path in found if self._heard_since <= _changed_at(path) < moment - UNHEARD]
        if self._heard_since and unheard:
            self._unheard_at = moment
            self._hints.forget(self._settings.projects)
        self.listen()
        if self.trouble and self.trouble != self._told:
            self._listener(Event(EventKind.TROUBLE, f"{self.trouble}; looking by turns"))
        elif self._told and not self.trouble:
            self._listener(Event(EventKind.MENDED, "events tell of changes again"))
        self._told = self.trouble

    def write_condition(self, connection: Connection) -> None:
        """Write down how it stands, for others to read."""
        if self.trouble:
            hint = "nothing is lost by it; raise fs.inotify.max_user_watches where that is the limit"
            text = f"{self.trouble}; looking each {self.rescan_interval:.0f} s"
            conditions.put(connection, conditions.WATCHING, "polling", text, hint=hint, now=self._clock())
        else:
            conditions.clear(connection, conditions.WATCHING)


def _changed_at(path: Path) -> int:
    """Return when a file was last written (epoch); 0 where it is gone."""
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 0
