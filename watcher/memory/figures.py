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


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What the agent could not be had for in all the tries that it was given."""

    tool_uses: int  # that can be tried again
    forgotten: int  # tool uses of which nothing is kept that could be tried
    summaries: int  # which stay provisional


def counts(connection: Connection) -> Counts:
    """Count what is there."""
    by_session = connection.execute(select(SdkSession.status, func.count()).group_by(SdkSession.status)).all()
    by_tool_use = connection.execute(select(ToolUse.status, func.count()).group_by(ToolUse.status)).all()
    summary = connection.execute(
        select(SessionSummary.__table__)
        .order_by(SessionSummary.created_at_epoch.desc(), SessionSummary.id.desc())
        .limit(1)
    ).one_or_none()
    is_provisional = SessionSummary.source == SummarySource.PROVISIONAL
    return Counts(
        sessions={str(status): 0 for status in SessionStatus} | dict(by_session),
        tool_uses={str(status): 0 for status in ToolUseStatus} | dict(by_tool_use),
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


def given_up(connection: Connection, max_attempts: int) -> GivenUp:
    """Count what was given up."""
    has_failed, is_kept = ToolUse.status == ToolUseStatus.FAILED, ToolUse.input.is_not(None)
    is_provisional = SessionSummary.source == SummarySource.PROVISIONAL
    return GivenUp(
        tool_uses=_count(connection, ToolUse, has_failed, is_kept),
        forgotten=_count(connection, ToolUse, has_failed, ~is_kept),
        summaries=_count(connection, SessionSummary, is_provisional, SessionSummary.attempts >= max_attempts),
    )


def _count(connection: Connection, table: type[Base], *where: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(*where)) or 0
