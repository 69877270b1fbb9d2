"""Owns what a look at the memory's health asks of it, changing nothing: the file, its schema, what is late or lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from watcher.memory import lookup, search_index, versions
from watcher.memory.database import driver
from watcher.memory.faults import of_driver
from watcher.memory.models import BrokenLine, Checkpoint, Delivery, Flag, SdkSession, ToolUse, ToolUseStatus, Watcher
from watcher.memory.sessions import IMPORTED

_STEPS = 10_000  # of SQLite's machine between two looks at the clock


class Schema(Enum):
    """Whose tables a database holds."""

    OURS = auto()
    OLDER = auto()  # the next watcher brings it up to this version's
    NEWER = auto()
    NONE = auto()  # no tables of claude-mem at all


@dataclass(frozen=True, slots=True)
class FlagState:
    """One flag, and what became of it."""

    kind: str
    raised_at: int  # epoch, as all times here
    lowered_at: int | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Raised:
    """The flags that wait to be lowered."""

    number: int
    oldest: int | None  # epoch


@dataclass(frozen=True, slots=True)
class BrokenPlace:
    """Where a line stands that is no entry."""

    path: str
    offset: int  # bytes
    reason: str


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    """Open a database for looking alone: nothing is written to it. Its locks are kept to, for a writer may be at work.

    Raises:
        DatabaseError: it is missing, damaged, locked, or may not be read.
    """
    engine = create_engine("sqlite://", creator=lambda: lookup.connect(path, lookup.SHORT_TIMEOUT), poolclass=NullPool)
    with of_driver(path), engine.connect() as connection:
        yield connection


def has_log(connection: Connection) -> bool:
    """Say whether a database keeps a write-ahead log, without which readers and the writer wait for each other."""
    return connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def problems(connection: Connection, seconds: float) -> list[str] | None:
    """Return what SQLite finds wrong with its file; None where that takes longer than it may.

    The search index is left out: whatever is wrong with that, nothing is lost.
    """
    sqlite = driver(connection)
    deadline = time.monotonic() + seconds
    sqlite.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        found = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
    except DBAPIError as error:
        if "interrupted" in str(error.orig):
            return None
        raise
    finally:
        sqlite.set_progress_handler(None, 0)
    lines = [line for problem in found for line in str(problem).splitlines()]
    return [line for line in lines if not _is_harmless(line)]


def _is_harmless(line: str) -> bool:
    """Say whether what SQLite says of its file is nothing wrong: some versions look into the search index too."""
    return line == "ok" or line.startswith("***") or f"FTS5 table main.{search_index.NAME}" in line


def schema(connection: Connection) -> Schema:
    """Say whose schema the database has."""
    tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
    if "alembic_version" not in tables:
        return Schema.NONE
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if version == versions.head():
        return Schema.OURS
    return Schema.OLDER if version in versions.known() else Schema.NEWER if version else Schema.NONE


def last_flag(connection: Connection) -> FlagState | None:
    """Return the flag that was raised last."""
    newest = select(Flag.__table__).order_by(Flag.raised_at_epoch.desc(), Flag.id.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return FlagState(row.kind, row.raised_at_epoch, row.lowered_at_epoch, row.outcome or "") if row else None


def raised(connection: Connection) -> Raised:
    """Return how many flags wait, and since when."""
    number, oldest = connection.execute(
        select(func.count(), func.min(Flag.raised_at_epoch)).where(Flag.lowered_at_epoch.is_(None))
    ).one()
    return Raised(number, oldest)


def last_hook(connection: Connection) -> int | None:
    """Return when a hook last wrote into the memory."""
    times = [
        connection.scalar(select(func.max(Flag.raised_at_epoch)).where(Flag.project != "")),
        connection.scalar(select(func.max(Delivery.delivered_at_epoch))),
    ]
    return max((moment for moment in times if moment is not None), default=None)


def broken_lines(connection: Connection, most: int) -> list[BrokenPlace]:
    """Return the newest lines that are no entries."""
    rows = connection.execute(select(BrokenLine.__table__).order_by(BrokenLine.id.desc()).limit(most))
    return [BrokenPlace(row.path, row.offset, row.reason) for row in rows]


def waiting(connection: Connection, before: int) -> int:
    """Count the tool uses that wait for the agent since before some time (epoch).

    They were begun before it; what was imported since has not waited since it was begun.
    """
    came_in = (
        select(Checkpoint.session_id)
        .join(SdkSession, SdkSession.session_id == Checkpoint.session_id)
        .where(Checkpoint.updated_at_epoch >= before, SdkSession.end_reason == IMPORTED)
    )
    is_late = (
        ToolUse.status == ToolUseStatus.PENDING,
        ToolUse.created_at_epoch < before,
        ToolUse.session_id.not_in(came_in),
    )
    return connection.scalar(select(func.count()).select_from(ToolUse).where(*is_late)) or 0


def last_end(connection: Connection) -> str:
    """Return why the last watcher ended; empty where it did not say, or still runs."""
    return connection.scalar(select(Watcher.stop_reason).order_by(Watcher.id.desc()).limit(1)) or ""
