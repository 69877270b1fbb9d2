from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from watcher.memory import pages
from watcher.memory.database import Database

MEGABYTE = b"x" * 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A file that keeps account of its free pages, and has some."""
    path = tmp_path / "claude-mem.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE blobs (blob)")
        fill(connection, 4)
        connection.execute("DELETE FROM blobs WHERE rowid > 1")
        yield path


def fill(connection: sqlite3.Connection, megabytes: int) -> None:
    connection.executemany("INSERT INTO blobs VALUES (?)", [(MEGABYTE,)] * megabytes)


def look(path: Path) -> pages.Pages:
    database = Database(path)
    with database.read() as connection:
        found = pages.pages(connection)
    database.close()
    return found


def test_free_pages_are_no_used_ones(path: Path) -> None:
    found = look(path)
    assert 3_000_000 < found.free_bytes < 3_100_000
    assert 1_000_000 < found.used_bytes < 1_100_000
    assert found.is_incremental


def test_free_pages_are_given_back_some_at_a_time(path: Path) -> None:
    before = look(path)
    assert pages.give_back(path, 100)
    after = look(path)
    assert (before.total - after.total, before.free - after.free) == (100, 100)
    assert pages.shorten_log(path)
    assert path.stat().st_size == after.total * after.size


def test_nobody_is_waited_for(path: Path) -> None:
    before = look(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not pages.give_back(path)
        assert not pages.rewrite(path)
        assert not pages.shorten_log(path)
        other.execute("ROLLBACK")
    assert look(path) == before


def test_a_file_without_account_is_written_anew_with_it(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        fill(connection, 3)
        connection.execute("DELETE FROM blobs WHERE rowid > 1")
    assert not look(path).is_incremental
    assert pages.rewrite(path)
    found = look(path)
    assert (found.free, found.is_incremental) == (0, True)
    assert found.used_bytes > 1_000_000


def test_the_log_stays_short_however_much_is_written(path: Path) -> None:
    longest = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for _ in range(30):
            fill(connection, 1)
            longest = max(longest, pages.log_size(path))
    assert 0 < longest < 8_000_000


def test_a_log_that_grew_beside_a_reader_is_emptied_once_that_is_gone(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM blobs").fetchone()
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            fill(writer, 10)
        assert pages.log_size(path) > 10_000_000
        assert not pages.shorten_log(path)
        reader.execute("COMMIT")
        assert pages.shorten_log(path)
        assert pages.log_size(path) == 0
