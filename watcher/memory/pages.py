"""Owns the pages of the database file: how many are in use, giving free ones back, and the write-ahead log.

What is deleted leaves free pages behind, which later rows take. They go back to the file system only where somebody
sees to it: a few at a time, where the file keeps account of them (`auto_vacuum`), else by writing all of it anew.
Works on connections of its own, outside any transaction, and never waits long for a lock: it can all be done later.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

LOCK_WAIT = 0.1  # seconds
STEP = 64  # pages given back at a time, each step under the write lock
ANALYSIS_LIMIT = 400  # rows of an index that `PRAGMA optimize` looks at
_INCREMENTAL = 2


@dataclass(frozen=True, slots=True)
class Pages:
    """How the file is filled."""

    size: int  # bytes of a page
    total: int
    free: int
    is_incremental: bool  # free pages can be given back a few at a time

    @property
    def used_bytes(self) -> int:
        """What the file would take without its free pages."""
        return (self.total - self.free) * self.size

    @property
    def free_bytes(self) -> int:
        """What could be given back."""
        return self.free * self.size


def pages(connection: Connection) -> Pages:
    """Return how the file is filled."""

    def number(name: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

    is_incremental = number("auto_vacuum") == _INCREMENTAL
    return Pages(number("page_size"), number("page_count"), number("freelist_count"), is_incremental)


def give_back(path: Path, count: int = STEP) -> bool:
    """Give some free pages back to the file system; False where another process writes at this moment."""
    # `execute` would step once and free one page: the statement reports progress as rows without columns.
    return _run(path, f"PRAGMA incremental_vacuum({count})")


def rewrite(path: Path) -> bool:
    """Write the whole file anew, without its free pages and so that it keeps account of those to come.

    Nobody else can write meanwhile, and it takes once more the file's room on the disk. False where it cannot be done
    now.
    """
    return _run(path, f"PRAGMA auto_vacuum = {_INCREMENTAL}; VACUUM")


def overwrite(path: Path, wait: float) -> bool:
    """Write the whole file anew, so that nothing is left in it of what was deleted or changed, and empty its log.

    Waits for others some seconds each time. False where that cannot be done now: somebody reads for long, or there is
    no room for the file once more.
    """
    try:
        with closing(_open(path, wait)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            connection.execute("VACUUM")
            (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not is_busy
    except sqlite3.DatabaseError:
        return False


def log_size(path: Path) -> int:
    """Return the bytes of the write-ahead log; it keeps the room that it once took."""
    log = path.with_name(path.name + "-wal")
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def shorten_log(path: Path) -> bool:
    """Bring the write-ahead log into the file and empty it; False where somebody still reads from it."""
    try:
        with closing(_open(path)) as connection:
            (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not is_busy
    except sqlite3.DatabaseError:
        return False


def optimize(connection: Connection) -> None:
    """Let SQLite look at its indexes again where what is in them has changed a lot."""
    connection.exec_driver_sql(f"PRAGMA analysis_limit = {ANALYSIS_LIMIT}")
    connection.exec_driver_sql("PRAGMA optimize")


def _run(path: Path, script: str) -> bool:
    """Run a script; False where SQLite refuses: it is locked, there is no room left, it is damaged."""
    try:
        with closing(_open(path)) as connection:
            connection.executescript(script)
    except sqlite3.DatabaseError:
        return False
    return True


def _open(path: Path, wait: float = LOCK_WAIT) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=wait, isolation_level=None)
