"""Owns the figures of the memory: what is in it and what waits."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from watcher.memory.states import SessionStatus, SummarySource, ToolUseStatus


class LastSummary(NamedTuple):
    """The newest summary of all."""

    project: str
    request: str
    source: str
    at: int  # epoch


class Counts(NamedTuple):
    """What is in the memory and what waits."""

    sessions: dict[str, int]  # by status
    tool_uses: dict[str, int]  # by status: the queue
    flags_raised: int
    observations: int
    summaries: int
    provisional_summaries: int
    last_error: str  # of the agent, on a summary that still waits for it
    transcripts: int
    broken_lines: int
    last_summary: LastSummary | None


class GivenUp(NamedTuple):
    """What the agent could not be had for in all the tries that it was given."""

    tool_uses: int  # that can be tried again
    forgotten: int  # tool uses of which nothing is kept that could be tried
    summaries: int  # which stay provisional


def counts(connection: sqlite3.Connection) -> Counts:
    """Count what is there."""
    sessions = connection.execute("SELECT status, count(*) FROM sdk_sessions GROUP BY status").fetchall()
    tool_uses = connection.execute("SELECT status, count(*) FROM tool_uses GROUP BY status").fetchall()
    summary = connection.execute(
        "SELECT project, request, source, created_at_epoch FROM session_summaries "
        "ORDER BY created_at_epoch DESC, id DESC LIMIT 1"
    ).fetchone()
    error = connection.execute(
        "SELECT last_error FROM session_summaries WHERE source = ? AND last_error IS NOT NULL "
        "ORDER BY updated_at_epoch DESC LIMIT 1",
        (SummarySource.PROVISIONAL,),
    ).fetchone()
    return Counts(
        sessions={str(status): 0 for status in SessionStatus} | dict(sessions),
        tool_uses={str(status): 0 for status in ToolUseStatus} | dict(tool_uses),
        flags_raised=_count(connection, "flags WHERE lowered_at_epoch IS NULL"),
        observations=_count(connection, "observations"),
        summaries=_count(connection, "session_summaries"),
        provisional_summaries=_count(connection, "session_summaries WHERE source = ?", SummarySource.PROVISIONAL),
        last_error=error[0] if error else "",
        transcripts=_count(connection, "checkpoints"),
        broken_lines=_count(connection, "broken_lines"),
        last_summary=LastSummary(*summary) if summary else None,
    )


def given_up(connection: sqlite3.Connection, max_attempts: int) -> GivenUp:
    """Count what was given up."""
    failed = "tool_uses WHERE status = ? AND input IS"
    return GivenUp(
        tool_uses=_count(connection, f"{failed} NOT NULL", ToolUseStatus.FAILED),
        forgotten=_count(connection, f"{failed} NULL", ToolUseStatus.FAILED),
        summaries=_count(
            connection, "session_summaries WHERE source = ? AND attempts >= ?", SummarySource.PROVISIONAL, max_attempts
        ),
    )


def _count(connection: sqlite3.Connection, rows: str, *values: object) -> int:
    """Count the rows of a table, `rows` being what stands behind FROM."""
    (number,) = connection.execute(f"SELECT count(*) FROM {rows}", values).fetchone()  # noqa: S608
    return int(number)
