"""Owns the watcher: one process a memory, serving every session until nothing is left to do.

A lock on a file makes it the only one, and is gone with it. All it must not forget stands in transcripts and flags,
so it can be killed at any time: the next one goes on where the database says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import Timeout
from sqlalchemy.exc import OperationalError

from watcher import __version__, system
from watcher.agent import base
from watcher.errors import ClaudeMemError
from watcher.memory import checkpoints, sessions, watchers
from watcher.memory.database import Database
from watcher.service.digest import Digest, Outcome
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.service.follow import Hints, Rescan, is_transcript, subagents_of
from watcher.service.ingest import Ingest, source_of
from watcher.service.lifecycle import Lifecycle
from watcher.settings import Settings

AGENTS_AT_ONCE = 2  # each is a process of some 200 MB
HEARTBEAT = 5.0  # seconds
ORPHANS_INTERVAL = 3600.0  # seconds
DATABASE_PAUSE = 1.0  # seconds before trying again what the database refused
CLOSING_POLL = 0.02  # seconds between two looks for the last words of a turn
LONGEST_REST = 3600.0  # seconds that the agent is left alone after failures
LOCK_WAIT = 1.0  # seconds to wait for the lock: a hook that looks whether it is held holds it for a moment
YOUNG = 3600  # seconds: what was written this long before the first watcher ever ran is taken in too


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
    ) -> None:
        """Entries from before `since` (epoch) are left alone; None: from before this memory was begun."""
        self._settings = settings
        self._database = database
        self._agent = agent
        self._until_idle = until_idle
        self._since = since
        self._listener = listener
        self._clock = clock
        self._lock = system.lock(settings.lock)
        self._hints = Hints()
        self._workers = ThreadPoolExecutor(AGENTS_AT_ONCE, thread_name_prefix="agent")
        self._asked: dict[str, Future[Outcome]] = {}
        self._failures = 0  # of the agent in a row
        self._agent_rests_until = 0
        self._stop_reason = ""
        self._busy_at = clock()
        self._unwatched: set[Path] = set()

    def __enter__(self) -> Self:
        """Take the lock and write down that this watcher runs.

        Raises:
            AlreadyRunningError: another one holds the lock.
        """
        try:
            self._lock.acquire(timeout=LOCK_WAIT)
        except Timeout as error:
            raise AlreadyRunningError("a watcher already runs on this memory", hint="claude-mem status") from error
        with self._database.write() as connection:
            self._id = watchers.started(connection, pid=os.getpid(), version=__version__, now=self._clock())
            begun = watchers.first_start(connection) or self._clock()
            offsets = checkpoints.offsets(connection)
        since = begun - YOUNG * 1000 if self._since is None else self._since
        self._rescan = Rescan(self._settings.projects, since=since, offsets=offsets)
        hear, clock = self._hear, self._clock
        ingest = Ingest(self._database, self._settings.capture, since=since, listener=hear, clock=clock)
        self._digest = Digest(self._database, self._agent, self._settings, listener=hear, clock=clock)
        self._life = Lifecycle(self._database, ingest, self._digest, self._settings.watch, listener=hear, clock=clock)
        self._hints.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let nothing of this watcher run on, and give the lock back."""
        reason = self._stop_reason or (f"crashed: {error!r}" if error else "ended")
        self._agent.close()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._hints.stop()
        with self._database.write() as connection:
            watchers.stopped(connection, self._id, reason=reason, now=self._clock())
        self._listener(Event(EventKind.STOPPED, reason))
        self._lock.release()

    def stop(self, reason: str) -> None:
        """Ask the watcher to end; safe in a signal handler."""
        self._stop_reason = reason
        self._hints.wake()

    def is_done(self) -> bool:
        """Say whether no flag is up and no agent is to be asked: all that was taken in is digested."""
        with self._database.read() as connection:
            if sessions.raised_flags(connection):
                return False
        return not self._asked and not self._digest.due()

    def run(self) -> None:
        """Serve until asked to stop or, where wanted, until nothing has happened for long."""
        interval = self._settings.watch
        self._listener(Event(EventKind.STARTED, f"watching {self._settings.projects}"))
        must_recover = True
        next_scan = next_discovery = next_beat = next_orphans = 0
        pause = 0.0
        while not self._stop_reason:
            hinted = self._hints.wait(pause)
            moment = self._clock()
            try:
                self._take_in(self._hinted(hinted))
                if moment >= next_discovery:
                    self._watch_folders()
                    self._take_in(self._rescan.discover())
                    next_discovery = self._clock() + round(interval.discover_interval * 1000)
                waiting = self._life.handle_flags()
                if must_recover:
                    self._life.recover()
                    must_recover = False
                if moment >= next_orphans:
                    self._life.end_orphans(interval.orphan_session)
                    next_orphans = self._clock() + round(ORPHANS_INTERVAL * 1000)
                if moment >= next_scan:
                    self._take_in(self._rescan.changed(self._hot()))
                    self._life.end_quiet()
                    next_scan = self._clock() + round(interval.scan_interval * 1000)
                if moment >= next_beat:
                    with self._database.write() as connection:
                        watchers.beat(connection, self._id, now=self._clock())
                    next_beat = self._clock() + round(HEARTBEAT * 1000)
                self._ask_agent()
                self._leave_if_idle()
            except OperationalError as error:
                self._hear(Event(EventKind.TROUBLE, f"database: {error.orig}; trying again"))
                pause = DATABASE_PAUSE
                continue
            due = min(next_scan, next_discovery, next_beat) - self._clock()
            pause = CLOSING_POLL if waiting else max(CLOSING_POLL, due / 1000)

    def _hinted(self, paths: Iterable[str]) -> Iterator[Path]:
        """Return the transcripts among the paths of which something was heard."""
        heard = (Path(path) for path in sorted(paths) if path)
        return self._rescan.changed(path for path in heard if is_transcript(path, self._settings.projects))

    def _hot(self) -> list[Path]:
        """Return the transcripts of the active sessions."""
        with self._database.read() as connection:
            active = sessions.active(connection)
        paths = []
        for session in active:
            if session.transcript_path:
                transcript = Path(session.transcript_path)
                paths += [transcript, *subagents_of(transcript)]
        return paths

    def _take_in(self, paths: Iterable[Path]) -> None:
        for path in paths:
            taken = None
            try:
                taken = self._life.take_in(path)
            finally:
                if taken is None:
                    self._rescan.forget(path)
            if taken is not None and (taken.turn_ends or taken.prompts):
                self._life.finalize(source_of(path).session_id)

    def _watch_folders(self) -> None:
        """Listen to where hooks and Claude Code write; where that cannot be had, the rescan finds all the same."""
        for folder, recursive in ((self._settings.projects, True), (self._settings.database.parent, False)):
            try:
                self._hints.watch(folder, recursive=recursive)
            except OSError as error:
                if folder not in self._unwatched:
                    self._unwatched.add(folder)
                    self._hear(Event(EventKind.TROUBLE, f"cannot watch {folder} ({error.strerror}); looking by turns"))

    def _ask_agent(self) -> None:
        """Collect what agents have answered, and ask them for what is due: one at a time a session."""
        for session_id, future in list(self._asked.items()):
            if future.done():
                del self._asked[session_id]
                self._note(session_id, future)
        if self._clock() < self._agent_rests_until:
            return
        # After a failure one request goes ahead alone, so that a recovering service is not met by a storm.
        most = 1 if self._failures else AGENTS_AT_ONCE
        if len(self._asked) < most:
            for session_id in self._digest.due(but=set(self._asked), most=most - len(self._asked)):
                self._ask(session_id)

    def _ask(self, session_id: str) -> None:
        future = self._workers.submit(self._digest.ask_agent, session_id)
        future.add_done_callback(lambda _future: self._hints.wake())
        self._asked[session_id] = future

    def _note(self, session_id: str, future: Future[Outcome]) -> None:
        """Let the agent rest after a failure, longer after each one in a row."""
        error = future.exception()
        if error is not None:
            self._hear(Event(EventKind.TROUBLE, f"agent: {error!r}", session_id))
        if error is not None or future.result() is Outcome.FAILED:
            pause = min(self._settings.agent.retry_pause * 2 ** min(self._failures, 16), LONGEST_REST)
            self._failures += 1
            self._agent_rests_until = self._clock() + round(pause * 1000)
        elif future.result() is Outcome.DONE:
            self._failures = 0

    def _leave_if_idle(self) -> None:
        if not self._until_idle or self._asked:
            return
        with self._database.read() as connection:
            if sessions.active(connection):
                self._busy_at = self._clock()
        if self._clock() - self._busy_at >= self._settings.watch.exit_after * 1000:
            self._stop_reason = "idle"

    def _hear(self, event: Event) -> None:
        self._busy_at = self._clock()
        self._listener(event)
