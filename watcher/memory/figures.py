"""Owns the figures of the memory: what is in it and what waits."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from watcher.memory.models import (
    Base,
    BrokenLine,
    Checkpoint,
    Flag,
    Observation,
    SdkSession,
    SessionStatus,
    SessionSummary,
    SummarySource,
    ToolUse,
    ToolUseStatus,
)


@dataclass(frozen=True, slots=True)
class LastSummary:
    """The newest summary of all."""

    project: str
    request: str
    source: str
    at: int  # epoch


@dataclass(frozen=True, slots=True)
class Counts:
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


def counts(connection: Connection) -> Counts:
    """Count what is there."""
    by_session = connection.execute(select(SdkSession.status, func.count()).group_by(SdkSession.status))
    by_tool_use = connection.execute(select(ToolUse.status, func.count()).group_by(ToolUse.status))
    summary = connection.execute(
        select(SessionSummary.__table__)
        .order_by(SessionSummary.created_at_epoch.desc(), SessionSummary.id.desc())
        .limit(1)
    ).one_or_none()
    is_provisional = SessionSummary.source == SummarySource.PROVISIONAL
    return Counts(
        sessions={str(status): 0 for status in SessionStatus} | dict(by_session.tuples().all()),
        tool_uses={str(status): 0 for status in ToolUseStatus} | dict(by_tool_use.tuples().all()),
        flags_raised=_count(connection, Flag, Flag.lowered_at_epoch.is_(None)),
        observations=_count(connection, Observation),
        summaries=_count(connection, SessionSummary),
        provisional_summaries=_count(connection, SessionSummary, is_provisional),
        last_error=connection.scalar(
            select(SessionSummary.last_error)
            .where(is_provisional, SessionSummary.last_error.is_not(None))
            .order_by(SessionSummary.updated_at_epoch.desc())
            .limit(1)
        )
        or "",
        transcripts=_count(connection, Checkpoint),
        broken_lines=_count(connection, BrokenLine),
        last_summary=LastSummary(summary.project, summary.request, summary.source, summary.created_at_epoch)
        if summary
        else None,
    )


def _count(connection: Connection, table: type[Base], *where: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0
