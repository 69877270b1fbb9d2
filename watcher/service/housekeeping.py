"""Owns keeping the memory within its bounds: what is too old or too much is forgotten, and its room given back.

Done in small transactions and in steps of a fraction of a second, with a pause after each for whoever waits for the
lock. A step that was cut short goes on at the next; after a crash it begins anew, for the database says what is due.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from watcher.memory import pages, retention, search_index, tombstones
from watcher.memory.database import Database, driver, iso
from watcher.memory.retention import Forgetting, PastSession
from watcher.recall.rendering import bring_up_to_date
from watcher.service import forgetting
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.service.projects import Projects
from watcher.settings import Settings

INTERVAL = 3600.0  # seconds between two rounds
BUSY_STEP = 0.1  # seconds of a step while sessions are active
IDLE_STEP = 0.5  # seconds of a step while none is
ROWS = 200  # of a transaction
LOOKS = 200  # transcripts looked for at a time
ENOUGH = 0.9  # of the size allowed: where forgetting ends once it has begun
REQUESTS_KEPT = 400 * 86_400_000  # milliseconds that what was asked of the agent is kept: a year and a month
YOUNGEST = 86_400_000  # milliseconds: size makes no session forgotten whose transcripts may not all be taken in yet
MEGABYTE = 1_000_000
DAY = 86_400_000  # milliseconds
LONG_LOG = 8_000_000  # bytes; the write-ahead log is some 4 MB as long as nobody reads for long
WORTH_GIVING_BACK = 1_000_000  # bytes of free pages
WORTH_REWRITING = 8_000_000  # bytes of free pages in a file that cannot give them back in steps
OVERWRITING_INTERVAL = 600_000  # milliseconds between two tries
OVERWRITING_WAIT = 1.0  # seconds for others to be done with the file
REWRITES_INTERVAL = 86_400_000  # milliseconds between two tries


@dataclass(slots=True)
class _Forgotten:
    """What one round has taken away."""

    sessions: int = 0
    until: int = 0  # epoch
    given_up: int = 0  # tool uses


class Housekeeping:
    """Forgets what the settings say, and keeps the file small."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        listener: Listener = lambda _event: None,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._settings = settings
        self._listener = listener
        self._clock = clock
        self._round: Iterator[None] | None = None
        self._next_round = 0
        self._next_rewrite = 0
        self._next_overwriting = 0
        self._is_optimized = True
        self._is_index_to_merge = False
        self._is_merge_begun = False
        with database.read() as connection:
            self._horizon = retention.horizon(connection)

    @property
    def horizon(self) -> int:
        """The time (epoch) before which all is to be left alone that is read: it was forgotten."""
        return self._horizon

    def step(self, *, is_idle: bool) -> None:
        """Do some of what is due, for a fraction of a second; most only while nothing else is to be done."""
        deadline = time.monotonic() + (IDLE_STEP if is_idle else BUSY_STEP)
        if self._round is None and self._clock() >= self._next_round:
            self._round = self._retain()
        if self._round is not None:
            self._go_on(self._round, deadline)
        if self._round is None and is_idle:
            self._go_on(self._tidy(), deadline)

    def _go_on(self, work: Iterator[None], deadline: float) -> None:
        begun = time.monotonic()
        while True:
            try:
                next(work)
            except StopIteration:
                self._finish(work)
                return
            except BaseException:
                self._round = None
                raise
            ended = time.monotonic()
            if ended >= deadline:
                return
            # Whoever waits for the lock only looks every now and then, and must find it free every other time.
            time.sleep(ended - begun)
            begun = time.monotonic()

    def _finish(self, work: Iterator[None]) -> None:
        if work is self._round:
            self._round = None
            self._next_round = self._clock() + round(INTERVAL * 1000)
            self._is_optimized = False

    def _retain(self) -> Iterator[None]:
        """Forget what is too old, then what is too much; tell of it in the end."""
        bounds = self._settings.retention
        moment = self._clock()
        forgotten = _Forgotten()
        given_up_before = moment - round(bounds.traces * DAY) if bounds.traces else 0
        if given_up_before:
            yield from self._give_up(given_up_before, forgotten)
            yield from self._drop_checkpoints(given_up_before)
        yield from self._drop_requests(moment - REQUESTS_KEPT)
        if bounds.max_age:
            before = moment - round(bounds.max_age * DAY)
            with self._database.write() as connection:
                retention.raise_horizon(connection, before)
                self._horizon = retention.horizon(connection)
            yield from self._forget(before, given_up_before, 0, forgotten)
        if bounds.max_size and self._size() > bounds.max_size * MEGABYTE:
            enough = round(bounds.max_size * MEGABYTE * ENOUGH)
            yield from self._forget(moment - YOUNGEST, given_up_before, enough, forgotten)
        yield from self._find_projects()
        self._tell(forgotten)

    def _give_up(self, before: int, forgotten: _Forgotten) -> Iterator[None]:
        """Drop traces, and the hope that an agent will ever see what waited so long."""
        is_done = False
        while not is_done:
            with self._database.read() as connection:
                stale = retention.stale_tool_uses(connection, before, ROWS)
            with self._database.write() as connection:
                forgotten.given_up += retention.give_up(connection, stale)
                dropped = retention.drop_traces(connection, before, ROWS)
            is_done = not stale and not dropped
            yield

    def _drop_requests(self, before: int) -> Iterator[None]:
        """Drop what tells of requests of long ago."""
        while True:
            with self._database.read() as connection:
                if retention.first_request(connection) >= before:
                    return
            with self._database.write() as connection:
                retention.drop_requests(connection, before, ROWS)
            yield

    def _find_projects(self) -> Iterator[None]:
        """Find out what folders are of that were kept before anybody looked."""
        looking = Projects(self._database, clock=self._clock)
        while found := looking.settle_some(1):
            with self._database.write() as connection:
                self._render(connection, found[0])
            yield

    def _drop_checkpoints(self, before: int) -> Iterator[None]:
        """Drop the checkpoints of transcripts that are gone; not where it is the disk of all of them that is."""
        last = ""
        while self._settings.projects.is_dir():
            with self._database.read() as connection:
                paths = retention.still_transcripts(connection, before, after=last, limit=LOOKS)
            if not paths:
                return
            last = paths[-1]
            if gone := [path for path in paths if _is_gone(Path(path))]:
                with self._database.write() as connection:
                    retention.drop_checkpoints(connection, gone, before)
            yield

    def _forget(self, before: int, given_up_before: int, enough: int, forgotten: _Forgotten) -> Iterator[None]:
        """Forget sessions last active before some time (epoch), the oldest first, down to `enough` bytes."""
        while True:
            with self._database.read() as connection:
                sessions = retention.past_sessions(
                    connection,
                    before=before,
                    given_up_before=given_up_before,
                    max_attempts=self._settings.agent.max_attempts,
                    limit=ROWS,
                )
            if not sessions:
                return
            for session in sessions:
                if self._size() <= enough:
                    return
                yield from self._forget_session(session, forgotten)

    def _forget_session(self, session: PastSession, forgotten: _Forgotten) -> Iterator[None]:
        how_far = Forgetting.UNDER_WAY
        while how_far is Forgetting.UNDER_WAY:
            with self._database.write() as connection:
                how_far = retention.forget(connection, session, ROWS)
                if how_far is Forgetting.DONE:
                    self._render(connection, session.project)
                horizon = retention.horizon(connection)
            self._horizon = horizon
            yield
        if how_far is Forgetting.DONE:
            self._is_index_to_merge, self._is_merge_begun = True, False
            forgotten.sessions += 1
            forgotten.until = session.last_activity_at

    def _render(self, connection: Connection, project: str) -> None:
        bring_up_to_date(connection, project, self._settings.context, now=self._clock())

    def _tidy(self) -> Iterator[None]:
        """Give back to the file system what is no longer needed."""
        path = self._database.path
        if self._is_overwriting_due():
            self._next_overwriting = self._clock() + OVERWRITING_INTERVAL
            forgetting.overwrite(self._database, OVERWRITING_WAIT)
            yield
        if not self._is_optimized:
            self._is_optimized = True
            with self._database.write() as connection:
                pages.optimize(connection)
            yield
        while self._is_index_to_merge:
            with self._database.write() as connection:
                self._is_index_to_merge = search_index.merge(driver(connection), begin=not self._is_merge_begun)
            self._is_merge_begun = True
            yield
        filled = self._pages()
        if not filled.is_incremental and self._is_worth_rewriting(filled):
            self._next_rewrite = self._clock() + REWRITES_INTERVAL
            pages.rewrite(path)
            yield
        gives_back = filled.is_incremental and filled.free_bytes >= WORTH_GIVING_BACK
        while self._pages().free_bytes >= WORTH_GIVING_BACK and gives_back and pages.give_back(path):
            yield
        # Only once the log is brought into it is the file as short as it can be.
        if gives_back or pages.log_size(path) >= LONG_LOG:
            pages.shorten_log(path)
            yield

    def _is_overwriting_due(self) -> bool:
        """Say whether what a user had forgotten could not be overwritten then, or not since."""
        if self._clock() < self._next_overwriting:
            return False
        with self._database.read() as connection:
            return tombstones.is_overwriting_due(connection)

    def _is_worth_rewriting(self, filled: pages.Pages) -> bool:
        is_much = filled.free_bytes >= WORTH_REWRITING and filled.free * 4 > filled.total
        return is_much and self._clock() >= self._next_rewrite

    def _size(self) -> int:
        return self._pages().used_bytes

    def _pages(self) -> pages.Pages:
        with self._database.read() as connection:
            return pages.pages(connection)

    def _tell(self, forgotten: _Forgotten) -> None:
        parts = []
        if forgotten.sessions:
            parts.append(f"{_plural(forgotten.sessions, 'session')} until {iso(forgotten.until)[:10]}")
        if forgotten.given_up:
            days = f"{self._settings.retention.traces:g} days"
            parts.append(f"{_plural(forgotten.given_up, 'tool use')} that waited {days} for an agent")
        if parts:
            self._listener(Event(EventKind.FORGOTTEN, ", ".join(parts)))


def _is_gone(path: Path) -> bool:
    """Say whether a file is not there; one that cannot be looked at may well be."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
