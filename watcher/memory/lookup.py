"""Owns looking into the memory with the standard library's sqlite3 alone, and changing nothing.

For commands that somebody waits for: SQLAlchemy takes three times as long to import as they have in all. What they ask
stands here, in `figures` and in `search`, which are given the connection. A later PostgreSQL would have these and
`search_index` written anew; all else asks through SQLAlchemy.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from watcher.memory import versions
from watcher.memory.faults import DatabaseError, check_there, of_driver

# By itself, else by the repository that it lies in.
_PROJECT = """
SELECT project FROM project_folders
WHERE folder = :folder OR (
    folder = project AND substr(:folder, 1, length(folder) + 1) IN (folder || '/', folder || char(92))
    AND EXISTS (SELECT 1 FROM project_identities WHERE project = project_folders.project)
)
ORDER BY length(folder) DESC LIMIT 1
"""
_IS_KNOWN = "SELECT {}".format(
    " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE project = :project)"  # noqa: S608 - words of ours
        for table in ("sdk_sessions", "project_folders", "flags")
    )
)
BUSY_TIMEOUT = 5.0  # seconds to wait for another process that keeps the whole database for itself
SHORT_TIMEOUT = 1.0  # seconds to, where that it does is worth telling


class WatcherRun(NamedTuple):
    """One run of the watcher."""

    pid: int
    version: str
    started_at: int  # epoch
    heartbeat_at: int  # epoch
    stopped_at: int | None


class CurrentCondition(NamedTuple):
    """One thing that is wrong."""

    name: str
    state: str
    text: str
    hint: str
    since: int  # epoch
    until: int | None  # epoch


@contextmanager
def opened(path: Path, busy_timeout: float = BUSY_TIMEOUT) -> Iterator[sqlite3.Connection]:
    """Give a memory of this version's schema, in one state throughout; `busy_timeout` is in seconds.

    Raises:
        DatabaseError: it is missing, damaged, locked, of another version, or may not be read.
    """
    with of_driver(path), closing(connect(path, busy_timeout)) as connection:
        connection.execute("BEGIN")
        _check_schema(connection, path)
        yield connection


def connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Open a database whose locks are kept to, for a writer may be at work; nothing can be written to it.

    Raises:
        DatabaseError: there is none.
        sqlite3.Error: it cannot be opened.
    """
    check_there(path)
    uri = f"{path.as_uri()}?mode=ro"
    # A reader needs the files of the write-ahead log, and makes them; where it may not, nobody writes either.
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        uri += "&immutable=1"
    return sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None)


def last_run(connection: sqlite3.Connection) -> WatcherRun | None:
    """Return the newest run of a watcher."""
    row = connection.execute(
        "SELECT pid, version, started_at_epoch, heartbeat_at_epoch, stopped_at_epoch "
        "FROM watchers ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return WatcherRun(*row) if row else None


def conditions(connection: sqlite3.Connection) -> list[CurrentCondition]:
    """Return what is wrong, the longest first."""
    rows = connection.execute(
        "SELECT name, state, text, hint, since_epoch, until_epoch FROM conditions ORDER BY since_epoch, name"
    )
    return [CurrentCondition(*row) for row in rows]


def project_of(connection: sqlite3.Connection, folder: str) -> str:
    """Return the project that a folder belongs to, as far as is known; else the folder itself."""
    row = connection.execute(_PROJECT, {"folder": folder}).fetchone()
    return str(row[0]) if row else folder


def is_known(connection: sqlite3.Connection, project: str) -> bool:
    """Say whether anything is known of a project: a session, one of its folders, or a flag that is still to be read."""
    return bool(connection.execute(_IS_KNOWN, {"project": project}).fetchone()[0])


def names(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the names that users gave to projects, by project."""
    return dict(connection.execute("SELECT project, name FROM project_names"))


def name_of(project: str, given: Mapping[str, str]) -> str:
    """Return what a project is shown as: the name that was `given` to it, else the last part of its folder's path."""
    return given.get(project) or project.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or project


def context(connection: sqlite3.Connection, project: str) -> str:
    """Return what the next session of a project will read; empty where there is nothing."""
    row = connection.execute("SELECT text FROM contexts WHERE project = ?", (project,)).fetchone()
    return str(row[0]) if row else ""


def projects(connection: sqlite3.Connection) -> list[str]:
    """Return the projects that have a context, the last rendered first."""
    return [
        project for (project,) in connection.execute("SELECT project FROM contexts ORDER BY rendered_at_epoch DESC")
    ]


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that the tables are those of this version.

    Raises:
        DatabaseError: they are not.
    """
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row == (versions.head(),):
        return
    if row is None:
        raise DatabaseError(f"{path} holds no memory: it says no version", hint="claude-mem install")
    if row[0] in versions.known():
        raise DatabaseError(
            f"{path} is of an older claude-mem", hint="claude-mem watch --background (it brings it up to date)"
        )
    raise DatabaseError(
        f"{path} was written by a newer claude-mem",
        hint="upgrade claude-mem, or point CLAUDE_MEM_HOME at another folder",
    )
