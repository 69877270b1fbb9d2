"""Looking into the memory without SQLAlchemy: what is there is told, what cannot be is said, and nothing is changed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.memory.past import put_context
from tests.memory.test_database import old_schema
from watcher.memory import lookup
from watcher.memory.database import Database
from watcher.memory.faults import DamagedError, DatabaseBusyError, DatabaseError
from watcher.memory.lookup import CurrentCondition, WatcherRun


@pytest.fixture
def writer(database: Database) -> Iterator[sqlite3.Connection]:
    """Another process's connection, as far as SQLite can tell."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        yield connection


def contexts(path: Path) -> list[str]:
    with lookup.opened(path) as connection:
        return lookup.projects(connection)


def test_what_is_asked_for_is_told(database: Database, writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO contexts VALUES ('/first', 'an old one', 1), ('/second', 'a new one', 2)")
    writer.execute("INSERT INTO conditions VALUES ('agent', 'login', 'not logged in', 'type /login', 8, 9)")
    writer.execute("INSERT INTO conditions VALUES ('watching', 'polling', 'too many', '', 7, NULL)")
    for pid in (1, 2):
        writer.execute(
            "INSERT INTO watchers (pid, version, started_at_epoch, heartbeat_at_epoch) VALUES (?, 'v', 3, 4)", (pid,)
        )
    with lookup.opened(database.path) as connection:
        assert lookup.projects(connection) == ["/second", "/first"]
        assert lookup.context(connection, "/first") == "an old one"
        assert lookup.context(connection, "/none") == ""
        assert lookup.last_run(connection) == WatcherRun(2, "v", 3, 4, None)
        assert lookup.conditions(connection) == [
            CurrentCondition("watching", "polling", "too many", "", 7, None),
            CurrentCondition("agent", "login", "not logged in", "type /login", 8, 9),
        ]


def test_it_sees_what_is_committed_and_one_state_throughout(database: Database, writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO contexts VALUES ('/a', '', 0)")
    with lookup.opened(database.path) as connection:
        assert lookup.projects(connection) == ["/a"]
        writer.execute("INSERT INTO contexts VALUES ('/b', '', 1)")
        assert lookup.projects(connection) == ["/a"]
    assert contexts(database.path) == ["/b", "/a"]


def test_nothing_can_be_written(database: Database) -> None:
    with pytest.raises(DatabaseError, match="read-only"), lookup.opened(database.path) as connection:
        connection.execute("DELETE FROM contexts")


def test_a_memory_that_may_only_be_read(database: Database) -> None:
    """As on a read-only disk: a reader may not make the files of a write-ahead log there."""
    put_context(database, "/p", "kept")
    database.close()
    folder = database.path.parent
    with closing(sqlite3.connect(database.path)) as last:
        last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not database.path.with_name("claude-mem.db-wal").exists()
    folder.chmod(0o500)
    try:
        assert contexts(database.path) == ["/p"]
        if os.geteuid():
            assert not database.path.with_name("claude-mem.db-wal").exists()
    finally:
        folder.chmod(0o700)


def test_no_memory_is_said_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no memory yet") as caught, lookup.opened(tmp_path / "none.db"):
        pass
    assert caught.value.hint == "claude-mem install"


def test_other_tables_are_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id)")
    with pytest.raises(DatabaseError, match="holds no memory") as caught, lookup.opened(path):
        pass
    assert caught.value.hint == "claude-mem install"


@pytest.mark.parametrize("content", [b"", b"something else entirely, and longer than a header of a hundred bytes" * 20])
def test_what_is_no_database_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "claude-mem.db"
    path.write_bytes(content)
    with pytest.raises(DamagedError) as caught, lookup.opened(path):
        pass
    assert caught.value.hint.startswith("claude-mem watch --background")
    assert path.read_bytes() == content


def test_damage_met_on_the_way_is_said(database: Database) -> None:
    put_context(database, "/p", "x" * 100_000)
    with database.read() as connection:
        root = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'contexts'").scalar_one()
    database.close()
    with database.path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(DamagedError), lookup.opened(database.path) as connection:
        lookup.context(connection, "/p")


def test_an_older_schema_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    path = old_schema(tmp_path / "home" / "data" / "claude-mem.db")
    with pytest.raises(DatabaseError, match="older claude-mem") as caught, lookup.opened(path):
        pass
    assert caught.value.hint.startswith("claude-mem watch --background")
    assert not Database(path).schema_is_ours()


def test_a_newer_schema_is_said(database: Database, writer: sqlite3.Connection) -> None:
    writer.execute("UPDATE alembic_version SET version_num = 'ffff'")
    with pytest.raises(DatabaseError, match="newer claude-mem") as caught, lookup.opened(database.path):
        pass
    assert "upgrade" in caught.value.hint
    writer.execute("DELETE FROM alembic_version")
    with pytest.raises(DatabaseError, match="holds no memory"), lookup.opened(database.path):
        pass


def test_a_writer_is_not_waited_for_and_who_has_it_all_is(database: Database, writer: sqlite3.Connection) -> None:
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO contexts VALUES ('/p', '', 0)")
    assert contexts(database.path) == []
    writer.execute("COMMIT")
    database.close()
    writer.execute("PRAGMA locking_mode = EXCLUSIVE")
    writer.execute("INSERT INTO contexts VALUES ('/q', '', 0)")
    with pytest.raises(DatabaseBusyError), lookup.opened(database.path, 0.05):
        pass


def test_a_mistake_of_ours_is_no_fault_of_the_file(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError), lookup.opened(database.path) as connection:
        connection.execute("SELECT nothing FROM contexts")


@pytest.mark.parametrize(
    ("folder", "project"),
    [
        ("/api", "/api"),
        ("/api/src/deep", "/api"),
        ("/wt/fix", "/api"),
        ("/wt/fix/src", "/wt/fix/src"),  # nobody has looked there yet, and a worktree is no root
        ("/api2", "/api2"),
        ("/api/vendored", "/api/vendored"),
        ("/api/vendored/src", "/api/vendored"),
        ("/plain/below", "/plain/below"),  # a folder that is no repository holds nothing but itself
        ("C:\\web\\src", "C:\\web"),
    ],
)
def test_a_folder_is_of_the_repository_it_lies_in(database: Database, folder: str, project: str) -> None:
    places = [("/api", "/api"), ("/wt/fix", "/api"), ("/api/vendored", "/api/vendored"), ("/plain", "/plain")]
    with database.write() as connection:
        for place in (*places, ("C:\\web", "C:\\web")):
            connection.exec_driver_sql("INSERT INTO project_folders VALUES (?, ?, 1)", place)
        for known in ("/api", "/api/vendored", "C:\\web"):
            connection.exec_driver_sql("INSERT INTO project_identities VALUES (?, ?)", (f"commit:{known}", known))
    with lookup.opened(database.path) as connection:
        assert lookup.project_of(connection, folder) == project
