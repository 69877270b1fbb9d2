"""A look at the memory's health takes no sound database for a damaged one."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

from watcher.memory import health
from watcher.memory.database import Database

ROWS = 10_000
LOOKS = 30


def test_a_database_that_is_written_to_meanwhile_is_sound(database: Database) -> None:
    """A hook or client that closes the last connection writes the log into the file, and takes the log away."""
    path = database.path
    database.close()
    is_over = threading.Event()

    def write(share: int) -> None:
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            values = [(f"/p/{number}", "x" * 900, 0) for number in range(0, ROWS, share)]
            connection.executemany("INSERT OR REPLACE INTO contexts VALUES (?, ?, ?)", values)
            connection.execute("DELETE FROM contexts WHERE rowid % 7 = abs(random()) % 7")

    def go_on_writing() -> None:
        while not is_over.wait(0.001):
            write(20)

    write(1)
    writer = threading.Thread(target=go_on_writing)
    writer.start()
    try:
        for _ in range(LOOKS):
            with health.opened(path) as connection:
                assert health.problems(connection, 10.0) == []
    finally:
        is_over.set()
        writer.join()
