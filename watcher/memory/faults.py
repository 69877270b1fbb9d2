"""Owns what can be wrong with the database file: which errors tell it apart, and what to do about each."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watcher.errors import ClaudeMemError


class DatabaseError(ClaudeMemError):
    """The database cannot be used as it is."""


class DatabaseBusyError(DatabaseError):
    """Another process holds it for longer than we wait; that passes."""


class DatabaseFullError(DatabaseError):
    """What was to be stored found no room, or the disk fails."""


class DatabaseReadOnlyError(DatabaseError):
    """It cannot be opened, or not be written."""


class DamagedError(DatabaseError):
    """What the file holds is no database, or not any more."""


_BUSY = (DatabaseBusyError, "is locked by another process", "try again in a moment")
_FULL = (DatabaseFullError, "cannot be written: the disk is full", "make room on the disk of {folder}")
_FAILS = (DatabaseFullError, "cannot be read or written: the disk is full, or fails", "look at the disk of {folder}")
_CLOSED = (DatabaseReadOnlyError, "cannot be opened", "look at the permissions and at the disk of {folder}")
_READ_ONLY = (DatabaseReadOnlyError, "cannot be written: it is read-only", "make {folder} and what is in it writable")
_DAMAGED = (
    DamagedError,
    "is damaged or no database",
    "claude-mem watch --background (it is put aside, and the memory rebuilt from the transcripts)",
)
# What FTS5 says of its own tables; no other constraint of ours is without a name. A watcher makes the index anew.
_OF_INDEX = (sqlite3.SQLITE_CORRUPT_VTAB, sqlite3.SQLITE_CONSTRAINT)
_INDEX = (DamagedError, "has a damaged search index", "claude-mem search --rebuild")
_BY_RESULT = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FAILS,
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _FAILS,
}


def damaged(path: Path, said: str) -> DatabaseError:
    """Return the error that says that a database is damaged."""
    return _fault(path, _DAMAGED, said)


def check_there(path: Path) -> None:
    """Make sure that there is a database to be opened.

    Raises:
        DatabaseError: there is none, or an empty file.
    """
    with of_files(path):
        size = path.stat().st_size if path.is_file() else None
    if size is None:
        raise DatabaseError(f"no memory yet: {path} does not exist", hint="claude-mem install")
    if size == 0:
        raise damaged(path, "the file is empty")


@contextmanager
def of_driver(path: Path) -> Iterator[None]:
    """Turn the driver's complaints about the file itself into errors that say what to do."""
    try:
        yield
    except Exception as error:
        # SQLAlchemy hands it on in an error of its own, and need not be imported for that.
        cause = getattr(error, "orig", error)
        if not isinstance(cause, sqlite3.Error):
            raise
        said = str(cause)
        if "no such table" in said:
            raise DatabaseError(f"{path} holds no memory: {said}", hint="claude-mem install") from error
        if "no such module" in said:
            hint = "install claude-mem with another Python, whose SQLite can search texts (FTS5)"
            raise DatabaseError(f"{path} is more than this Python's SQLite can do: {said}", hint=hint) from error
        code = getattr(cause, "sqlite_errorcode", 0)
        # The low byte is the kind, the rest its circumstances.
        known = _INDEX if code in _OF_INDEX else _BY_RESULT.get(code & 0xFF)
        if known is None:
            raise  # A statement of ours is wrong; the file is not.
        raise _fault(path, known, said) from error


@contextmanager
def of_files(path: Path) -> Iterator[None]:
    """Turn the file system's complaints into errors that say what to do."""
    try:
        yield
    except OSError as error:
        known = _BY_ERRNO.get(error.errno or 0, _CLOSED)
        raise _fault(path, known, error.strerror or str(error)) from error


def _fault(path: Path, known: tuple[type[DatabaseError], str, str], said: str) -> DatabaseError:
    kind, what, hint = known
    return kind(f"{path} {what} ({said})", hint=hint.format(folder=path.parent))
