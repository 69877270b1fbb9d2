from __future__ import annotations

import sqlite3
import stat
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError

from watcher import resources
from watcher.memory import database as database_room
from watcher.memory.database import Database, DatabaseError, iso
from watcher.memory.models import Base


def pragma(database: Database, name: str) -> object:
    with database.read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_pragmas(database: Database) -> None:
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "busy_timeout") == database_room.BUSY_TIMEOUT
    assert pragma(database, "synchronous") == 1


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrations_have_dated_names_and_one_head() -> None:
    names = sorted(path.stem for path in (resources.migrations() / "versions").glob("*.py"))
    assert names
    for name in names:
        year, month, day, verb = name.split("_", 3)
        assert (len(year), len(month), len(day)) == (4, 2, 2)
        assert verb


def test_creating_again_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO contexts VALUES ('/p', 'kept', 0)")
    Database.create(database.path).close()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT text FROM contexts").scalar_one() == "kept"


def test_a_newer_schema_is_refused_with_a_hint(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ffff'")
    with pytest.raises(DatabaseError, match="newer claude-mem") as caught:
        Database.create(database.path)
    assert "upgrade" in caught.value.hint


def test_no_database_is_said_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no memory yet") as caught:
        Database.existing(tmp_path / "claude-mem.db")
    assert caught.value.hint == "claude-mem install"


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "home" / "data" / "claude-mem.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else entirely, and longer than a header of a hundred bytes" * 20)
    with pytest.raises(DatabaseError, match="damaged or no database"):
        Database.create(path)
    assert path.read_bytes().startswith(b"something else")


def test_an_empty_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "claude-mem.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (id)")
    connection.close()
    with pytest.raises(DatabaseError, match="holds no memory"), Database.existing(path).read() as reading:
        reading.exec_driver_sql("SELECT * FROM contexts")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_the_owner_may_look(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO contexts VALUES ('/p', 'secret', 0)")
    folder = database.path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_writer_that_reads_first_does_not_fail_when_another_wrote(database: Database) -> None:
    """A deferred transaction would: "database is locked" at once, busy timeout or not."""
    errors: list[Exception] = []

    def count_up() -> None:
        try:
            for _ in range(50):
                with database.write() as connection:
                    number = connection.exec_driver_sql("SELECT coalesce(max(rendered_at_epoch), 0) FROM contexts")
                    connection.exec_driver_sql(
                        "INSERT INTO contexts VALUES ('/p', '', ?) ON CONFLICT DO UPDATE SET rendered_at_epoch = ?",
                        (number.scalar_one() + 1,) * 2,
                    )
        except OperationalError as error:
            errors.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT rendered_at_epoch FROM contexts").scalar_one() == 200


def test_an_error_leaves_nothing_half_done(database: Database) -> None:
    def fail_midway() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO contexts VALUES ('/p', 'half', 0)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_midway()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM contexts").scalar_one() == 0


def test_iso_is_in_utc_to_the_millisecond() -> None:
    assert iso(1_780_000_000_123) == "2026-05-28T20:26:40.123Z"
    assert iso(0) == "1970-01-01T00:00:00.000Z"
