"""Owns forgetting what a user names, for good: its rows, the contexts made of them, and what is left in the file.

One transaction takes the rows away, puts tombstones in their place and renders the contexts anew; killed, it was never
begun, or is done but for what is free in the file. That is overwritten next, and where it cannot be now, or this is
killed before, by the watcher: the memory says that it is due. A watcher may run all the while. What is not the
memory's own is never touched, only named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import beside, forgetting, pages, search_index, selection, sessions, tombstones
from watcher.memory.database import Database, DatabaseBusyError, driver
from watcher.memory.selection import Selection, Wanted
from watcher.recall.rendering import bring_up_to_date
from watcher.service import aside
from watcher.service.digest import Digest
from watcher.service.events import Clock, Listener, now
from watcher.settings import Settings

OVERWRITE_WAIT = 20.0  # seconds, for others to be done with the file
# What says only how things stand.
_SIGNS = {
    *("launcher", "at-prompt", "excluded", "sdk-sessions"),
    *("watcher.lock", "watcher.starting", "import.lock", "locks.failed"),
}

Progress = Callable[[str], None]  # told what is done next


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    selected: Selection
    is_overwritten: bool  # else the watcher does it, once it can


def forget(
    settings: Settings,
    database: Database,
    wanted: Wanted,
    *,
    progress: Progress = lambda _what: None,
    listener: Listener = lambda _event: None,
    clock: Clock = now,
) -> Done:
    """Forget what is wanted.

    Raises:
        ClaudeMemError: there is no such row.
        DatabaseError: the memory cannot be written; nothing was forgotten.
    """
    with suppress(FileNotFoundError):  # a watcher is just about to do the same
        aside.raise_flags(database, settings.flags_aside, listener)  # what they say could not be told from here
    progress("taking it away")
    with database.write() as connection:
        moment = clock()
        beside.take(connection, database.path)  # of a memory before this one
        beneath = driver(connection)
        sessions.reduce_events(connection)  # those of older hooks say what was said
        selected = selection.select(beneath, wanted)
        stones = forgetting.stones(beneath, wanted, selected, now=moment)
        beside.keep(database.path, stones, now=moment)
        tombstones.put(connection, stones, now=moment)
        projects = forgetting.delete(connection, wanted, selected)
        digest = Digest(database, ExtractiveAgent(), settings, listener=listener, clock=clock)
        for session_id in selected.sessions.keys() - selected.whole:
            digest.summarise(connection, session_id)  # a summary that went, of a turn that has not
        for project in projects:
            bring_up_to_date(connection, project, settings.context, now=moment)
    progress("overwriting what it leaves in the file")
    return Done(selected, overwrite(database))


def finish(database: Database) -> bool:
    """Overwrite what an earlier forgetting could not; say whether nothing of that is left in the file."""
    with database.read() as connection:
        is_due = tombstones.is_overwriting_due(connection)
    return not is_due or overwrite(database)


def overwrite(database: Database, wait: float | None = None) -> bool:
    """Have nothing left in the file of what was forgotten, and say whether that is so. `wait`: seconds, for others."""
    with database.read() as connection:
        up_to = tombstones.count(connection)
    try:
        _merge_index(database)
    except DatabaseBusyError:
        return False
    if not pages.overwrite(database.path, OVERWRITE_WAIT if wait is None else wait):
        return False
    with database.write() as connection:
        tombstones.mark_overwritten(connection, up_to)
    return True


def copies(settings: Settings, transcripts: list[str], text: str) -> Iterator[tuple[Path, str]]:
    """Yield what may still hold it outside of the memory, and what each is; none of it is touched.

    Of the home's logs and settings only those that hold the `text`, where one is given.
    """
    for path in map(Path, transcripts):
        if path.is_file():
            yield path, "Claude Code's transcript"
        if (folder := path.with_suffix("") / "subagents").is_dir():
            yield folder, "its subagents' transcripts"
    data = settings.database.parent
    for folder in sorted(data.glob("damaged-*")):
        yield folder, "a damaged database, put aside"
    for path in sorted(settings.home.rglob("*")):
        if path.is_dir() or any(part.startswith("damaged-") for part in path.parts) or _is_own(settings, path):
            continue
        is_log = settings.logs in path.parents
        if not is_log and path != settings.config:
            yield path, "a file that is not the memory's own"
        elif text and _holds(path, text):
            yield path, "a log" if is_log else "your settings"


def _is_own(settings: Settings, path: Path) -> bool:
    """Say of a file in the home whether it is the memory itself, or holds nothing of what was done."""
    if path.parent == settings.flags_aside:
        return path.suffix == ".json"  # it waits to be taken into the memory
    if path == settings.home / "agent" / "login.json":
        return True
    database = settings.database
    files = (database.name, f"{database.name}-wal", f"{database.name}-shm", beside.path_of(database).name)
    return path.parent == database.parent and path.name in (*files, *_SIGNS)


def _merge_index(database: Database) -> None:
    """Merge the search index into one part: words that were taken out are only crossed out until then."""
    is_begun = False
    has_more = True
    while has_more:
        begun = time.monotonic()
        with database.write() as connection:
            has_more = search_index.merge(driver(connection), begin=not is_begun)
        is_begun = True
        if has_more:
            time.sleep(time.monotonic() - begun)  # whoever waits for the lock must find it free every other time


def _holds(path: Path, text: str) -> bool:
    """Say whether a text stands in a file; what cannot be read may hold it."""
    try:
        return text.casefold() in path.read_text(encoding="utf-8", errors="replace").casefold()
    except OSError:
        return True
