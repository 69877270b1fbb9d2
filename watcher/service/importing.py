"""Owns importing what Claude Code wrote before there was a memory: through the same ingest, the oldest session first.

A session is over with its last line, unless that was written a moment ago: then it is left going on, for the watcher.
What was done is digested without the model, but for the last sessions, where that is asked for: these wait as any
others do. Killed at any time, it is taken up again where the checkpoints say.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from watcher.agent import base
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import adopted, checkpoints, numbering, records, retention, sessions, turns, watchers
from watcher.memory.database import Database
from watcher.memory.models import SessionStatus
from watcher.memory.sessions import Session
from watcher.service.digest import Digest, Outcome
from watcher.service.events import Clock, Listener, now
from watcher.service.history import PastSession
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.service.watch import YOUNG
from watcher.settings import Settings

SLICE_SIZE = 8 << 20  # bytes of one transcript that are taken in before flags have their turn
SERVE_INTERVAL = 1.0  # seconds between two looks at the flags of sessions that are at work meanwhile


@dataclass(slots=True)
class Imported:
    """What was imported."""

    sessions: int = 0  # of which something was new
    going_on: int = 0  # of these, those that are left to the watcher
    for_model: int = 0  # of these, those that wait for the model
    prompts: int = 0
    tool_uses: int = 0
    forgotten: int = 0  # sessions from before what the memory keeps
    taken_over: int = 0  # sessions left alone, as they are known from another database
    unreadable: dict[Path, str] = field(default_factory=dict)  # and why
    is_whole: bool = True  # nothing was left for the next time


@dataclass(frozen=True, slots=True)
class Import:
    """Imports sessions into a memory on which nobody else is at work."""

    settings: Settings
    database: Database
    agent: base.Agent  # the one that the watcher asks; it is never asked here
    listener: Listener = lambda _event: None
    progress: Callable[[int], None] = lambda _bytes: None  # told the bytes read since it was last told
    is_stopping: Callable[[], bool] = lambda: False
    beat: Callable[[], None] = lambda: None  # called every now and then
    clock: Clock = now

    def run(self, past: tuple[PastSession, ...], *, model_last: int = 0) -> Imported:
        """Import sessions in their order; the last `model_last` are left to the model."""
        importer = _Importer(self)
        for number, session in enumerate(past):
            if self.is_stopping():
                importer.result.is_whole = False
                break
            importer.take_in(session, is_last=len(past) - number <= model_last)
        return importer.result


class _Importer:
    """One import under way."""

    def __init__(self, job: Import) -> None:
        self._job = job
        self.result = Imported()
        database, settings = job.database, job.settings
        listener, clock = job.listener, job.clock
        with database.read() as connection:
            self._horizon = retention.horizon(connection)
            self._since = (watchers.first_start(connection) or clock()) - YOUNG * 1000
            self._taken_over = adopted.session_ids(connection)
        ingest = Ingest(
            database, settings.capture, settings.privacy, horizon=self._horizon, listener=listener, clock=clock
        )
        self._digest = Digest(database, ExtractiveAgent(), settings, listener=listener, clock=clock)
        asked = Digest(database, job.agent, settings, listener=listener, clock=clock)
        self._life, self._live = (
            Lifecycle(database, ingest, digest, settings.watch, slice_size=SLICE_SIZE, listener=listener, clock=clock)
            for digest in (self._digest, asked)
        )
        self._serve_at = time.monotonic()

    def take_in(self, past: PastSession, *, is_last: bool) -> None:
        """Import one session; one of the last is left to the model."""
        if past.session_id in self._taken_over:
            self.result.taken_over += 1
            self._job.progress(past.size)
            return
        taken = self._read(past)
        self._count(taken)
        with self._job.database.read() as connection:
            known = sessions.session(connection, past.session_id)
        if known is None:
            self.result.forgotten += 0 < past.started_at < self._horizon
            return
        # What is newer than the memory the watcher would have read, and have asked the model about.
        is_watchers = past.path.is_relative_to(self._job.settings.projects) and past.started_at >= self._since
        if not past.parts and (is_watchers or not self._is_silent(known)):
            return
        waits = (is_last or is_watchers) and self._job.agent.name != ExtractiveAgent.name
        self._finish(known, waits=waits)
        if taken:
            self.result.going_on += known.status is SessionStatus.ACTIVE and not self._is_silent(known)
            self.result.for_model += waits

    def _read(self, past: PastSession) -> records.Taken:
        """Take in what is new of a session."""
        total = records.Taken()
        for part in past.parts:
            left = part.size
            has_more = True
            while has_more:
                self._serve()
                taken = self._life.take_in(part.path, anew=part.anew) or records.Taken()
                total += taken
                has_more = taken.has_more
                step = min(left, SLICE_SIZE) if has_more else left
                left -= step
                self._job.progress(step)
        if anew := [part.path for part in past.parts if part.anew]:
            with self._job.database.write() as connection:
                numbering.renumber(connection, past.session_id)
                for path in anew:
                    checkpoints.cover(connection, str(path))
        return total

    def _finish(self, known: Session, *, waits: bool) -> None:
        """Summarise what is over, and end the session if it is."""
        life = self._live if waits else self._life
        if known.status is not SessionStatus.ACTIVE or not self._is_silent(known):
            life.finalize(known.session_id)
        else:
            last_at = self._last_at(known)
            if not waits:
                # Its end comes last: one that was not reached is found again by it.
                self._digest_as_ended(known.session_id, last_at)
            life.end(known.session_id, at=last_at, reason=sessions.IMPORTED)
        if not waits:
            self._observe(known.session_id)

    def _digest_as_ended(self, session_id: str, at: int) -> None:
        with self._job.database.write() as connection:
            turns.end_last_turn(connection, session_id, at)
            turns.close_open_tool_uses(connection, session_id)
            self._digest.summarise(connection, session_id)
        self._observe(session_id)

    def _observe(self, session_id: str) -> None:
        outcome = Outcome.DONE
        while outcome is Outcome.DONE:
            outcome = self._digest.ask_agent(session_id)

    def _last_at(self, known: Session) -> int:
        return min(max(known.last_activity_at, known.last_prompt_at), self._job.clock())

    def _is_silent(self, known: Session) -> bool:
        return self._job.clock() - self._last_at(known) >= self._job.settings.watch.idle_session * 1000

    def _count(self, taken: records.Taken) -> None:
        self.result.sessions += bool(taken)
        self.result.prompts += taken.prompts
        self.result.tool_uses += taken.tool_uses
        self.result.unreadable = self._life.unreadable

    def _serve(self) -> None:
        """Do for the sessions that are at work what the watcher would do for them."""
        if time.monotonic() >= self._serve_at:
            self._job.beat()
            self._live.handle_flags()
            self._serve_at = time.monotonic() + SERVE_INTERVAL
