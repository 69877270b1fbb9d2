"""Owns turns: what of a session is due for a summary, what waits for the agent, and writing what came of it.

A turn is a human prompt with all that was done before the next one; prompts typed while it still ran belong to it.
Its summary stands under the number of its last prompt. All of this is read off the rows: nothing is remembered
between two calls, so nothing is forgotten by a crash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, Row, func, select, true, update

from watcher.memory.database import insert, iso
from watcher.memory.models import (
    Observation,
    SdkSession,
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
    summary_source: str | None  # None: no summary yet
    summary_closing_at: int
    attempts: int  # that the agent made at its summary in vain

    @property
    def lacks_summary(self) -> bool:
        """It is over, and its summary is missing or knows other closing words."""
        return self.is_over and (self.summary_source is None or self.closing_at > self.summary_closing_at)

    @property
    def awaits_agent(self) -> bool:
        """It is over, and the agent has not had its last word on it."""
        return self.is_over and (
            self.summary_source != SummarySource.AGENT or self.pending > 0 or self.closing_at > self.summary_closing_at
        )


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


@dataclass(frozen=True, slots=True)
class SummaryFields:
    """The six fields of a summary."""

    request: str
    investigated: str
    learned: str
    completed: str
    next_steps: str
    notes: str

    @property
    def text(self) -> str:
        """All that is said, one labelled paragraph a field."""
        labelled = [(name.replace("_", " ").capitalize(), value) for name, value in asdict(self).items() if value]
        return "\n".join(f"{label}: {value}" for label, value in labelled)


@dataclass(frozen=True, slots=True)
class ObservationFields:
    """One observation as it is to be stored."""

    type: str
    title: str
    subtitle: str
    narrative: str
    facts: tuple[str, ...]
    concepts: tuple[str, ...]
    files_read: tuple[str, ...]
    files_modified: tuple[str, ...]
    tool_use_ids: tuple[str, ...]
    at: int  # epoch: when the last of the tool uses it rests on was begun


def turns(connection: Connection, session_id: str) -> list[Turn]:
    """Return a session's turns, oldest first."""
    session = connection.execute(select(SdkSession.project).where(SdkSession.session_id == session_id)).one_or_none()
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
    return [_turn(session.project, group, work, summaries, is_last=group is groups[-1]) for group in groups]


def sessions_with_work(connection: Connection, max_attempts: int) -> list[str]:
    """Return the sessions in which a turn may await the agent, those that waited longest first."""
    waits = (
        select(ToolUse.session_id)
        .where(ToolUse.status == ToolUseStatus.PENDING)
        .union(
            select(SessionSummary.session_id).where(
                SessionSummary.source == SummarySource.PROVISIONAL, SessionSummary.attempts < max_attempts
            ),
            select(UserPrompt.session_id)
            .join(
                SessionSummary,
                (SessionSummary.session_id == UserPrompt.session_id)
                & (SessionSummary.prompt_number == UserPrompt.prompt_number),
            )
            .where(UserPrompt.closing_at_epoch > SessionSummary.closing_at_epoch),
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


def closing_words(connection: Connection, session_id: str) -> str:
    """Return the last words known of a session's last turn."""
    text = connection.scalar(
        select(UserPrompt.closing_text)
        .where(UserPrompt.session_id == session_id)
        .order_by(UserPrompt.prompt_number.desc())
        .limit(1)
    )
    return text or ""


def end_last_turn(connection: Connection, session_id: str, at: int) -> None:
    """Say that a session's last turn is over."""
    last = select(func.max(UserPrompt.prompt_number)).where(UserPrompt.session_id == session_id)
    connection.execute(
        update(UserPrompt)
        .where(
            UserPrompt.session_id == session_id,
            UserPrompt.prompt_number == last.scalar_subquery(),
            UserPrompt.ended_at_epoch.is_(None),
        )
        .values(ended_at_epoch=at)
    )


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


def observation_titles(connection: Connection, turn: Turn) -> tuple[str, ...]:
    """Return what was already observed of a turn."""
    return tuple(
        connection.scalars(
            select(Observation.title)
            .where(
                Observation.session_id == turn.session_id,
                Observation.prompt_number.between(turn.first_number, turn.number),
            )
            .order_by(Observation.id)
        )
    )


def summary_before(connection: Connection, turn: Turn) -> str:
    """Return the summary of the turn before, as text."""
    text = connection.scalar(
        select(SessionSummary.summary_text)
        .where(SessionSummary.session_id == turn.session_id, SessionSummary.prompt_number < turn.first_number)
        .order_by(SessionSummary.prompt_number.desc())
        .limit(1)
    )
    return text or ""


def put_provisional(connection: Connection, turn: Turn, summary: SummaryFields, *, agent: str, now: int) -> bool:
    """Store a provisional summary; an agent's is never replaced by it. Say whether it was stored."""
    return _put_summary(connection, turn, summary, SummarySource.PROVISIONAL, agent, now) > 0


def put_agent_summary(connection: Connection, turn: Turn, summary: SummaryFields, *, agent: str, now: int) -> None:
    """Store the agent's summary in the place of whatever was there."""
    _put_summary(connection, turn, summary, SummarySource.AGENT, agent, now)


def put_observations(
    connection: Connection, turn: Turn, observations: Iterable[ObservationFields], *, agent: str
) -> int:
    """Store observations, each content once a session; return how many were new."""
    rows = [
        {
            **_without_time(observation),
            "session_id": turn.session_id,
            "project": turn.project,
            "prompt_number": turn.number,
            "agent": agent,
            "content_hash": _content_hash(observation),
            "created_at": iso(observation.at),
            "created_at_epoch": observation.at,
        }
        for observation in observations
    ]
    if not rows:
        return 0
    stored = connection.execute(insert(Observation).on_conflict_do_nothing(), rows).rowcount
    count = select(func.count()).where(Observation.session_id == turn.session_id).scalar_subquery()
    connection.execute(
        update(SdkSession).where(SdkSession.session_id == turn.session_id).values(observation_count=count)
    )
    return stored


def mark_observed(connection: Connection, tool_use_ids: Sequence[str]) -> None:
    """Take tool uses off the queue; their excerpts have served."""
    connection.execute(
        update(ToolUse)
        .where(ToolUse.tool_use_id.in_(tool_use_ids))
        .values(status=ToolUseStatus.OBSERVED, input=None, output=None)
    )


def count_failure(
    connection: Connection, turn: Turn, tool_use_ids: Sequence[str], *, error: str, counts: bool, max_attempts: int
) -> None:
    """Keep what went wrong and, where the try `counts`, count it.

    After the last try a batch's tool uses are failed, and its turn's provisional summary stands.
    """
    tries = 1 if counts else 0
    these = update(ToolUse).where(ToolUse.tool_use_id.in_(tool_use_ids))
    connection.execute(these.values(attempts=ToolUse.attempts + tries))
    connection.execute(these.where(ToolUse.attempts >= max_attempts).values(status=ToolUseStatus.FAILED))
    connection.execute(
        update(SessionSummary)
        .where(SessionSummary.session_id == turn.session_id, SessionSummary.prompt_number == turn.number)
        .values(attempts=SessionSummary.attempts + tries, last_error=error)
    )


def add_usage(
    connection: Connection, session_id: str, *, input_tokens: int, output_tokens: int, cost_usd: float
) -> None:
    """Add what one request to the agent cost."""
    connection.execute(
        update(SdkSession)
        .where(SdkSession.session_id == session_id)
        .values(
            agent_requests=SdkSession.agent_requests + 1,
            input_tokens=SdkSession.input_tokens + input_tokens,
            output_tokens=SdkSession.output_tokens + output_tokens,
            cost_usd=SdkSession.cost_usd + cost_usd,
        )
    )


def _work(connection: Connection, session_id: str) -> dict[int, tuple[int, int]]:
    """Return, by prompt number, how many tool uses are pending and when the last one was begun."""
    pending = func.count().filter(ToolUse.status == ToolUseStatus.PENDING)
    rows = connection.execute(
        select(ToolUse.prompt_number, pending, func.max(ToolUse.created_at_epoch))
        .where(ToolUse.session_id == session_id)
        .group_by(ToolUse.prompt_number)
    )
    return {number: (waiting, last_at) for number, waiting, last_at in rows}


def _turn(
    project: str,
    prompts: Sequence[Row[tuple[object, ...]]],
    work: dict[int, tuple[int, int]],
    summaries: dict[int, Row[tuple[object, ...]]],
    *,
    is_last: bool,
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
        prompts=tuple(prompt.prompt_text for prompt in prompts),
        closing_text=closing.closing_text,
        closing_at=closing.closing_at_epoch,
        is_over=not is_last or last.ended_at_epoch is not None,
        last_at=max([last.created_at_epoch, closing.closing_at_epoch, *(at for _, at in parts)]),
        pending=sum(pending for pending, _ in parts),
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
        )
        for row in rows
    ]


def _put_summary(
    connection: Connection, turn: Turn, summary: SummaryFields, source: SummarySource, agent: str, now: int
) -> int:
    values = {
        **asdict(summary),
        "summary_text": summary.text,
        "source": source,
        "agent": agent,
        "closing_at_epoch": turn.closing_at,
        "created_at": iso(turn.last_at),
        "created_at_epoch": turn.last_at,
        "updated_at_epoch": now,
    }
    statement = insert(SessionSummary).values(
        session_id=turn.session_id,
        project=turn.project,
        prompt_number=turn.number,
        **values,
    )
    if source == SummarySource.AGENT:
        values |= {"last_error": None, "attempts": 0}
        may_replace: ColumnElement[bool] = true()
    else:
        may_replace = SessionSummary.source == SummarySource.PROVISIONAL
    return connection.execute(
        statement.on_conflict_do_update(index_elements=["session_id", "prompt_number"], set_=values, where=may_replace)
    ).rowcount


def _without_time(observation: ObservationFields) -> dict[str, object]:
    values = asdict(observation)
    del values["at"]
    return values


def _content_hash(observation: ObservationFields) -> str:
    content = "\0".join(
        [
            observation.type,
            observation.title,
            observation.narrative,
            *observation.facts,
            *observation.files_modified,
        ]
    )
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest()
