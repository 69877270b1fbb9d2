"""Owns sessions and the flags that the hooks raise about them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update

from watcher.memory.database import iso, least
from watcher.memory.models import (
    Delivery,
    Flag,
    FlagKind,
    SdkSession,
    SessionStatus,
    SessionSummary,
    ToolUse,
    ToolUseStatus,
    UserPrompt,
)
from watcher.privacy import hook_events
from watcher.privacy.redaction import redact

# Why a session was ended that no hook said was over: judged by its silence, and so perhaps wrongly.
IDLE = "idle"
PROCESS_GONE = "process gone"
NO_ACTIVITY = "no activity"
IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Session:
    """One Claude Code session as it stands."""

    session_id: str
    project: str
    transcript_path: str
    status: SessionStatus
    started_at: int  # epoch, as all times here
    last_activity_at: int
    last_prompt_at: int

    def is_ahead_of(self, epoch: int) -> bool:
        """Say whether it was last heard of after some time."""
        return max(self.last_activity_at, self.last_prompt_at) > epoch


@dataclass(frozen=True, slots=True)
class RaisedFlag:
    """One flag that waits to be lowered."""

    id: int
    session_id: str
    kind: FlagKind
    folder: str  # that the session began in
    raised_at: int  # epoch
    transcript_path: str  # as the event says; empty where it does not
    closing_digest: str  # of the words that a Stop says were the last
    reason: str  # of a SessionEnd: clear, logout, prompt_input_exit, other
    has_text: bool  # its event is of an older hook, and tells more than is kept


def session(connection: Connection, session_id: str) -> Session | None:
    """Return one session."""
    row = connection.execute(select(SdkSession.__table__).where(SdkSession.session_id == session_id)).one_or_none()
    return _session(row) if row else None


def active(connection: Connection) -> list[Session]:
    """Return the sessions whose end is not known, the longest quiet first."""
    rows = connection.execute(
        select(SdkSession.__table__)
        .where(SdkSession.status == SessionStatus.ACTIVE)
        .order_by(SdkSession.last_activity_at_epoch, SdkSession.id)
    )
    return [_session(row) for row in rows]


def last_start(connection: Connection, project: str, *, but: str) -> int:
    """Return when (epoch) another session of a project than this one began or was resumed last; 0 where none was."""
    begun = select(func.max(SdkSession.started_at_epoch)).where(
        SdkSession.project == project, SdkSession.session_id != but
    )
    told = select(func.max(Delivery.delivered_at_epoch)).where(Delivery.project == project, Delivery.session_id != but)
    return max(connection.scalar(begun) or 0, connection.scalar(told) or 0)


def with_quiet_turns(connection: Connection, quiet_since: int, at: int) -> list[str]:
    """Return the active sessions not heard of since some time (epoch) whose last turn is not over, and could be.

    A tool that still runs, or waits for the user's leave, is silent too. What was prompted after `at` is left alone.
    """
    last = (
        select(func.max(UserPrompt.prompt_number))
        .where(UserPrompt.session_id == SdkSession.session_id, UserPrompt.created_at_epoch <= at)
        .correlate(SdkSession)
        .scalar_subquery()
    )
    runs = select(UserPrompt.id).where(
        UserPrompt.session_id == SdkSession.session_id,
        UserPrompt.prompt_number == last,
        UserPrompt.ended_at_epoch.is_(None),
    )
    waits = select(ToolUse.id).where(ToolUse.session_id == SdkSession.session_id, ToolUse.status == ToolUseStatus.OPEN)
    is_quiet = (SdkSession.status == SessionStatus.ACTIVE, SdkSession.last_activity_at_epoch <= quiet_since)
    return list(connection.scalars(select(SdkSession.session_id).where(*is_quiet, runs.exists(), ~waits.exists())))


def orphans(connection: Connection, before: int) -> list[Session]:
    """Return the sessions whose end is not known and of which nothing was heard since some time (epoch)."""
    return [session for session in active(connection) if session.last_activity_at < before]


def complete(
    connection: Connection, session_id: str, *, at: int, reason: str, is_orphan: bool = False
) -> SessionStatus | None:
    """End a session that is active; None where it was over.

    It is completed where a summary of it is kept, or a prompt of it was private; else, or as an orphan, failed.
    """
    was_private = connection.scalar(
        select(UserPrompt.id).where(UserPrompt.session_id == session_id, UserPrompt.is_private).limit(1)
    )
    has_summary = connection.scalar(
        select(func.count()).where(SessionSummary.session_id == session_id).select_from(SessionSummary)
    )
    has_summary = has_summary or was_private is not None
    status = SessionStatus.COMPLETED if has_summary and not is_orphan else SessionStatus.FAILED
    ended = connection.execute(
        update(SdkSession)
        .where(
            SdkSession.session_id == session_id,
            SdkSession.status == SessionStatus.ACTIVE,
        )
        .values(
            status=status,
            completed_at=iso(at),
            completed_at_epoch=at,
            end_reason=reason if has_summary else f"{reason}: nothing to summarise was found in its transcript",
        )
    ).rowcount
    return status if ended else None


def drop_if_empty(connection: Connection, session_id: str) -> None:
    """Take away the row of a session that is left out, where a hook has made it and nothing else is kept."""
    has_more = (
        select(UserPrompt.id).where(UserPrompt.session_id == session_id).exists(),
        select(ToolUse.id).where(ToolUse.session_id == session_id).exists(),
        select(SessionSummary.id).where(SessionSummary.session_id == session_id).exists(),
    )
    connection.execute(delete(SdkSession).where(SdkSession.session_id == session_id, ~or_(*has_more)))


def drop_flag(connection: Connection, flag_id: int) -> None:
    """Take away a flag of a session that is left out."""
    connection.execute(delete(Flag).where(Flag.id == flag_id))


def bring_back(connection: Connection, session_id: str, *, now: int, prompted_by: int) -> None:
    """Let a session have been heard of by now: the clock was ahead then, and its silence would never end."""
    connection.execute(
        update(SdkSession)
        .where(SdkSession.session_id == session_id)
        .values(
            last_activity_at_epoch=least(SdkSession.last_activity_at_epoch, now),
            last_prompt_at_epoch=least(SdkSession.last_prompt_at_epoch, prompted_by),
        )
    )


def raised_flags(connection: Connection) -> list[RaisedFlag]:
    """Return the flags that wait, in the order in which they were raised."""
    rows = connection.execute(
        select(Flag.__table__).where(Flag.lowered_at_epoch.is_(None)).order_by(Flag.raised_at_epoch, Flag.id)
    )
    return [_flag(row) for row in rows]


def raise_flag(
    connection: Connection, session_id: str, kind: FlagKind, event: str, at: int, *, project: str = ""
) -> None:
    """Raise a flag for a hook that could not, or was recorded; once."""
    is_known = connection.scalar(
        select(func.count())
        .select_from(Flag)
        .where(Flag.session_id == session_id, Flag.kind == kind, Flag.raised_at_epoch == at)
    )
    if not is_known:
        kept = hook_events.reduced(event)
        values = {"session_id": session_id, "kind": kind, "project": project, "event": kept, "raised_at_epoch": at}
        connection.execute(insert(Flag).values(values))


def reduce_events(connection: Connection) -> int:
    """Let go of the texts in events that older hooks raised whole; return how many there were."""
    whole = select(Flag.id, Flag.event).where(~Flag.event.startswith(hook_events.REDUCED, autoescape=True))
    found = [{"flag": row.id, "kept": hook_events.reduced(row.event)} for row in connection.execute(whole)]
    if found:
        change = update(Flag).where(Flag.id == bindparam("flag")).values(event=bindparam("kept"))
        connection.execute(change, found)
    return len(found)


def lower_flag(connection: Connection, flag_id: int, *, outcome: str, now: int) -> None:
    """Lower a flag and say what came of it."""
    connection.execute(
        update(Flag)
        .where(Flag.id == flag_id, Flag.lowered_at_epoch.is_(None))
        .values(lowered_at_epoch=now, outcome=redact(outcome))
    )


def _session(row: Row[tuple[object, ...]]) -> Session:
    return Session(
        session_id=row.session_id,
        project=row.project,
        transcript_path=row.transcript_path,
        status=SessionStatus(row.status),
        started_at=row.started_at_epoch,
        last_activity_at=row.last_activity_at_epoch,
        last_prompt_at=row.last_prompt_at_epoch,
    )


def _flag(row: Row[tuple[object, ...]]) -> RaisedFlag:
    """Read a flag; its event comes from outside and may hold anything."""
    said = hook_events.fields(row.event)
    return RaisedFlag(
        id=row.id,
        session_id=row.session_id,
        kind=FlagKind(row.kind),
        folder=row.project,
        raised_at=row.raised_at_epoch,
        transcript_path=said["transcript_path"],
        closing_digest=said[hook_events.CLOSING_DIGEST],
        reason=said["reason"],
        has_text=hook_events.reduced(row.event) != row.event,
    )
