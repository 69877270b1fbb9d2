"""Owns the reading of transcripts: what was heard of, what is found by looking, and a bounded part of it at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from watcher.memory import conditions
from watcher.memory.database import Database
from watcher.memory.sessions import Session
from watcher.service.events import Clock, Pace
from watcher.service.follow import Backlog, Rescan, is_transcript, subagents_of
from watcher.service.ingest import source_of
from watcher.service.lifecycle import Lifecycle
from watcher.service.listening import Listening

SLICE_TIME = 0.25  # seconds of taking in before something else has its turn
HOT_FOR = 60_000  # milliseconds after its last activity that a session's transcripts are looked at each second


class Reading:
    """Takes in the transcripts that changed, those of which something was just heard before all others."""

    def __init__(
        self,
        projects: Path,
        database: Database,
        life: Lifecycle,
        rescan: Rescan,
        listening: Listening,
        *,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._projects = projects
        self._database = database
        self._life = life
        self._rescan = rescan
        self._listening = listening
        self._clock = clock
        self._pace = pace
        self._backlog = Backlog()
        self._written: tuple[str, dict[Path, str]] = ("", {})  # what is wrong, as it stands in the database

    def __bool__(self) -> bool:
        """Say whether something waits to be read."""
        return bool(self._backlog)

    def hear(self, timeout: float) -> None:
        """Wait until something is heard of, `timeout` seconds at most; of transcripts it is noted, subagents last."""
        paths = map(Path, filter(None, self._listening.wait(timeout)))
        heard = [path for path in paths if is_transcript(path, self._projects)]
        in_order = sorted(heard, key=lambda path: (path.name.startswith("agent-"), path))
        self._backlog.add(self._rescan.changed(in_order), are_fresh=True)

    def look_everywhere(self) -> None:
        """Look at every transcript there is, listen where that is needed, and write down what cannot be had."""
        begun = self._pace()
        found = list(self._rescan.discover())
        self._backlog.add(found, are_fresh=False)
        self._listening.look_after(found, took=self._pace() - begun)
        self._write_conditions()

    def look_at(self, active: Iterable[Session]) -> None:
        """Look at the transcripts of those sessions that are at work: an event may have been lost."""
        cold_since = self._clock() - HOT_FOR
        for session in active:
            if session.transcript_path and session.last_activity_at > cold_since:
                transcript = Path(session.transcript_path)
                self._backlog.add(self._rescan.changed([transcript, *subagents_of(transcript)]), are_fresh=True)

    def go_on(self, is_stopping: Callable[[], bool]) -> None:
        """Take in what waits, for a moment; one that cannot be read now is looked at again later."""
        until = self._pace() + SLICE_TIME
        while not is_stopping() and (path := self._backlog.first()) is not None:
            taken = self._life.take_in(path)
            if taken is not None and taken.has_more:
                self._backlog.put_back(path)
            else:
                self._backlog.done(path)
            if taken is None:
                self._rescan.forget(path)
            elif taken.turn_ends or taken.prompts:
                self._life.finalize(source_of(path).session_id)
            if self._pace() >= until:
                break

    def _write_conditions(self) -> None:
        unreadable = {**self._rescan.unreadable, **self._life.unreadable}
        now = (self._listening.trouble, unreadable)
        if now == self._written:
            return
        with self._database.write() as connection:
            self._listening.write_condition(connection)
            if unreadable:
                path, why = next(iter(unreadable.items()))
                more = f" and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
                text, moment = f"cannot read {path}{more}: {why}", self._clock()
                conditions.put(connection, conditions.TRANSCRIPTS, "unreadable", text, hint=f"ls -l {path}", now=moment)
            else:
                conditions.clear(connection, conditions.TRANSCRIPTS)
        self._written = now
