"""Owns sessions and the flags that the hooks raise about them."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

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

# Why a session was ended that no hook said was over: judged by its silence, and so perhaps wrongly.
IDLE = "idle"
PROCESS_GONE = "process gone"
NO_ACTIVITY = "no activity"
IMPORTED = "imported"

_KEPT = ("session_id", "transcript_path", "cwd", "hook_event_name", "prompt_id", "source", "reason")
_WORDS = "last_assistant_message"


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
    cwd: str
    closing: int  # the checksum of what the assistant said last, of a Stop; 0 where that is not known
    reason: str  # of a SessionEnd: clear, logout, prompt_input_exit, other


def checksum(text: str) -> int:
    """Return by what the assistant's words are known again: a hook says it, so that nobody has to keep them."""
    return zlib.crc32(text.strip().encode("utf-8", "replace"))


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
        kept = json.dumps(_kept(_decode(event)), ensure_ascii=False)
        values = {"session_id": session_id, "kind": kind, "project": project, "event": kept, "raised_at_epoch": at}
        connection.execute(insert(Flag).values(values))


def lower_flag(connection: Connection, flag_id: int, *, outcome: str, now: int) -> None:
    """Lower a flag and say what came of it."""
    this = (Flag.id == flag_id, Flag.lowered_at_epoch.is_(None))
    event = connection.scalar(select(Flag.event).where(*this)) or ""
    values = {"lowered_at_epoch": now, "outcome": outcome}
    if _WORDS in event:  # raised by an older hook
        values["event"] = json.dumps(_kept(_decode(event)))
    connection.execute(update(Flag).where(*this).values(values))


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
    said = _decode(row.event)

    def text(key: str) -> str:
        value = said.get(key)
        # Half a surrogate pair, as Node writes it, is no text to anything further on.
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""

    return RaisedFlag(
        id=row.id,
        session_id=row.session_id,
        kind=FlagKind(row.kind),
        folder=row.project,
        raised_at=row.raised_at_epoch,
        transcript_path=text("transcript_path"),
        cwd=text("cwd"),
        closing=_closing(said),
        reason=text("reason"),
    )


def _kept(said: dict[str, object]) -> dict[str, object]:
    """Return what is kept of an event: nothing that anybody said. The hooks keep the same."""
    closing = _closing(said)
    return {key: said[key] for key in _KEPT if key in said} | ({"closing": closing} if closing else {})


def _closing(said: dict[str, object]) -> int:
    """Return the checksum of the assistant's last words; an older hook has kept them themselves."""
    known, words = said.get("closing"), said.get(_WORDS)
    if isinstance(known, int):
        return known
    return checksum(words) if isinstance(words, str) and words.strip() else 0


def _decode(event: str) -> dict[str, object]:
    try:
        said = json.loads(event)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
