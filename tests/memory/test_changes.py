"""Whether anything was committed is known without reading it again."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from watcher.memory.changes import Changes, Kept
from watcher.memory.database import Database, DatabaseBusyError, DatabaseError
from watcher.memory.lookup import last_run, opened


@pytest.fixture
def changes(database: Database) -> Iterator[Changes]:
    made = Changes(database.path, busy_timeout=0.05)
    yield made
    made.close()


def commit(database: Database) -> None:
    """Change something by another connection."""
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute(
            "INSERT INTO watchers (pid, version, started_at_epoch, heartbeat_at_epoch) VALUES (1, '', 0, 0)"
        )


def test_it_counts_on_after_a_commit_and_only_then(database: Database, changes: Changes) -> None:
    first = changes.count()
    assert changes.count() == first
    for _ in range(3):
        commit(database)
        second = changes.count()
        assert second != first
        assert changes.count() == second
        first = second


def test_what_the_watcher_writes_by_its_usual_connections_counts_too(database: Database, changes: Changes) -> None:
    before = changes.count()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT * FROM contexts").all() == []
    assert changes.count() == before
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO contexts VALUES ('/p', 'text', 0)")
    assert changes.count() != before


def test_what_another_process_commits_counts(database: Database, changes: Changes) -> None:
    before = changes.count()
    script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript('CREATE TABLE other (x)')"
    subprocess.run([sys.executable, "-c", script, str(database.path)], check=True)
    assert changes.count() != before


def test_what_is_not_committed_does_not_count(database: Database, changes: Changes) -> None:
    before = changes.count()
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE other (x)")
        assert changes.count() == before
        connection.execute("ROLLBACK")
    assert changes.count() == before


def test_a_heartbeat_is_written_and_is_no_change(database: Database, changes: Changes) -> None:
    commit(database)
    before = changes.count()
    changes.beat(1, now=1234)
    with opened(database.path) as connection:
        run = last_run(connection)
    assert run is not None
    assert run.heartbeat_at == 1234
    assert changes.count() == before


def test_a_change_between_two_heartbeats_is_not_missed(database: Database, changes: Changes) -> None:
    commit(database)
    before = changes.count()
    changes.beat(1, now=1)
    commit(database)
    changes.beat(1, now=2)
    assert changes.count() != before


def test_a_locked_database_is_told_and_after_it_all_has_changed(database: Database, changes: Changes) -> None:
    before = changes.count()
    with closing(sqlite3.connect(database.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusyError):
            changes.beat(1, now=1)
        holder.execute("ROLLBACK")
    assert changes.count() != before


def test_a_database_that_is_not_there_is_told_and_not_made(database: Database) -> None:
    changes = Changes(database.path.with_name("other.db"), busy_timeout=0.05)
    with pytest.raises(DatabaseError):
        changes.count()
    assert not database.path.with_name("other.db").exists()


def test_what_is_kept_is_read_again_after_a_commit(database: Database, changes: Changes) -> None:
    read: list[int] = []

    def count() -> int:
        with database.read() as connection:
            read.append(connection.exec_driver_sql("SELECT count(*) FROM watchers").scalar_one())
        return read[-1]

    kept = Kept(changes, count)
    assert [kept(), kept()] == [0, 0]
    commit(database)
    assert [kept(), kept()] == [1, 1]
    assert read == [0, 1]


def test_what_could_not_be_read_is_read_the_next_time(changes: Changes) -> None:
    answers = [DatabaseBusyError("locked"), "read"]

    def read() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    kept = Kept(changes, read)
    with pytest.raises(DatabaseBusyError):
        kept()
    assert [kept(), kept()] == ["read", "read"]
