"""Owns what an export holds: sessions, prompts, summaries and observations, a session at a time, the oldest first.

Read with the driver alone, and never more than a row at once: a memory of any size is exported in bounded memory.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from watcher.memory.browse import OBSERVATION, PROMPT, SUMMARY
from watcher.memory.search_filters import Filters, clean

# Stable names; `at`, `started_at` and `ended_at` are milliseconds since 1970.
_SESSION = """
SELECT 'session' AS kind, session_id, project, cwd, title, status, end_reason, transcript_path,
    started_at_epoch AS started_at, completed_at_epoch AS ended_at, last_activity_at_epoch AS last_activity_at
FROM sdk_sessions s
"""
_PROMPT = f"""
SELECT 'prompt' AS kind, '{PROMPT}' || id AS id, session_id, prompt_number, uuid, prompt_text AS text, closing_text,
    continues_turn, created_at_epoch AS at
FROM user_prompts row
"""  # noqa: S608 - words of ours
_SUMMARY = f"""
SELECT 'summary' AS kind, '{SUMMARY}' || id AS id, session_id, prompt_number, project, request, investigated, learned,
    completed, next_steps, notes, source, agent, origin, created_at_epoch AS at
FROM session_summaries row
"""  # noqa: S608
_OBSERVATION = f"""
SELECT 'observation' AS kind, '{OBSERVATION}' || id AS id, session_id, prompt_number, project, type, title, subtitle,
    narrative, facts, concepts, files_read, files_modified, tool_use_ids, basis, origin, agent,
    created_at_epoch AS at
FROM observations row
"""  # noqa: S608
_ROWS = (_PROMPT, _SUMMARY, _OBSERVATION)
_LISTS = {"facts", "concepts", "files_read", "files_modified", "tool_use_ids"}
_TRUTHS = {"continues_turn"}
_IN_SPAN = "session_id = :session AND created_at_epoch BETWEEN :since AND :until"
_FAR = (1 << 63) - 1  # milliseconds

Row = dict[str, Any]


def rows(connection: sqlite3.Connection, filters: Filters) -> Iterator[Row]:
    """Yield each session, then its prompts, summaries and observations by their time, the oldest session first.

    Of the filters `project`, `session`, `since` and `until` count. With a span of time, a session comes with what of
    it lies in that, and not at all where nothing does.
    """
    span = {
        "since": max(filters.since if filters.since is not None else -_FAR, -_FAR),
        "until": min(filters.until if filters.until is not None else _FAR, _FAR),
    }
    has_span = filters.since is not None or filters.until is not None
    for session in _read(connection, *_sessions(filters)):
        values = span | {"session": session["session_id"]}
        if has_span and not _has_any(connection, values):
            continue
        yield session
        for query in _ROWS:
            yield from _read(connection, f"{query} WHERE {_IN_SPAN} ORDER BY created_at_epoch, id", values)


def _sessions(filters: Filters) -> tuple[str, Row]:
    conditions, values = ["1"], {}
    if filters.project is not None:
        conditions.append("project = :project")
        values["project"] = clean(filters.project)
    if filters.session:
        conditions.append("session_id >= :session AND session_id < :session || char(0x10FFFF)")
        values["session"] = clean(filters.session)
    return f"{_SESSION} WHERE {' AND '.join(conditions)} ORDER BY started_at_epoch, id", values


def _has_any(connection: sqlite3.Connection, values: Row) -> bool:
    tables = ("user_prompts", "session_summaries", "observations")
    query = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {_IN_SPAN})" for table in tables)  # noqa: S608
    return bool(connection.execute(f"SELECT {query}", values).fetchone()[0])


def _read(connection: sqlite3.Connection, query: str, values: Row) -> Iterator[Row]:
    cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield {name: _value(name, value) for name, value in zip(names, row, strict=True)}


def _value(name: str, value: Any) -> Any:
    if name in _LISTS:
        return json.loads(value)
    return bool(value) if name in _TRUTHS else value
