"""Owns turns: what of a session is due for a summary, what waits for the agent, and writing what came of it.

A turn is a human prompt with all that was done before the next one; prompts typed while it still ran belong to it. One
that is private is none: there is nothing to say of it.
Its summary stands under the number of its last prompt. All of this is read off the rows: nothing is remembered
between two calls, so nothing is forgotten by a crash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, func, select, update

from watcher.memory.models import (
    IS_PENDING,
    IS_PROVISIONAL,
    Observation,
    SdkSession,
    SessionStatus,
    SessionSummary,
    SummarySource,
    ToolUse,
    ToolUseStatus,
    UserPrompt,
)

TURN_LIMIT = 500  # tool uses of one turn that a provisional summary looks at


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as it stands."""

    session_id: str
    project: str
    first_number: int  # of its first prompt
    number: int  # of its last prompt; 0 for tool uses before any prompt
    prompts: tuple[str, ...]
    closing_text: str
    closing_at: int
    is_over: bool
    last_at: int  # epoch of the last thing known of it
    pending: int  # tool uses that wait for the agent
    tries: int  # the most that were made in vain at one of those
    summary_source: str | None  # None: no summary yet
    summary_closing_at: int
    attempts: int  # that the agent made at its summary in vain

    @property
    def lacks_summary(self) -> bool:
        """It is over, and its summary is missing or knows other closing words."""
        return self.is_over and (self.summary_source is None or self.closing_at > self.summary_closing_at)

    @property
    def has_last_word(self) -> bool:
        """The agent has summarised it, and nothing was said since."""
        return self.summary_source == SummarySource.AGENT and self.closing_at <= self.summary_closing_at

    @property
    def is_brief(self) -> bool:
        """Its summary is of a few words alone, and nobody asks the agent for another."""
        return self.summary_source == SummarySource.BRIEF

    @property
    def words(self) -> int:
        """How much was said in it: bytes, as a few characters may say much in some scripts."""
        return sum(len(text.encode()) for text in (*self.prompts, self.closing_text))


@dataclass(frozen=True, slots=True)
class StoredToolUse:
    """One tool use of a turn, with what is still kept of it."""

    tool_use_id: str
    name: str
    input: str
    output: str
    is_error: bool
    files_read: tuple[str, ...]
    files_modified: tuple[str, ...]
    at: int  # epoch
    origin: str = ""  # where its output came from, once that was told


def turns(connection: Connection, session_id: str, *, is_ending: bool = False) -> list[Turn]:
    """Return a session's turns, oldest first.

    Tool uses of a session of which no prompt is known are a turn too, over with the session: when it `is_ending`.
    """
    session = connection.execute(
        select(SdkSession.project, SdkSession.status).where(SdkSession.session_id == session_id)
    ).one_or_none()
    if session is None:
        return []
    prompts = connection.execute(
        select(UserPrompt.__table__).where(UserPrompt.session_id == session_id).order_by(UserPrompt.prompt_number)
    ).all()
    groups: list[list[Row[tuple[object, ...]]]] = []
    for prompt in prompts:
        if prompt.continues_turn and groups:
            groups[-1].append(prompt)
        else:
            groups.append([prompt])
    work = _work(connection, session_id)
    summaries = {
        row.prompt_number: row
        for row in connection.execute(select(SessionSummary.__table__).where(SessionSummary.session_id == session_id))
    }
    is_over = is_ending or session.status != SessionStatus.ACTIVE
    found = [
        _turn(session.project, group, work, summaries, is_over=is_over or group is not groups[-1])
        for group in groups
        if not _is_private(group)
    ]
    if 0 in work and (not groups or _is_private(groups[0])):
        before = _turn_without_prompt(
            session_id, session.project, work[0], summaries.get(0), is_over=is_over or bool(groups)
        )
        return [before, *found]
    return found


def sessions_with_work(connection: Connection, max_attempts: int, *, since: int = 0) -> list[str]:
    """Return the sessions in which a turn may await the agent, those that waited longest first.

    A turn of a few words alone does not: it is shown to the agent when that is asked about another. Last words that
    came after their summary are looked for in sessions that were active after `since` (epoch).
    """
    lately = select(SdkSession.session_id).where(SdkSession.last_activity_at_epoch >= since)
    waits = (
        select(ToolUse.session_id)
        .where(IS_PENDING)
        .union(
            select(SessionSummary.session_id).where(IS_PROVISIONAL, SessionSummary.attempts < max_attempts),
            select(UserPrompt.session_id)
            .join(
                SessionSummary,
                (SessionSummary.session_id == UserPrompt.session_id)
                & (SessionSummary.prompt_number == UserPrompt.prompt_number),
            )
            .where(
                UserPrompt.session_id.in_(lately),
                UserPrompt.closing_at_epoch > SessionSummary.closing_at_epoch,
            ),
        )
        .subquery()
    )
    return list(
        connection.scalars(
            select(SdkSession.session_id)
            .where(SdkSession.session_id.in_(select(waits.c.session_id)))
            .order_by(SdkSession.last_activity_at_epoch, SdkSession.id)
        )
    )


def sessions_without_last_summary(connection: Connection) -> list[str]:
    """Return the sessions that are over, but for their last turn's summary: a prompt of them came in late."""
    last = (
        select(UserPrompt.session_id, func.max(UserPrompt.prompt_number).label("number"))
        .group_by(UserPrompt.session_id)
        .subquery()
    )
    is_summarised = (
        select(SessionSummary.id)
        .where(SessionSummary.session_id == last.c.session_id, SessionSummary.prompt_number == last.c.number)
        .exists()
    )
    is_private = (
        select(UserPrompt.id)
        .where(
            UserPrompt.session_id == last.c.session_id,
            UserPrompt.prompt_number == last.c.number,
            UserPrompt.is_private,
        )
        .exists()
    )
    these = select(SdkSession.session_id).join(last, last.c.session_id == SdkSession.session_id)
    return list(connection.scalars(these.where(SdkSession.status != SessionStatus.ACTIVE, ~is_summarised, ~is_private)))


def end_last_turn(connection: Connection, session_id: str, at: int) -> None:
    """Say that the turn that was a session's last at some time (epoch) was over then.

    A flag may be handled when the next prompt is already there.
    """
    connection.execute(
        update(UserPrompt)
        .where(
            UserPrompt.session_id == session_id,
            UserPrompt.prompt_number == _last_number(session_id, at),
            UserPrompt.ended_at_epoch.is_(None),
        )
        .values(ended_at_epoch=at)
    )


def bring_back(connection: Connection, session_id: str, *, to: int) -> None:
    """Move a session's prompts, words and turn ends that lie after some time (epoch) back to before it, as they stand.

    The clock was ahead when they were written; what has come since would seem to come before them.
    """
    times = (UserPrompt.created_at_epoch, UserPrompt.closing_at_epoch, UserPrompt.ended_at_epoch)
    latest = connection.execute(select(*map(func.max, times)).where(UserPrompt.session_id == session_id)).one()
    ahead = max(time or 0 for time in latest) - to
    if ahead > 0:
        for column in (*times, SessionSummary.closing_at_epoch):
            these = update(column.class_).where(column.class_.session_id == session_id, column > to)
            connection.execute(these.values({column: column - ahead}))


def close_open_tool_uses(connection: Connection, session_id: str) -> int:
    """Give up waiting for results once a session is over: what was begun is worth remembering too."""
    return connection.execute(
        update(ToolUse)
        .where(ToolUse.session_id == session_id, ToolUse.status == ToolUseStatus.OPEN)
        .values(status=ToolUseStatus.PENDING, output="")
    ).rowcount


def tool_uses(connection: Connection, turn: Turn) -> list[StoredToolUse]:
    """Return all that was used in a turn, but for what is skipped, oldest first."""
    return _tool_uses(connection, turn, ToolUse.status != ToolUseStatus.SKIPPED, limit=TURN_LIMIT)


def pending_tool_uses(connection: Connection, turn: Turn, limit: int) -> list[StoredToolUse]:
    """Return the oldest tool uses of a turn that wait for the agent."""
    return _tool_uses(connection, turn, ToolUse.status == ToolUseStatus.PENDING, limit=limit)


def origins(connection: Connection, turn: Turn) -> list[str]:
    """Return where what was used in a turn came from, as far as that was told."""
    these = select(ToolUse.origin).where(
        ToolUse.session_id == turn.session_id,
        ToolUse.prompt_number.between(turn.first_number, turn.number),
        ToolUse.origin != "",
    )
    return list(connection.scalars(these.distinct()))


def origin_before(connection: Connection, turn: Turn) -> str:
    """Return where that came from which the summary of the turn before tells of."""
    before = (SessionSummary.session_id == turn.session_id) & (SessionSummary.prompt_number < turn.first_number)
    newest = select(SessionSummary.origin).where(before).order_by(SessionSummary.prompt_number.desc()).limit(1)
    return connection.scalar(newest) or ""


def observation_titles(connection: Connection, first: Turn, last: Turn) -> tuple[str, ...]:
    """Return what was already observed of some turns, from one to another."""
    return tuple(
        connection.scalars(
            select(Observation.title)
            .where(
                Observation.session_id == first.session_id,
                Observation.prompt_number.between(first.first_number, last.number),
            )
            .order_by(Observation.id)
        )
    )


def own_summary(connection: Connection, turn: Turn) -> str:
    """Return what the agent made of this very turn before it went on, as text; empty where it has not."""
    return _summary_text(
        connection,
        turn,
        (SessionSummary.prompt_number == turn.number) & (SessionSummary.source == SummarySource.AGENT),
    )


def summary_before(connection: Connection, turn: Turn) -> str:
    """Return what the turn before came to, as text."""
    return _summary_text(connection, turn, SessionSummary.prompt_number < turn.first_number)


def _summary_text(connection: Connection, turn: Turn, chosen: ColumnElement[bool]) -> str:
    text = connection.scalar(
        select(SessionSummary.summary_text)
        .where(SessionSummary.session_id == turn.session_id, chosen)
        .order_by(SessionSummary.prompt_number.desc())
        .limit(1)
    )
    return text or ""


def _is_private(prompts: Sequence[Row[tuple[object, ...]]]) -> bool:
    return all(prompt.is_private for prompt in prompts)


@dataclass(frozen=True, slots=True)
class _Work:
    """What was done under one prompt."""

    pending: int
    tries: int
    last_at: int


def _work(connection: Connection, session_id: str) -> dict[int, _Work]:
    """Return what was done, by prompt number."""
    is_pending = ToolUse.status == ToolUseStatus.PENDING
    rows = connection.execute(
        select(
            ToolUse.prompt_number,
            func.count().filter(is_pending),
            func.coalesce(func.max(ToolUse.attempts).filter(is_pending), 0),
            func.max(ToolUse.created_at_epoch),
        )
        .where(ToolUse.session_id == session_id)
        .group_by(ToolUse.prompt_number)
    )
    return {number: _Work(*counts) for number, *counts in rows}


def _last_number(session_id: str, at: int) -> ScalarSelect[int]:
    """Return the number of the last prompt that a session was given until some time (epoch)."""
    until = (UserPrompt.session_id == session_id, UserPrompt.created_at_epoch <= at)
    return select(func.max(UserPrompt.prompt_number)).where(*until).scalar_subquery()


def _turn_without_prompt(
    session_id: str, project: str, work: _Work, summary: Row[tuple[object, ...]] | None, *, is_over: bool
) -> Turn:
    return Turn(
        session_id=session_id,
        project=project,
        first_number=0,
        number=0,
        prompts=(),
        closing_text="",
        closing_at=0,
        is_over=is_over,
        last_at=work.last_at,
        pending=work.pending,
        tries=work.tries,
        summary_source=summary.source if summary else None,
        summary_closing_at=0,
        attempts=summary.attempts if summary else 0,
    )


def _turn(
    project: str,
    prompts: Sequence[Row[tuple[object, ...]]],
    work: dict[int, _Work],
    summaries: dict[int, Row[tuple[object, ...]]],
    *,
    is_over: bool,
) -> Turn:
    first, last = prompts[0], prompts[-1]
    # Tool uses seen before any prompt (number 0) belong to the first turn.
    lowest = 0 if first.prompt_number == 1 else first.prompt_number
    parts = [part for number, part in work.items() if lowest <= number <= last.prompt_number]
    closing = max(prompts, key=lambda prompt: prompt.closing_at_epoch)
    summary = summaries.get(last.prompt_number)
    return Turn(
        session_id=last.session_id,
        project=project,
        first_number=lowest,
        number=last.prompt_number,
        prompts=tuple(prompt.prompt_text for prompt in prompts if not prompt.is_private),
        closing_text=closing.closing_text,
        closing_at=closing.closing_at_epoch,
        is_over=is_over or last.ended_at_epoch is not None,
        last_at=max([last.created_at_epoch, closing.closing_at_epoch, *(part.last_at for part in parts)]),
        pending=sum(part.pending for part in parts),
        tries=max((part.tries for part in parts), default=0),
        summary_source=summary.source if summary else None,
        summary_closing_at=summary.closing_at_epoch if summary else 0,
        attempts=summary.attempts if summary else 0,
    )


def _tool_uses(connection: Connection, turn: Turn, chosen: ColumnElement[bool], *, limit: int) -> list[StoredToolUse]:
    rows = connection.execute(
        select(ToolUse.__table__)
        .where(
            ToolUse.session_id == turn.session_id,
            ToolUse.prompt_number.between(turn.first_number, turn.number),
            chosen,
        )
        .order_by(ToolUse.created_at_epoch, ToolUse.id)
        .limit(limit)
    )
    return [
        StoredToolUse(
            tool_use_id=row.tool_use_id,
            name=row.name,
            input=row.input or "",
            output=row.output or "",
            is_error=row.is_error,
            files_read=tuple(row.files_read),
            files_modified=tuple(row.files_modified),
            at=row.created_at_epoch,
            origin=row.origin,
        )
        for row in rows
    ]
