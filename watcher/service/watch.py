"""Owns the watcher: one process a memory, serving every session until nothing is left to do.

A lock on a file makes it the only one, and is gone with it. All it must not forget stands in transcripts and flags,
so it can be killed at any time: the next one goes on where the database says.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import Timeout

from watcher import __version__, system
from watcher import settings as settings_room
from watcher.agent import base
from watcher.errors import ClaudeMemError, UsageError
from watcher.memory import checkpoints, conditions, sessions, watchers
from watcher.memory.changes import Changes, Kept
from watcher.memory.database import DamagedError, Database, DatabaseBusyError, DatabaseError
from watcher.service import aside, telling
from watcher.service.asking import Asking
from watcher.service.digest import Digest
from watcher.service.events import Clock, Event, EventKind, Listener, Pace, now
from watcher.service.follow import Rescan
from watcher.service.housekeeping import Housekeeping
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.service.listening import Listening
from watcher.service.reading import Reading
from watcher.settings import Settings

HEARTBEAT = 5.0  # seconds
ORPHANS_INTERVAL = 3600.0  # seconds
HOUSEKEEPING_INTERVAL = 60.0  # seconds
BEAT_PATIENCE = 0.4  # seconds that a heartbeat waits for another's transaction
DATABASE_PAUSE = 1.0  # seconds before trying again what the database refused
CLOSING_POLL = 0.02  # seconds between two looks for the last words of a turn
START_PATIENCE = 10.0  # seconds in which a locked database is tried again at the start
LOCK_WAIT = 1.0  # seconds to wait for the lock: a hook that looks whether it is held holds it for a moment
YOUNG = 3600  # seconds: what was written this long before the first watcher ever ran is taken in too
IDLE = "idle"  # why a watcher leaves that was to stay only while there is something to do
SLICE_SIZE = 16 << 20  # bytes of one transcript that are taken in before flags, signals and others have their turn


class AlreadyRunningError(ClaudeMemError):
    """Another watcher serves this memory."""


class Watch:
    """The running watcher."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        agent: base.Agent,
        *,
        until_idle: bool = False,
        since: int | None = None,
        listener: Listener = lambda _event: None,
        clock: Clock = now,
        pace: Pace = time.monotonic,
    ) -> None:
        """Entries from before `since` (epoch) are left alone; None: from before this memory was begun.

        What is done every so often goes by `pace`: the clock may be set back by an hour.
        """
        self._settings = settings
        self._database = database
        self._agent = agent
        self._until_idle = until_idle
        self._since = since
        self._listener = listener
        self._clock = clock
        self._pace = pace
        self._lock = system.lock(settings.lock)
        self._listening = Listening(settings, listener=self._hear, clock=clock)
        self._changes = Changes(database.path, BEAT_PATIENCE)
        self._active = Kept(self._changes, self._read_active)
        self._flags_at = 0  # as the changes are counted
        self._waiting = 0  # sessions whose flags wait for more of their transcripts
        self._stop_reason = ""
        self._busy_at = pace()
        self._trouble = ""  # with the database, as it was last told
        self._heeded_at = _written_at(settings.config)

    def __enter__(self) -> Self:
        """Take the lock and write down that this watcher runs.

        Raises:
            AlreadyRunningError: another one holds the lock.
        """
        try:
            self._lock.acquire(timeout=LOCK_WAIT)
        except Timeout as error:
            raise AlreadyRunningError("a watcher already runs on this memory", hint="claude-mem status") from error
        until = self._pace() + START_PATIENCE
        while True:
            try:
                self._begin()
            except BaseException as error:
                if isinstance(error, DatabaseBusyError) and self._pace() < until and not self._stop_reason:
                    continue
                self._lock.release()
                raise
            return self

    def _begin(self) -> None:
        """Write down that this watcher runs, and make its parts."""
        with self._database.write() as connection:
            self._id = watchers.started(connection, pid=os.getpid(), version=__version__, now=self._clock())
            conditions.clear_observed(connection)
            sessions.reduce_events(connection)
            begun = watchers.first_start(connection) or self._clock()
            reached = checkpoints.reached(connection)
        since = begun - YOUNG * 1000 if self._since is None else self._since
        rescan = Rescan(self._settings.projects, since=since, reached=reached)
        hear, clock, pace = self._hear, self._clock, self._pace
        self._housekeeping = Housekeeping(self._database, self._settings, listener=self._listener, clock=clock)
        ingest = self._ingest = Ingest(
            self._database,
            self._settings.capture,
            self._settings.privacy,
            since=since,
            horizon=self._housekeeping.horizon,
            listener=hear,
            clock=clock,
        )
        digest = Digest(self._database, self._agent, self._settings, listener=hear, clock=clock)
        self._life = Lifecycle(
            self._database,
            ingest,
            digest,
            self._settings.watch,
            slice_size=SLICE_SIZE,
            listener=hear,
            clock=clock,
            pace=pace,
            changes=self._changes,
        )
        self._reading = Reading(
            self._settings.projects, self._database, self._life, rescan, self._listening, clock=clock, pace=pace
        )
        retry_pause = self._settings.agent.retry_pause
        self._asking = Asking(
            digest,
            self._agent,
            retry_pause=retry_pause,
            wake=self._listening.wake,
            listener=hear,
            commits=self._changes.count,
            pace=pace,
            clock=clock,
        )
        self._digest = digest
        telling.tell_hooks(self._settings, self._listener)
        self._listening.listen()
        with suppress(FileNotFoundError):
            os.truncate(self._settings.starting, 0)  # it has started: once it is killed, a hook may start the next

    def _heed_settings(self) -> None:
        """Go by what the settings say of privacy now, from the moment at which they are written."""
        written_at = _written_at(self._settings.config)
        if written_at == self._heeded_at:
            return
        try:
            fresh = settings_room.load()
            if fresh.home == self._settings.home and fresh.privacy != self._settings.privacy:
                self._ingest.heed(fresh.privacy)
                self._settings = replace(self._settings, privacy=fresh.privacy)
                telling.tell_hooks(self._settings, self._listener)
        except UsageError as error:
            text = f"{error}; the settings stay as they were"
            with self._database.write() as connection:
                conditions.put(connection, conditions.SETTINGS, "refused", text, hint=error.hint, now=self._clock())
            self._listener(Event(EventKind.TROUBLE, f"{text} ({error.hint})"))
        else:
            with self._database.write() as connection:
                conditions.clear(connection, conditions.SETTINGS)
        self._heeded_at = written_at  # last: what the database refused is done again

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let nothing of this watcher run on, and give the lock back."""
        reason = self._stop_reason or (f"crashed: {_named(error)}" if error else "ended")
        self._asking.close()
        self._listening.stop()
        try:
            with self._database.write() as connection:
                watchers.stopped(connection, self._id, reason=reason, now=self._clock())
        except DatabaseError as refused:
            self._listener(Event(EventKind.TROUBLE, f"database: {refused}; this watcher's end is not written down"))
        self._changes.close()
        self._listener(Event(EventKind.STOPPED, reason))
        self._lock.release()

    def stop(self, reason: str) -> None:
        """Ask the watcher to end; safe in a signal handler."""
        self._stop_reason = reason
        self._listening.wake()

    def is_missed(self) -> bool:
        """Say whether a session has begun while this watcher left for want of any: its hook took it for running.

        To be asked once the lock is given back: whoever found it held before has written the session down by then.
        """
        return self._stop_reason == IDLE and bool(self._read_active())

    def beat(self) -> None:
        """Write down that this watcher still works."""
        self._changes.beat(self._id, now=self._clock())

    def is_done(self) -> bool:
        """Say whether no flag is up and no agent is to be asked: all that was taken in is digested."""
        with self._database.read() as connection:
            if sessions.raised_flags(connection):
                return False
        return not self._reading and not self._asking and self._digest.next_due_at() is None

    def run(self) -> None:
        """Serve until asked to stop or, where wanted, until nothing has happened for long.

        Raises:
            DamagedError: the database is broken; what else it refuses is tried again.
        """
        self._listener(Event(EventKind.STARTED, f"watching {self._settings.projects}"))
        self._due = dict.fromkeys(("scan", "discovery", "beat", "orphans", "asking"), 0.0)
        # Not at once: what waited while no watcher ran is to be done before any of it can be given up.
        self._due["housekeeping"] = self._pace() + HOUSEKEEPING_INTERVAL
        self._must_recover = True
        pause = 0.0
        while not self._stop_reason:
            self._reading.hear(pause)
            try:
                pause = self._step()
            except DamagedError:
                raise
            except DatabaseError as error:
                if self._trouble != str(error):
                    self._trouble = str(error)
                    self._hear(Event(EventKind.TROUBLE, f"database: {error}; trying again"))
                pause = DATABASE_PAUSE
            else:
                self._trouble = ""

    def _step(self) -> float:
        """Do all that is due, a bounded part of each; return for how long nothing else will be (seconds)."""
        interval = self._settings.watch
        self._reading.go_on(self._is_stopping)  # before all else: what was just heard of is waited for
        if self._is_due("beat", HEARTBEAT):
            self.beat()
        if self._is_due("discovery", self._listening.rescan_interval):
            if not self._database.schema_is_ours():
                self._stop_reason = "another version of claude-mem has taken over"
                return 0.0
            self._reading.look_everywhere()
            self._reading.go_on(self._is_stopping)
        if is_to_scan := self._is_due("scan", interval.scan_interval):
            self._heed_settings()
            aside.raise_flags(self._database, self._settings.flags_aside, self._hear)
        self._handle_flags()
        if self._must_recover:
            self._life.recover()
            self._must_recover = False
        if self._is_due("orphans", ORPHANS_INTERVAL):
            self._life.end_orphans(interval.orphan_session)
        if is_to_scan:
            self._reading.look_at(self._active())
            self._reading.go_on(self._is_stopping)
            self._life.end_quiet(self._active())
        self._due["asking"] = self._pace() + self._asking.go_on()
        # What is not read yet must not be taken for what was forgotten.
        if not self._reading and self._is_due("housekeeping", HOUSEKEEPING_INTERVAL):
            self._keep_house()
        self._leave_if_idle()
        if self._reading:
            return 0.0
        rest = min(self._due.values()) - self._pace()
        return CLOSING_POLL if self._waiting else max(CLOSING_POLL, rest)

    def _handle_flags(self) -> None:
        """Lower what flags can be, if one may have been raised, or waits."""
        count = self._changes.count()
        if count != self._flags_at or self._waiting:
            self._waiting = self._life.handle_flags()
            self._flags_at = count

    def _read_active(self) -> list[sessions.Session]:
        with self._database.read() as connection:
            return sessions.active(connection)

    def _is_due(self, what: str, interval: float) -> bool:
        """Say whether something that is done every so often (seconds) is to be done now, and count on that."""
        moment = self._pace()
        if moment < self._due[what]:
            return False
        self._due[what] = moment + interval
        return True

    def _is_stopping(self) -> bool:
        return bool(self._stop_reason)

    def _keep_house(self) -> None:
        """Forget what is too old or too much; what was forgotten is not taken in again."""
        self._housekeeping.step(is_idle=not self._active() and not self._reading and not self._asking)
        self._ingest.horizon = self._housekeeping.horizon

    def _leave_if_idle(self) -> None:
        if not self._until_idle or self._asking or self._reading:
            return
        if self._active():
            self._busy_at = self._pace()
        if self._pace() - self._busy_at >= self._settings.watch.exit_after:
            self._stop_reason = IDLE

    def _hear(self, event: Event) -> None:
        self._busy_at = self._pace()
        if event.kind in (EventKind.FINALIZED, EventKind.COMPLETED):
            self._asking.note(event.session_id)
        self._listener(event)


def _named(error: BaseException) -> str:
    """Return what to call an error by: what can be told in a line, by that."""
    return str(error) if isinstance(error, ClaudeMemError) else repr(error)


def _written_at(path: Path) -> int:
    """Return when a file was written (nanoseconds); 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
