"""Owns knowing whether anything in the database has changed, by whomever, without reading any of it again.

SQLite tells a connection whether another one has committed since it asked last, and takes a thousandth of the time of
a query for it. So whoever looks each second looks at what changed alone. The watcher's heartbeat is written here too:
what this very connection writes does not count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from watcher.memory.faults import of_driver

T = TypeVar("T")

_BEAT = "UPDATE watchers SET heartbeat_at_epoch = ? WHERE id = ?"


class Changes:
    """One connection, kept open. Used by one thread at a time."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        """Open nothing yet; seconds in `busy_timeout`."""
        self._path = path
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._version = 0  # of the database, as this connection sees it
        self._count = 0

    def count(self) -> int:
        """Return a number that is another one once something was committed: all that was, is seen by what comes next.

        Raises:
            DatabaseError: it cannot be told.
        """
        ((version,),) = self._run("PRAGMA data_version")
        if version != self._version:
            self._version = version
            self._count += 1
        return self._count

    def beat(self, watcher_id: int, *, now: int) -> None:
        """Write down that a watcher still runs.

        Raises:
            DatabaseError: it cannot be.
        """
        self._run(_BEAT, now, watcher_id)

    def close(self) -> None:
        """Close the connection; the next use opens another, for which everything has changed."""
        connection, self._connection, self._version = self._connection, None, 0
        if connection is not None:
            connection.close()

    def _run(self, statement: str, *values: int) -> list[tuple[int, ...]]:
        try:
            return self._opened().execute(statement, values).fetchall()
        except BaseException:
            self.close()
            with of_driver(self._path):
                raise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=rw",
                uri=True,
                timeout=self._busy_timeout,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.execute("PRAGMA synchronous = NORMAL")
            # Whoever writes more brings the log into the file.
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        return self._connection


class Kept(Generic[T]):
    """Something read from the database, as it stands there: read again once something was committed."""

    def __init__(self, changes: Changes, read: Callable[[], T]) -> None:
        self._changes = changes
        self._read = read
        self._found: tuple[int, T] | None = None  # and the count at which it was read

    def __call__(self) -> T:
        """Return it.

        Raises:
            DatabaseError: it cannot be read.
        """
        count = self._changes.count()
        if self._found is None or self._found[0] != count:
            self._found = (count, self._read())
        return self._found[1]
