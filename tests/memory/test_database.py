from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from watcher import resources
from watcher.memory import schema, search_index
from watcher.memory.database import (
    DamagedError,
    Database,
    DatabaseBusyError,
    DatabaseError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    iso,
)
from watcher.memory.models import Base, Context


def pragma(database: Database, name: str) -> object:
    with database.read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def old_schema(path: Path, revision: str = "0001") -> Path:
    """Make a database as an older version left it, with something in it."""
    path.parent.mkdir(parents=True)
    config = Config()
    config.set_main_option("script_location", str(resources.migrations()))
    old = Database(path)
    with old.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.exec_driver_sql("INSERT INTO contexts VALUES ('/p', 'kept', 1)")
        connection.exec_driver_sql(
            "INSERT INTO sdk_sessions (session_id, started_at, started_at_epoch) VALUES ('s', '2026', 2)"
        )
        connection.exec_driver_sql(
            "INSERT INTO user_prompts (uuid, session_id, prompt_number, prompt_text, continues_turn, created_at, "
            "created_at_epoch) VALUES ('u', 's', 1, 'Go', 0, '2026', 3)"
        )
    old.close()
    return path


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table that has some, but for what is made of the others: the search index."""
    with closing(sqlite3.connect(path)) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in found if not search_index.is_part(name)]
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    return {name: found for name, found in rows.items() if found}


def test_what_is_deleted_is_overwritten(database: Database) -> None:
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")  # some builds of SQLite have it on
        database._prepare(connection, None)
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_an_error_does_not_tell_of_the_row(database: Database) -> None:
    values = {"project": "/a", "text": "".join(["what", " was said"]), "rendered_at_epoch": None}
    with pytest.raises(IntegrityError) as caught, database.write() as connection:
        connection.execute(insert(Context).values(values))
    told = "".join(traceback.format_exception(caught.value))
    assert "rendered_at_epoch" in told
    assert values["text"] not in told


def test_pragmas(database: Database) -> None:
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "busy_timeout") == 10_000
    assert pragma(database, "synchronous") == 1
    hasty = Database(database.path, busy_timeout=0.25)
    assert pragma(hasty, "busy_timeout") == 250
    hasty.close()


def shape(path: Path) -> dict[str, object]:
    """Return all that makes up a schema: columns with their defaults, keys, indexes, foreign keys, by table; views,
    triggers, and how the search index is set up."""
    found: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for pragma_ in ("table_xinfo", "index_list", "foreign_key_list"):
                rows = connection.execute(f"PRAGMA {pragma_}('{table}')").fetchall()
                # The order of columns, and the number that is given to an index or key, is of no account.
                found[f"{pragma_} {table}"] = sorted(repr(row[1:]) for row in rows)
        indexes = connection.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'").fetchall()
        for name, table, sql in indexes:
            columns = connection.execute(f"PRAGMA index_xinfo('{name}')").fetchall()
            found[f"index {table} {name}"] = ([column[2] for column in columns], " ".join((sql or "").split()))
        made = (
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"
        )
        for kind, name, sql in connection.execute(made).fetchall():
            found[f"{kind} {name}"] = " ".join(sql.split())
        found["search index"] = connection.execute("SELECT * FROM search_index_config ORDER BY k").fetchall()
    return found


def differences(connection: Connection) -> list[Any]:
    """Return what Alembic finds different from the models, but for the search index, which they do not describe."""
    named = {"include_name": lambda name, kind, _: not (kind == "table" and search_index.is_part(name))}
    return list(compare_metadata(MigrationContext.configure(connection, opts=named), Base.metadata))


def test_a_new_database_is_what_the_migrations_make(database: Database, tmp_path: Path) -> None:
    migrated = Database(tmp_path / "migrated.db")
    with migrated.write() as connection:
        schema._migrate(connection, migrated.path)
    with migrated.read() as connection:
        assert differences(connection) == []
    migrated.close()
    assert shape(database.path) == shape(migrated.path)


def test_a_new_database_needs_no_alembic(tmp_path: Path) -> None:
    made = f"""
import sys
from pathlib import Path
from typing import Any
from watcher.memory.database import Database
for _ in range(2):
    Database.create(Path({str(tmp_path / "home" / "data" / "claude-mem.db")!r})).close()
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-P", "-c", made], check=True, timeout=60)


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
    for way in ("create", "existing"):
        with pytest.raises(DatabaseError, match="newer claude-mem") as caught:
            getattr(Database, way)(database.path)
        assert "upgrade" in caught.value.hint


def test_no_database_is_said_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no memory yet") as caught:
        Database.existing(tmp_path / "claude-mem.db")
    assert caught.value.hint == "claude-mem install"


@pytest.mark.parametrize("way", ["create", "existing"])
def test_what_is_no_database_is_said(tmp_path: Path, way: str) -> None:
    path = tmp_path / "home" / "data" / "claude-mem.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else entirely, and longer than a header of a hundred bytes" * 20)
    with pytest.raises(DamagedError, match="damaged or no database") as caught:
        getattr(Database, way)(path)
    assert caught.value.hint.startswith("claude-mem watch --background")
    assert path.read_bytes().startswith(b"something else")


def test_an_empty_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "claude-mem.db"
    path.touch()
    with pytest.raises(DamagedError, match="the file is empty"):
        Database.existing(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id)")
    with pytest.raises(DatabaseError, match="holds no memory"):
        Database.existing(path)


def test_the_head_is_the_one_that_alembic_finds(database: Database) -> None:
    with database.read() as connection:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    assert found == ScriptDirectory(str(resources.migrations())).get_current_head()
    assert database.schema_is_ours()


@pytest.mark.parametrize("way", ["create", "existing"])
def test_an_older_schema_is_brought_up_with_all_that_is_in_it(tmp_path: Path, way: str) -> None:
    path = old_schema(tmp_path / "home" / "data" / "claude-mem.db")
    before = dump(path)
    assert not Database(path).schema_is_ours()
    opened = getattr(Database, way)(path)
    assert opened.schema_is_ours()
    with opened.read() as connection:
        assert differences(connection) == []
    opened.close()
    after = dump(path)
    assert before.pop("alembic_version") != after.pop("alembic_version")
    # What a migration adds to a table stands behind what was there.
    assert before == {name: [row[: len(before[name][0])] for row in rows] for name, rows in after.items()}
    assert set(after) == {"contexts", "sdk_sessions", "user_prompts"}


def test_an_older_checkpoint_says_since_when_its_transcript_was_read(tmp_path: Path) -> None:
    path = old_schema(tmp_path / "home" / "data" / "claude-mem.db", "0005")
    hour = 3_600_000
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            'INSERT INTO checkpoints (path, session_id, file_id, "offset", head_length, head_hash, marker_hash, '
            "updated_at_epoch) VALUES ('/t', 's', '', 1, 1, '', '', 1)"
        )
        for started in (5 * hour, 3 * hour):
            connection.execute(
                "INSERT INTO watchers (pid, version, started_at_epoch, heartbeat_at_epoch) VALUES (1, '', ?, 0)",
                (started,),
            )
        connection.commit()
    Database.create(path).close()
    assert dump(path)["checkpoints"][0][-1] == 2 * hour


def test_a_running_version_sees_that_a_newer_one_has_taken_over(database: Database) -> None:
    assert database.schema_is_ours()
    newer = sqlite3.connect(database.path)
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    assert database.schema_is_ours()  # not committed yet
    newer.commit()
    assert not database.schema_is_ours()
    newer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_migration_that_is_killed_leaves_the_old_schema_whole(tmp_path: Path) -> None:
    path = old_schema(tmp_path / "home" / "data" / "claude-mem.db")
    before = dump(path)
    killed_before_the_commit = (
        "import os, signal, sys; from pathlib import Path; from sqlalchemy import Engine, event\n"
        "from watcher.memory.database import Database\n"
        "event.listen(Engine, 'commit', lambda _: os.kill(os.getpid(), signal.SIGKILL))\n"
        "Database.create(Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", killed_before_the_commit, str(path)], check=False)
    assert done.returncode == -9
    assert dump(path) == before
    Database.create(path).close()
    assert dump(path)["contexts"] == [("/p", "kept", 1)]


@pytest.fixture
def holder(database: Database) -> Iterator[sqlite3.Connection]:
    """Another process's connection, as far as SQLite can tell."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        yield connection


def put(database: Database, text: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("INSERT OR REPLACE INTO contexts VALUES ('/p', ?, 0)", (text,))


def test_a_lock_that_lasts_is_told_from_other_faults(database: Database, holder: sqlite3.Connection) -> None:
    hasty = Database(database.path, busy_timeout=0.05)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusyError, match="locked by another process") as caught:
        put(hasty, "new")
    assert "again" in caught.value.hint
    holder.execute("ROLLBACK")
    put(hasty, "new")
    hasty.close()


def test_a_full_disk_is_told_from_other_faults(database: Database) -> None:
    put(database, "before")
    with database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DatabaseFullError, match="disk is full") as caught:
        put(database, "x" * 100_000)
    assert f"disk of {database.path.parent}" in caught.value.hint
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT text FROM contexts").scalar_one() == "before"
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    put(database, "x" * 100_000)


def test_read_only_is_told_from_other_faults(database: Database) -> None:
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(DatabaseReadOnlyError, match="read-only") as caught:
        put(database, "new")
    assert "writable" in caught.value.hint
    put(database, "new")  # a connection that could not write is not used again


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseReadOnlyError, match="cannot be opened"):
        Database.create(tmp_path / "file" / "data" / "claude-mem.db")


def test_a_damaged_page_is_told_from_other_faults(database: Database) -> None:
    put(database, "x" * 100_000)
    database.close()
    with database.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096) * (database.path.stat().st_size // 4096 - 1))
    with pytest.raises(DamagedError, match="damaged"):
        put(database, "new")


def test_damage_is_seen_behind_what_was_read_before(database: Database) -> None:
    with closing(sqlite3.connect(database.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.read() as connection:
        connection.exec_driver_sql("SELECT * FROM alembic_version").all()
    with database.path.open("r+b") as file:
        file.write(b"no database at all")
    with pytest.raises(DamagedError):
        database.schema_is_ours()


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
        except DatabaseBusyError as error:
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
