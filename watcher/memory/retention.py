"""Owns forgetting: which sessions go, what goes with them, and how far back the memory reaches.

Whatever is deleted here goes some rows at a time, so that no hook waits for the lock. A session's own row goes last:
one that was begun is found again after a crash. What was forgotten must not come back from a transcript that is read
anew, or from a fork's copy of it, so the horizon is kept: entries written before it are left alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from watcher.memory import turns
from watcher.memory.models import (
    AgentRequest,
    BrokenLine,
    Checkpoint,
    Delivery,
    Flag,
    Observation,
    Recall,
    SdkSession,
    SessionStatus,
    SessionSummary,
    ToolUse,
    ToolUseStatus,
    UserPrompt,
    Watcher,
)

MINUTE = 60_000  # milliseconds: the horizon is a number of minutes, as SQLite keeps 32 bits of its user's
_OF_SESSION = (ToolUse, UserPrompt, Observation, SessionSummary)  # in the order in which they go
_Trace = type[AgentRequest] | type[Flag] | type[Delivery] | type[Recall] | type[BrokenLine] | type[Watcher]


@dataclass(frozen=True, slots=True)
class PastSession:
    """A session that is over."""

    session_id: str
    project: str
    last_activity_at: int  # epoch


class Forgetting(Enum):
    """How far a session is forgotten."""

    UNDER_WAY = auto()
    DONE = auto()
    CALLED_OFF = auto()  # it was resumed, or is gone already


def horizon(connection: Connection) -> int:
    """Return the time (epoch) before which the memory knows nothing any more; 0 where nothing was ever forgotten."""
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one()) * MINUTE


def raise_horizon(connection: Connection, epoch: int) -> None:
    """Have everything from before some time left alone from now on."""
    # The number belongs to the transaction as any row does.
    if epoch > horizon(connection):
        connection.exec_driver_sql(f"PRAGMA user_version = {-(-epoch // MINUTE)}")


def past_sessions(
    connection: Connection, *, before: int, given_up_before: int, max_attempts: int, limit: int
) -> list[PastSession]:
    """Return sessions that are over and were last active before some time (epoch), the oldest first.

    Those with work for the agent only where nothing was heard of them since `given_up_before`.
    """
    working = turns.sessions_with_work(connection, max_attempts)
    rows = connection.execute(
        select(SdkSession.session_id, SdkSession.project, SdkSession.last_activity_at_epoch)
        .where(
            SdkSession.status.in_([SessionStatus.COMPLETED, SessionStatus.FAILED]),
            SdkSession.last_activity_at_epoch < before,
            SdkSession.session_id.not_in(working) | _quiet_since(given_up_before),
        )
        .order_by(SdkSession.last_activity_at_epoch, SdkSession.id)
        .limit(limit)
    )
    return [PastSession(*row) for row in rows]


def forget(connection: Connection, past: PastSession, limit: int) -> Forgetting:
    """Delete up to `limit` rows of a session, in the end its own."""
    this = (
        SdkSession.session_id == past.session_id,
        SdkSession.status != SessionStatus.ACTIVE,
        SdkSession.last_activity_at_epoch == past.last_activity_at,
    )
    if connection.scalar(select(SdkSession.id).where(*this)) is None:
        return Forgetting.CALLED_OFF
    raise_horizon(connection, past.last_activity_at + 1)
    left = limit
    for table in _OF_SESSION:
        some = select(table.id).where(table.session_id == past.session_id).limit(left)
        left -= connection.execute(delete(table).where(table.id.in_(some))).rowcount
        if left <= 0:
            return Forgetting.UNDER_WAY
    connection.execute(delete(SdkSession).where(*this))
    return Forgetting.DONE


def stale_tool_uses(connection: Connection, before: int, limit: int) -> list[int]:
    """Return tool uses that waited for the agent since before some time (epoch), or failed then: some of them."""
    waits = ToolUse.status == ToolUseStatus.PENDING
    has_excerpts = ToolUse.input.is_not(None) | ToolUse.output.is_not(None)
    chosen = waits | ((ToolUse.status == ToolUseStatus.FAILED) & has_excerpts)
    statuses = ToolUse.status.in_([ToolUseStatus.PENDING, ToolUseStatus.FAILED])  # for the index
    quiet = select(SdkSession.session_id).where(_quiet_since(before))
    rows = connection.scalars(select(ToolUse.id).where(ToolUse.session_id.in_(quiet), statuses, chosen).limit(limit))
    return list(rows)


def give_up(connection: Connection, tool_use_ids: Sequence[int]) -> int:
    """Have tool uses fail that still wait, and drop what is kept of them; return how many had waited."""
    these = update(ToolUse).where(ToolUse.id.in_(tool_use_ids))
    waited = these.where(ToolUse.status == ToolUseStatus.PENDING).values(status=ToolUseStatus.FAILED)
    given_up = connection.execute(waited).rowcount
    connection.execute(these.where(ToolUse.status == ToolUseStatus.FAILED).values(input=None, output=None))
    return given_up


def drop_traces(connection: Connection, before: int, limit: int) -> int:
    """Delete what tells of before some time (epoch) only how it went, some of it; return how many rows.

    Flags that were lowered, contexts delivered, observations recalled, broken lines, and runs of the watcher. The
    first run stays: it says when the memory began; and the last.
    """
    runs = select(func.min(Watcher.started_at_epoch).label("first"), func.max(Watcher.id).label("last")).subquery()
    is_between = (Watcher.started_at_epoch > select(runs.c.first).scalar_subquery()) & (
        Watcher.id < select(runs.c.last).scalar_subquery()
    )
    return (
        _drop(connection, Flag, Flag.lowered_at_epoch < before, limit)
        + _drop(connection, Delivery, Delivery.delivered_at_epoch < before, limit)
        + _drop(connection, Recall, Recall.recalled_at_epoch < before, limit)
        + _drop(connection, BrokenLine, BrokenLine.seen_at_epoch < before, limit)
        + _drop(connection, Watcher, (Watcher.heartbeat_at_epoch < before) & is_between, limit)
    )


def first_request(connection: Connection) -> float:
    """Return when (epoch) the first request to an agent was made that is still told of; infinity where none is."""
    first = connection.scalar(select(AgentRequest.created_at_epoch).order_by(AgentRequest.id).limit(1))
    return math.inf if first is None else first


def drop_requests(connection: Connection, before: int, limit: int) -> int:
    """Delete what tells of requests to an agent from before some time (epoch), some of it; return how many rows."""
    return _drop(connection, AgentRequest, AgentRequest.created_at_epoch < before, limit)


def still_transcripts(connection: Connection, before: int, *, after: str, limit: int) -> list[str]:
    """Return the paths of transcripts of which nothing came in since some time (epoch), those behind `after`."""
    is_still = (Checkpoint.updated_at_epoch < before, Checkpoint.path > after)
    return list(connection.scalars(select(Checkpoint.path).where(*is_still).order_by(Checkpoint.path).limit(limit)))


def drop_checkpoints(connection: Connection, paths: Sequence[str], before: int) -> int:
    """Forget how far some transcripts were taken in, where nothing came in since some time (epoch)."""
    is_still = Checkpoint.updated_at_epoch < before
    return connection.execute(delete(Checkpoint).where(Checkpoint.path.in_(paths), is_still)).rowcount


def _quiet_since(before: int) -> ColumnElement[bool]:
    """Say of a session that it is not active, and that nothing of it was done, or came in, since some time (epoch).

    Both count: what was done long ago may have come in a moment ago, and nobody was asked about it yet.
    """
    came_in = select(Checkpoint.session_id).where(Checkpoint.updated_at_epoch >= before)
    return (
        (SdkSession.status != SessionStatus.ACTIVE)
        & (SdkSession.last_activity_at_epoch < before)
        & SdkSession.session_id.not_in(came_in)
    )


def _drop(connection: Connection, table: _Trace, is_old: ColumnElement[bool], limit: int) -> int:
    """Delete the old ones of a table's first rows: they stand in the order of time, so no other needs a look."""
    key: InstrumentedAttribute[int] = table.id
    first = select(key).order_by(key).limit(limit)
    return connection.execute(delete(table).where(key.in_(first), is_old)).rowcount
