"""Owns what becomes of a damaged database: its files are put aside, and what can still be read of them is saved.

A session is saved whole, or read anew from its transcript: prompts that came in after those that followed them would
be numbered behind them. Only where that transcript is gone is what is left of a session better than nothing.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import JSON, Connection, delete, func, select

from watcher.memory import retention
from watcher.memory.database import insert
from watcher.memory.faults import DatabaseBusyError, of_files
from watcher.memory.models import (
    AgentRequest,
    Base,
    Context,
    Forgotten,
    Observation,
    ProjectFolder,
    ProjectIdentity,
    ProjectName,
    SdkSession,
    SessionSummary,
    ToolUse,
    UserPrompt,
    Watcher,
)
from watcher.privacy.redaction import clean

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be moved anyway
    fcntl = None  # type: ignore[assignment]

IN_USE_WAIT = 5.0  # seconds for others to let go of the file
# The bytes on which every connection that is open holds a lock: https://www.sqlite.org/src/file/src/os.h
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
_COUNTED = ((UserPrompt, "prompt_count"), (ToolUse, "tool_use_count"), (Observation, "observation_count"))
_Values = dict[str, object]


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved."""

    sessions: int
    observations: int
    summaries: int


def put_aside(path: Path, folder: Path) -> None:
    """Move the files of a database into a folder. The caller has no connection to it open.

    Raises:
        DatabaseBusyError: another process has, and would go on in files that are the next one's.
        DatabaseError: they cannot be moved.
    """
    with of_files(path), path.open("r+b") as file:
        deadline = time.monotonic() + IN_USE_WAIT
        while not _is_ours_alone(file.fileno()):
            if time.monotonic() >= deadline:
                raise DatabaseBusyError(f"{path} is damaged, and in use", hint="end what uses it, then try again")
            time.sleep(0.05)
        path.rename(folder / path.name)
    put_rest_aside(path, folder)


def put_rest_aside(path: Path, folder: Path) -> None:
    """Move what belongs to a database that is put aside: without its log it would be damaged all the more.

    Left beside the next database, the log would be taken for that one's.
    """
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        with of_files(path), suppress(FileNotFoundError):
            path.with_name(name).rename(folder / name)


def save(old: Path, connection: Connection, has_transcript: Callable[[str], bool], *, now: int) -> Saved:
    """Bring what can be read of a damaged database into a new one, each row once.

    `has_transcript` says of a session's transcript whether it is still there.
    """
    begun: object = None
    with closing(sqlite3.connect(f"{old.as_uri()}?mode=ro", uri=True)) as source:
        source.text_factory = bytes
        for table in (
            Forgotten,
            ProjectFolder,
            ProjectIdentity,
            ProjectName,
            Context,
            SdkSession,
            UserPrompt,
            ToolUse,
            Observation,
            SessionSummary,
            AgentRequest,
        ):
            for values in _rows(source, table):
                _put(connection, table, values)
        begun = min((row["started_at_epoch"] for row in _rows(source, Watcher)), default=None)  # type: ignore[type-var]
        with suppress(sqlite3.Error):
            (minutes,) = source.execute("PRAGMA user_version").fetchone()
            retention.raise_horizon(connection, min(minutes * retention.MINUTE, now))
    _drop_incomplete(connection, has_transcript)
    _begin(connection, begun)
    sessions, observations, summaries = (
        connection.scalar(select(func.count()).select_from(table)) or 0
        for table in (SdkSession, Observation, SessionSummary)
    )
    return Saved(sessions, observations, summaries)


def _is_ours_alone(descriptor: int) -> bool:
    """Say whether no other process has the database open; if so, none opens it until this file is closed."""
    if fcntl is not None:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError:
            return False
    return True


def _rows(source: sqlite3.Connection, table: type[Base]) -> Iterator[_Values]:
    """Return the rows of a table that are whole: those before the first damaged page, and those behind the last."""
    seen = 0
    for order in ("ASC", "DESC"):
        query = f"SELECT rowid, * FROM {table.__tablename__} WHERE rowid > ? ORDER BY rowid {order}"  # noqa: S608
        with suppress(sqlite3.Error):
            cursor = source.execute(query, (seen,))
            names = [column[0] for column in cursor.description]
            for rowid, *row in cursor:
                seen = rowid if order == "ASC" else seen
                with suppress(ValueError):  # no text, or no JSON, where there must be one
                    yield _decoded(table, dict(zip(names[1:], row, strict=True)))
            return


def _decoded(table: type[Base], row: _Values) -> _Values:
    """Return a row as it is to be stored: the columns that both schemas have, and a new id."""
    columns = {column.name: column for column in table.__table__.columns if column.name != "id"}
    values = {name: row[name] for name in columns if name in row}
    values = {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
    for name, value in values.items():
        if isinstance(columns[name].type, JSON):
            values[name] = json.dumps(_without_secrets(json.loads(str(value))), ensure_ascii=False)
        elif isinstance(value, str):
            values[name] = clean(value)
    return values


def _without_secrets(value: object) -> object:
    """Return what a column of JSON holds, a list of texts or nothing, as it is stored now."""
    return [clean(str(one)) for one in value] if isinstance(value, list) else value


def _put(connection: Connection, table: type[Base], values: _Values) -> None:
    """Store a row, unless it is there already, or a value or the session that it needs is not."""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    has_parent = "session_id" in values and table not in (SdkSession, AgentRequest)
    needs = "EXISTS (SELECT 1 FROM sdk_sessions WHERE session_id = :session_id)" if has_parent else "1"
    statement = f"INSERT OR IGNORE INTO {table.__tablename__} ({names}) SELECT {marks} WHERE {needs}"
    connection.exec_driver_sql(statement, values)


def _drop_incomplete(connection: Connection, has_transcript: Callable[[str], bool]) -> None:
    """Drop the sessions of which rows are missing and whose transcript is there to be read anew."""
    found: dict[str, dict[str, int]] = {counter: {} for _, counter in _COUNTED}
    for table, counter in _COUNTED:
        for session_id, number in connection.execute(select(table.session_id, func.count()).group_by(table.session_id)):
            found[counter][session_id] = number
    for row in connection.execute(select(SdkSession.__table__)).all():
        is_whole = all(counts.get(row.session_id, 0) == getattr(row, counter) for counter, counts in found.items())
        if not is_whole and row.transcript_path and has_transcript(row.transcript_path):
            connection.execute(delete(SdkSession).where(SdkSession.session_id == row.session_id))


def _begin(connection: Connection, begun: object) -> None:
    """Say since when there is a memory: as the old one knew, else since its first prompt, else since ever."""
    if not isinstance(begun, int):
        begun = connection.scalar(select(func.min(UserPrompt.created_at_epoch))) or 0
    times = dict.fromkeys(("started_at_epoch", "heartbeat_at_epoch", "stopped_at_epoch"), begun)
    # Its id makes it older than the run that saves.
    run = insert(Watcher).values(id=0, pid=0, version="", stop_reason="damaged", **times)
    connection.execute(run.on_conflict_do_nothing())
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO contexts (project, text, rendered_at_epoch) "
        "SELECT DISTINCT project, '', 0 FROM session_summaries"
    )
