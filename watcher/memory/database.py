"""Owns the database file: opening it, its pragmas, its transactions and its schema.

What only SQLite can do stays here and in the hooks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, ColumnElement, Connection, create_engine, event, func
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import InstrumentedAttribute

from watcher import resources, system
from watcher.errors import ClaudeMemError

__all__ = ["Database", "DatabaseError", "greatest", "insert", "iso"]

BUSY_TIMEOUT = 10_000  # milliseconds a statement waits for another process's transaction


class DatabaseError(ClaudeMemError):
    """The database cannot be used as it is."""


class Database:
    """One SQLite file in WAL mode, opened by many processes at once.

    Writers take the write lock when they begin: one that reads first and then writes fails at once, whatever the
    busy timeout, when another has written in between. So decode and ask agents outside, and write briefly.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine(URL.create("sqlite", database=str(path)))
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)

    @classmethod
    def create(cls, path: Path) -> Database:
        """Open the database for writing, made and brought to this version's schema where needed."""
        system.make_private_folder(path.parent.parent)
        system.make_private_folder(path.parent)
        # SQLite gives its -wal and -shm files the mode of the database file.
        system.make_private_file(path)
        database = cls(path)
        database.migrate()
        return database

    @classmethod
    def existing(cls, path: Path) -> Database:
        """Open a database that must be there.

        Raises:
            DatabaseError: there is none.
        """
        if not path.is_file() or path.stat().st_size == 0:
            raise DatabaseError(f"no memory yet: {path} does not exist", hint="claude-mem install")
        return cls(path)

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

    def migrate(self) -> None:
        """Bring the schema to this version's.

        Raises:
            DatabaseError: a newer version of the program has been here.
        """
        from alembic import command  # here: a tenth of a second that only this needs
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(resources.migrations()).replace("%", "%%"))
        with self.write() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise DatabaseError(
                    f"{self.path} was written by a newer claude-mem ({error})",
                    hint="upgrade claude-mem, or point CLAUDE_MEM_HOME at another folder",
                ) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the driver's complaints about the file itself into errors that say what to do."""
        try:
            yield
        except OperationalError as error:
            if "no such table" in str(error.orig):
                raise DatabaseError(f"{self.path} holds no memory: {error.orig}", hint="claude-mem install") from error
            raise
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.DatabaseError) and "not a database" in str(error.orig):
                raise DatabaseError(
                    f"{self.path} is damaged or no database",
                    hint=f"move {self.path} away; transcripts are kept",
                ) from error
            raise


def iso(epoch: int) -> str:
    """Return milliseconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(epoch / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def greatest(column: InstrumentedAttribute[int], value: int) -> ColumnElement[int]:
    """Return the greater of two numbers, as SQLite spells it."""
    return func.max(column, value)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # Transactions begin in `_begin`, not where the driver guesses.
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
