"""A look at the memory's health takes no sound database for a damaged one."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from watcher.memory import health
from watcher.memory.database import Database

LOOKS = 300


def raise_flags(path: Path) -> None:
    """Raise some as a client that closes what it opened: the last one writes the log into the file, and it goes."""
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        flags = [("s", "finalize", "x" * 3000, 0)] * 5
        connection.executemany(
            "INSERT INTO flags (session_id, kind, event, raised_at_epoch) VALUES (?, ?, ?, ?)", flags
        )


def test_a_database_that_is_written_to_meanwhile_is_sound(database: Database) -> None:
    """A look that keeps to no locks, where there is no log, finds one in a hundred damaged."""
    path = database.path
    database.close()
    for _ in range(400):
        raise_flags(path)
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.wait(0.002):
            raise_flags(path)

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        for _ in range(LOOKS):
            with health.opened(path) as connection:
                assert health.problems(connection, 10.0) == []
    finally:
        is_over.set()
        writer.join()
