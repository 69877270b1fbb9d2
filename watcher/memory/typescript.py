"""Owns reading the database of the TypeScript claude-mem, of any version since there are sessions in it.

Columns were added and renamed over forty versions of its schema, so each query asks for those that are there: a session
was `claude_session_id` and is `content_session_id`, what its agent wrote stands under `sdk_session_id` or
`memory_session_id`, prompts and the folder that a tool was used in came late. Nothing is written to it, and its
locks are kept to: it may be in use.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from watcher.errors import ClaudeMemError, UsageError
from watcher.memory.outcomes import SummaryFields

BUSY_TIMEOUT = 5.0  # seconds to wait for its own worker
SECONDS_UNTIL = 100_000_000_000  # a time below it was written in seconds
OBSERVERS = "observer-sessions"  # the project of its own agent's sessions, where it took itself for a user
_HINT = "--claude-mem-db takes what the TypeScript claude-mem wrote: ~/.claude-mem/claude-mem.db"
_SESSION_ID = ("content_session_id", "claude_session_id")
_MEMORY_ID = ("memory_session_id", "sdk_session_id")
_TABLES = (
    "sdk_sessions",
    "user_prompts",
    "observations",
    "session_summaries",
    "tool_uses",
    "pending_messages",
    "alembic_version",
)
_TITLE = 120  # characters of a title that is made of a text
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TheirPrompt:
    """One prompt."""

    number: int
    text: str
    at: int  # epoch, as all times here


@dataclass(frozen=True, slots=True)
class TheirObservation:
    """One observation."""

    number: int | None  # of its prompt, where that was written down
    type: str
    title: str
    subtitle: str
    narrative: str
    facts: tuple[str, ...]
    concepts: tuple[str, ...]
    files_read: tuple[str, ...]
    files_modified: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class TheirSummary:
    """One summary."""

    number: int | None
    fields: SummaryFields
    at: int


@dataclass(frozen=True, slots=True)
class TheirSession:
    """One session, with all that is kept of it."""

    session_id: str  # Claude Code's
    project: str  # the last part of its folder's path
    title: str
    started_at: int
    completed_at: int  # 0 where it never was
    prompts: tuple[TheirPrompt, ...]
    observations: tuple[TheirObservation, ...]
    summaries: tuple[TheirSummary, ...]

    @property
    def last_at(self) -> int:
        """The time of the last thing known of it."""
        rows: Sequence[TheirPrompt | TheirObservation | TheirSummary] = (
            *self.prompts,
            *self.observations,
            *self.summaries,
        )
        return max([self.started_at, *(row.at for row in rows)])


@contextmanager
def opened(path: Path) -> Iterator[TypeScriptMemory]:
    """Give such a database, in one state throughout.

    Raises:
        UsageError: it is not there, or is another database.
        ClaudeMemError: it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"no database at {path}", hint=_HINT)
    try:
        with closing(_connect(path)) as connection:
            connection.execute("BEGIN")
            memory = TypeScriptMemory(connection)
            if not memory.is_one():
                raise UsageError(f"{path} is no database of the TypeScript claude-mem", hint=_HINT)
            yield memory
    except sqlite3.Error as error:
        raise ClaudeMemError(f"cannot read {path}: {error}", hint=_HINT) from error


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    # A reader needs the files of the write-ahead log, and makes them; where it may not, nobody writes either.
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        uri += "&immutable=1"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


class TypeScriptMemory:
    """The database, as far as its version goes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._columns = {
            table: {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")} for table in _TABLES
        }

    def is_one(self) -> bool:
        """Say whether it is such a database: this program's own has a table of that name too."""
        return bool(self._named("sdk_sessions", _SESSION_ID)) and not self._columns["alembic_version"]

    def session_ids(self) -> list[str]:
        """Return the sessions' ids, oldest first."""
        return [str(row["session_id"]) for row in self._sessions()]

    def folders(self) -> Iterator[tuple[str, str, str]]:
        """Yield where tools were used: session, project, folder, each once; younger versions wrote it down."""
        for table in ("tool_uses", "pending_messages"):
            wanted = {"session_id": _SESSION_ID, "project": ("project",), "cwd": ("cwd",)}
            if self._named(table, ("cwd",)):
                for row in self._rows(table, wanted, order="id", distinct=True):
                    if row["session_id"] and row["cwd"]:
                        yield _text(row["session_id"]), _text(row["project"]), _text(row["cwd"])

    def sessions(self) -> Iterator[TheirSession]:
        """Yield every session, the oldest first, then what stands under no session that is there."""
        for row in self._sessions():
            yield self._session(row)
        for memory_id in self._orphans():
            yield self._session({"session_id": memory_id, "memory_id": memory_id})

    def _sessions(self) -> list[_Row]:
        wanted = {
            "session_id": _SESSION_ID,
            "memory_id": _MEMORY_ID,
            **{name: (name,) for name in ("project", "custom_title", "user_prompt", "started_at", "completed_at")},
            **{name: (name,) for name in ("started_at_epoch", "completed_at_epoch")},
        }
        rows = self._rows("sdk_sessions", wanted, order="id")
        rows = [row for row in rows if row["session_id"] and row["project"] != OBSERVERS]
        return sorted(rows, key=lambda row: _time(row, "started_at"))

    def _orphans(self) -> list[str]:
        """Return the ids under which something was written although their sessions are gone."""
        known = {row["memory_id"] for row in self._rows("sdk_sessions", {"memory_id": _MEMORY_ID}, order="id")}
        found: dict[str, None] = {}
        for table in ("observations", "session_summaries"):
            wanted = {"memory_id": _MEMORY_ID, "project": ("project",)}
            rows = self._rows(table, wanted, order="id", distinct=True) if self._named(table, _MEMORY_ID) else []
            ids = (row["memory_id"] for row in rows if row["project"] != OBSERVERS)
            found |= dict.fromkeys(_text(one) for one in ids if one and one not in known)
        return list(found)

    def _session(self, row: _Row) -> TheirSession:
        of_memory = (_MEMORY_ID, row["memory_id"])
        observed = self._of("observations", of_memory)
        summarised = self._of("session_summaries", of_memory)
        times = [_time(one, "created_at") for one in (*observed, *summarised)]
        started_at = _time(row, "started_at") or min(times, default=0)
        prompts = [
            TheirPrompt(_number(one) or 0, text, _time(one, "created_at") or started_at)
            for one in self._of("user_prompts", (_SESSION_ID, row["session_id"]))
            if (text := _text(one.get("prompt_text")).strip())
        ]
        if not prompts and (text := _text(row.get("user_prompt")).strip()):
            prompts = [TheirPrompt(1, text, started_at)]
        project = row.get("project") or next((one.get("project") for one in (*observed, *summarised)), "")
        return TheirSession(
            session_id=_text(row["session_id"]),
            project=_text(project),
            title=_text(row.get("custom_title")),
            started_at=started_at,
            completed_at=_time(row, "completed_at"),
            prompts=tuple(sorted(prompts, key=lambda prompt: (prompt.at, prompt.number))),
            observations=tuple(_observation(one, started_at) for one in observed),
            summaries=tuple(_summary(one, started_at) for one in summarised),
        )

    def _of(self, table: str, key: tuple[tuple[str, ...], object]) -> list[_Row]:
        """Return the rows of a table that stand under a session, as they came in."""
        names, value = key
        column = self._named(table, names)
        if not column or value is None:
            return []
        cursor = self._connection.execute(f"SELECT * FROM {table} WHERE {column} = ? ORDER BY id", (value,))  # noqa: S608
        keys = [one[0] for one in cursor.description]
        return [dict(zip(keys, row, strict=True)) for row in cursor]

    def _rows(
        self, table: str, wanted: dict[str, tuple[str, ...]], *, order: str, distinct: bool = False
    ) -> list[_Row]:
        """Return a table's rows: by its name each column that goes by one of several, NULL where none is there."""
        asked = ", ".join(f"{self._named(table, names) or 'NULL'} AS {name}" for name, names in wanted.items())
        end = "GROUP BY " + ", ".join(str(1 + number) for number in range(len(wanted))) if distinct else ""
        order = f"min({order})" if distinct else order
        cursor = self._connection.execute(f"SELECT {asked} FROM {table} {end} ORDER BY {order}")  # noqa: S608
        return [dict(zip(wanted, row, strict=True)) for row in cursor]

    def _named(self, table: str, names: tuple[str, ...]) -> str:
        """Return by which of some names a column goes; empty where none is there."""
        return next((name for name in names if name in self._columns[table]), "")


def _observation(row: _Row, started_at: int) -> TheirObservation:
    text = _text(row.get("text")).strip()  # all that there was before titles
    title = _text(row.get("title")).strip() or text.split("\n", 1)[0][:_TITLE]
    return TheirObservation(
        number=_number(row),
        type=_text(row.get("type")),
        title=title,
        subtitle=_text(row.get("subtitle")),
        narrative=_text(row.get("narrative")) or (text if text != title else ""),
        facts=_list(row.get("facts")),
        concepts=_list(row.get("concepts")),
        files_read=_list(row.get("files_read")),
        files_modified=_list(row.get("files_modified")),
        at=_time(row, "created_at") or started_at,
    )


def _summary(row: _Row, started_at: int) -> TheirSummary:
    names = ("request", "investigated", "learned", "completed", "next_steps", "notes")
    fields = SummaryFields(**{name: _text(row.get(name)).strip() for name in names})
    return TheirSummary(_number(row), fields, _time(row, "created_at") or started_at)


def _number(row: _Row) -> int | None:
    number = row.get("prompt_number")
    return number if isinstance(number, int) and number > 0 else None


def _time(row: _Row, name: str) -> int:
    """Return a time (epoch): of its number, else of its text; 0 where neither is one."""
    epoch = row.get(f"{name}_epoch")
    if isinstance(epoch, int | float) and epoch > 0:
        return round(epoch * 1000) if epoch < SECONDS_UNTIL else round(epoch)
    try:
        return round(datetime.fromisoformat(_text(row.get(name))).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def _list(value: object) -> tuple[str, ...]:
    """Return a list of texts: of JSON, or of whatever stands where it should."""
    text = _text(value).strip()
    try:
        found = json.loads(text) if text else []
    except (ValueError, RecursionError):
        found = text.splitlines()
    if isinstance(found, dict):
        found = list(found.values())
    items = found if isinstance(found, list) else [found]
    texts = (item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items if item)
    return tuple(clean for text in texts if (clean := text.strip().encode("utf-8", "replace").decode()))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
