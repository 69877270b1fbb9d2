"""Owns the database file: opening it, its pragmas and its transactions.

What only SQLite can do stays here and in the hooks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import JSON, URL, ColumnElement, Connection, bindparam, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import InstrumentedAttribute

from watcher import permissions
from watcher.memory import schema
from watcher.memory.faults import (
    DamagedError,
    DatabaseBusyError,
    DatabaseError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    check_there,
    of_driver,
    of_files,
)

__all__ = [
    "DamagedError",
    "Database",
    "DatabaseBusyError",
    "DatabaseError",
    "DatabaseFullError",
    "DatabaseReadOnlyError",
    "among",
    "as_json",
    "driver",
    "greatest",
    "insert",
    "iso",
    "least",
]

LOG_PAGES = 4000  # pages in the -wal file (16 MB) before a commit copies them back, which waits for the disk
BUSY_TIMEOUT = 10.0  # seconds a statement waits for another process's transaction


class Database:
    """One SQLite file in WAL mode, opened by many processes at once.

    Writers take the write lock when they begin: one that reads first and then writes fails at once, whatever the
    busy timeout, when another has written in between. So decode and ask agents outside, and write briefly.
    """

    def __init__(self, path: Path, busy_timeout: float | None = None) -> None:
        """Seconds in `busy_timeout`: `BUSY_TIMEOUT` unless told."""
        self.path = path
        self._busy_timeout = BUSY_TIMEOUT if busy_timeout is None else busy_timeout
        url = URL.create("sqlite", database=str(path))
        # An error goes to a log, and must not tell of the row that it was about.
        self._engine = create_engine(url, json_serializer=as_json, hide_parameters=True)
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin)

    @classmethod
    def create(cls, path: Path, busy_timeout: float | None = None) -> Database:
        """Open the database for writing, made and brought to this version's schema where needed.

        Raises:
            DatabaseError: it cannot be, or a newer version of the program has been here.
            OpenToOthersError: others could write where it lies.
        """
        permissions.check(path.parent.parent)
        with of_files(path):
            permissions.make_private_folder(path.parent.parent)
            permissions.make_private_folder(path.parent)
            # SQLite gives its -wal and -shm files the mode of the database file.
            permissions.make_private_file(path)
        permissions.close(path.parent.parent)
        database = cls(path, busy_timeout)
        with database.read() as connection:
            is_current = schema.is_there(connection) and schema.is_ours(connection)
        if not is_current:
            database.migrate()
        return database

    @classmethod
    def existing(cls, path: Path, busy_timeout: float | None = None) -> Database:
        """Open a database that must be there, brought to this version's schema where it is of an older one.

        Raises:
            DatabaseError: there is none, or it cannot be used.
        """
        check_there(path)
        database = cls(path, busy_timeout)
        if not database.schema_is_ours():
            database.migrate()
        return database

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give one transaction that holds the write lock from its start; committed unless an error leaves it."""
        with (
            self._told(),
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give one transaction that sees one state of the database throughout."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()

    def schema_is_ours(self) -> bool:
        """Say whether the schema is this version's: another version's may have been made of it in the meantime.

        Looks into the file itself: what the connections at hand have read before may hide for long that it is damaged.

        Raises:
            DatabaseError: it cannot be told.
        """
        fresh = Database(self.path, self._busy_timeout)
        try:
            with fresh.read() as connection:
                return schema.is_ours(connection)
        finally:
            fresh.close()

    def migrate(self) -> None:
        """Bring the schema to this version's.

        Raises:
            DatabaseError: a newer version of the program has been here.
        """
        with self.write() as connection:
            schema.bring_up_to_date(connection, self.path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with of_driver(self.path):
                yield
        except DatabaseBusyError:
            raise
        except DatabaseError:
            # A connection that was opened while the file could not be written would never write again.
            self._engine.dispose()
            raise

    def _prepare(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # Transactions begin in `_begin`, not where the driver guesses.
        connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout * 1000)}")
        # A new file is to be able to give free pages back; later it takes this no more, and waits for the write lock.
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted, or cut short, is overwritten


def as_json(value: object) -> str:
    """Return a value as it is stored in a JSON column."""
    return orjson.dumps(value).decode()


def driver(connection: Connection) -> sqlite3.Connection:
    """Return the connection that lies beneath one of SQLAlchemy's, in the same transaction: some rooms do without."""
    beneath = connection.connection.driver_connection
    assert isinstance(beneath, sqlite3.Connection)  # noqa: S101 - for the type checker
    return beneath


def iso(epoch: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(epoch / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def among(column: InstrumentedAttribute[Any], name: str) -> ColumnElement[bool]:
    """Say whether a column holds one of the texts of a list of any length: the statement's parameter of that name."""
    each = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
    return column.in_(select(each.c.value))


def least(column: InstrumentedAttribute[int], value: int) -> ColumnElement[int]:
    """Return the smaller of two numbers, as SQLite spells it."""
    return func.min(column, value)


def greatest(column: InstrumentedAttribute[int], value: int | ColumnElement[int]) -> ColumnElement[int]:
    """Return the greater of two numbers, as SQLite spells it."""
    return func.max(column, value)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
