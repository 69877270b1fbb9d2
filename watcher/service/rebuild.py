"""Owns getting over a damaged database: it is put aside and kept, and the memory is rebuilt.

From what can still be read of the old file, then from the transcripts that are still there, in the way of every other
record but with the extractive agent alone: what was observed and paid for once is not paid for again. Each damaged
database has a folder of its own, which says whether the rebuilding is done: killed, it is taken up at the next start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from filelock import Timeout

from watcher import permissions, system
from watcher.agent.extractive import ExtractiveAgent
from watcher.errors import ClaudeMemError
from watcher.memory import (
    beside,
    conditions,
    health,
    lookup,
    retention,
    salvage,
    search_index,
    sessions,
    watchers,
)
from watcher.memory.database import DamagedError, Database, DatabaseError, driver
from watcher.memory.faults import damaged, of_files
from watcher.recall.rendering import bring_up_to_date
from watcher.service.digest import Digest, Outcome
from watcher.service.events import Clock, Event, EventKind, Listener, now
from watcher.service.follow import Rescan
from watcher.service.ingest import Ingest, source_of
from watcher.service.lifecycle import Lifecycle
from watcher.service.watch import YOUNG
from watcher.settings import Settings

CHECK_TIME = 5.0  # seconds
LONG_CHECK_TIME = 60.0  # seconds
LOCK_WAIT = 1.0  # seconds to wait for the watcher's lock
MOST_IN_A_DAY = 3  # databases put aside; above it something else is broken, and each one takes its room
PROGRESS = 2.0  # seconds between two words about how far it is
PAUSE = 1.0  # seconds before trying again what the database refused
SLICE = 8_000_000  # bytes of a transcript that are taken in before looking up
_UNDER_WAY, _DONE = "rebuilding.txt", "rebuilt.txt"  # in the folder: what was wrong


def create(settings: Settings) -> None:
    """Have a database of this version's schema.

    Raises:
        DatabaseError: it cannot be had; damaged, where it is empty although there was a memory.
    """
    database = settings.database
    if not database.exists():
        for folder in sorted(database.parent.glob("damaged-*")):
            if (folder / _UNDER_WAY).exists() and (folder / database.name).exists():
                salvage.put_rest_aside(database, folder)
    # Hooks know the launcher only once there is a memory.
    if settings.launcher.exists() and database.is_file() and database.stat().st_size == 0:
        raise damaged(database, "the file is empty")
    made = Database.create(database)
    try:
        if beside.path_of(database).exists():
            with made.write() as connection:
                beside.take(connection, database)
    finally:
        made.close()


def check(settings: Settings, seconds: float = CHECK_TIME) -> None:
    """Look the whole database over, for some seconds at most.

    Raises:
        DatabaseError: it is damaged, or cannot be read.
    """
    database = Database(settings.database)
    try:
        with database.read() as connection:
            found = health.problems(connection, seconds)
    finally:
        database.close()
    if found:
        raise damaged(settings.database, found[0])


def is_sound(settings: Settings) -> bool:
    """Say whether a database that seemed damaged is found to be whole: nothing is put aside on one word.

    It may have been the search index alone: that is made anew.
    """
    if settings.database.stat().st_size == 0:
        return False
    try:
        _mend_index(settings)
        check(settings, LONG_CHECK_TIME)
    except DamagedError:
        return False
    return True


def _mend_index(settings: Settings) -> None:
    database = Database(settings.database)
    try:
        with database.write() as connection:
            search_index.rebuild(driver(connection))
    finally:
        database.close()


def put_aside(settings: Settings, why: str, *, listener: Listener, clock: Clock = now) -> Path:
    """Put a damaged database into a folder of its own, and return that; the next start rebuilds the memory.

    Raises:
        ClaudeMemError: it cannot be moved, is in use, or was damaged too often.
    """
    data = settings.database.parent
    moment = time.gmtime(clock() / 1000)
    today = len(list(data.glob(time.strftime("damaged-%Y%m%dT*", moment))))
    if today >= MOST_IN_A_DAY:
        raise DamagedError(f"{why}, for the {today + 1}th time today", hint=f"look at the disk of {data}")
    folder = data / time.strftime("damaged-%Y%m%dT%H%M%SZ", moment)
    while folder.exists():
        folder = folder.with_name(f"{folder.name}+")
    with of_files(folder):
        permissions.make_private_folder(folder)
        permissions.make_private_file(folder / _UNDER_WAY)
        (folder / _UNDER_WAY).write_text(f"{why}\n", encoding="utf-8")
    try:
        with system.lock(settings.lock).acquire(timeout=LOCK_WAIT):
            salvage.put_aside(settings.database, folder)
    except Timeout as error:
        raise ClaudeMemError(f"{why}; the watcher that runs will find it too", hint="claude-mem status") from error
    listener(Event(EventKind.TROUBLE, f"{why}; put aside in {folder}, the memory is rebuilt from the transcripts"))
    return folder


class Rebuild:
    """Rebuilds the memory after a damage. Belongs to the watcher, which holds its lock meanwhile."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        listener: Listener = lambda _event: None,
        clock: Clock = now,
        is_stopping: Callable[[], bool] = lambda: False,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """`is_stopping` is asked, and `beat` called, every now and then."""
        self._settings = settings
        self._database = database
        self._listener = listener
        self._clock = clock
        self._is_stopping = is_stopping
        self._beat = beat
        self._told_at = time.monotonic()
        self._digest = Digest(database, ExtractiveAgent(), settings, listener=self._hear, clock=clock)

    def run(self) -> None:
        """Do what is to be done, however often the database refuses; nothing where none was damaged."""
        while not self._is_stopping():
            try:
                self._run()
            except DamagedError:
                raise
            except DatabaseError as error:
                self._listener(Event(EventKind.TROUBLE, f"database: {error}; trying again"))
                time.sleep(PAUSE)
            else:
                return

    def _run(self) -> None:
        folders = sorted(self._settings.database.parent.glob("damaged-*"))
        if not folders:
            with self._database.write() as connection:
                conditions.clear(connection, conditions.DATABASE)
        for folder in folders:
            if (folder / _UNDER_WAY).exists():
                saved = self._save(folder)
                self._take_in()
                self._summarise()
                if self._is_stopping():
                    return
                self._finish(folder, saved)

    def _save(self, folder: Path) -> str:
        """Save what can be saved of the old database, once; return what is to be said of it."""
        old = folder / self._settings.database.name
        with self._database.write() as connection:
            said = {known.name: known.text for known in lookup.conditions(driver(connection))}.get(
                conditions.DATABASE, ""
            )
            if str(folder) not in said:
                said = f"the database was damaged and is put aside in {folder}"
                if old.exists():
                    saved = salvage.save(old, connection, lambda path: Path(path).exists(), now=self._clock())
                    said += (
                        f"; of it were saved {saved.sessions} sessions, {saved.observations} observations "
                        f"and {saved.summaries} summaries"
                    )
                conditions.put(connection, conditions.DATABASE, "rebuilding", said, now=self._clock())
        self._listener(Event(EventKind.TROUBLE, said))
        return said

    def _take_in(self) -> None:
        """Take in every transcript from the memory's time, the oldest first; end the sessions that are over."""
        with self._database.read() as connection:
            since = (watchers.first_start(connection) or 0) - YOUNG * 1000
            horizon = retention.horizon(connection)
        hear, clock = self._hear, self._clock
        ingest = Ingest(
            self._database,
            self._settings.capture,
            self._settings.privacy,
            since=since,
            horizon=horizon,
            listener=hear,
            clock=clock,
        )
        life = Lifecycle(
            self._database, ingest, self._digest, self._settings.watch, slice_size=SLICE, listener=hear, clock=clock
        )
        paths = list(Rescan(self._settings.projects, since=max(since, horizon), reached={}).discover())
        for number, path in enumerate(paths):
            has_more = True
            while has_more and not self._is_stopping():
                taken = life.take_in(path)
                has_more = taken is not None and taken.has_more
                self._tell_progress(f"{number} of {len(paths)} transcripts")
            life.finalize(source_of(path).session_id)
        before: set[str] = set()
        while (active := self._active()) != before and not self._is_stopping():
            before = active
            life.end_quiet()  # some at a time
            self._tell_progress(f"{len(active)} sessions to end")

    def _summarise(self) -> None:
        """Have the extractive agent digest what is due, and render what the next sessions will read."""
        for session_id in self._digest.due():
            outcome = Outcome.DONE
            while outcome is Outcome.DONE and not self._is_stopping():
                outcome = self._digest.ask_agent(session_id)
                self._tell_progress(f"summarising session {session_id}")
        with self._database.read() as connection:
            projects = lookup.projects(driver(connection))
        for project in projects:
            with self._database.write() as connection:
                bring_up_to_date(connection, project, self._settings.context, now=self._clock())

    def _active(self) -> set[str]:
        with self._database.read() as connection:
            return {session.session_id for session in sessions.active(connection)}

    def _finish(self, folder: Path, said: str) -> None:
        text = f"{said}; the memory was rebuilt from it and from the transcripts"
        with self._database.write() as connection:
            conditions.put(
                connection,
                conditions.DATABASE,
                "rebuilt",
                text,
                hint=f"look at the disk; once you have no use for the old files: delete {folder}",
                now=self._clock(),
            )
        (folder / _UNDER_WAY).rename(folder / _DONE)
        self._listener(Event(EventKind.MENDED, text))

    def _hear(self, event: Event) -> None:
        """Pass on what is wrong; all else would be a line for each transcript and each turn."""
        if event.kind in (EventKind.TROUBLE, EventKind.BROKEN):
            self._listener(event)

    def _tell_progress(self, text: str) -> None:
        if time.monotonic() - self._told_at >= PROGRESS:
            self._told_at = time.monotonic()
            self._listener(Event(EventKind.RESTARTED, text))
            self._beat()
