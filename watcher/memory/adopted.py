"""Owns what comes into the memory from the database of the TypeScript claude-mem, each thing once.

A session of which no transcript is there has its prompts from that database: they bear a uuid that no transcript has.
Where the transcript was taken in, it is what counts, and what the other memory's model had made of it is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from watcher.memory.database import insert, iso
from watcher.memory.models import Observation, SdkSession, SessionStatus, SessionSummary, UserPrompt

AGENT = "claude-mem-ts"  # who worded it
END_REASON = "taken over"
_UUIDS = "claude-mem:"  # what theirs begin with
_BEHIND = "claude-mem;"  # the first text behind all of them


@dataclass(frozen=True, slots=True)
class AdoptedSession:
    """One session as it is to be stored."""

    session_id: str
    project: str
    title: str
    started_at: int  # epoch, as all times here
    last_at: int
    completed_at: int


@dataclass(frozen=True, slots=True)
class AdoptedPrompt:
    """One prompt as it is to be stored; it is known again by its number there and its time."""

    number: int  # there
    text: str
    at: int
    is_private: bool


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """One prompt of a session as it stands here."""

    number: int
    at: int
    is_adopted: bool
    is_private: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of a session has come from the other memory."""

    project: str
    prompts: int
    observations: int
    summaries: int


def kept(connection: Connection) -> dict[str, Kept]:
    """Return how much came from the other memory, by session."""
    prompts = _count(connection, UserPrompt, _is_adopted())
    observations = _count(connection, Observation, Observation.agent == AGENT)
    summaries = _count(connection, SessionSummary, SessionSummary.agent == AGENT)
    return {
        one: Kept(project, prompts.get(one, 0), observations.get(one, 0), summaries.get(one, 0))
        for one, project in connection.execute(select(SdkSession.session_id, SdkSession.project))
    }


def session_ids(connection: Connection) -> set[str]:
    """Return the sessions whose prompts are known from the other memory alone."""
    return set(connection.scalars(select(UserPrompt.session_id).where(_is_adopted()).distinct()))


def projects(connection: Connection) -> set[str]:
    """Return the projects of all sessions."""
    return set(connection.scalars(select(SdkSession.project).where(SdkSession.project != "").distinct()))


def put_session(connection: Connection, session: AdoptedSession) -> None:
    """Store a session that is not there."""
    values = {
        "session_id": session.session_id,
        "project": session.project,
        "cwd": session.project,
        "title": session.title,
        "status": SessionStatus.COMPLETED,
        "started_at": iso(session.started_at),
        "started_at_epoch": session.started_at,
        "completed_at": iso(session.completed_at),
        "completed_at_epoch": session.completed_at,
        "last_activity_at_epoch": session.last_at,
        "end_reason": END_REASON,
    }
    connection.execute(insert(SdkSession).values(values))


def prompts(connection: Connection, session_id: str) -> list[StoredPrompt]:
    """Return a session's prompts, oldest first."""
    rows = connection.execute(
        select(UserPrompt.prompt_number, UserPrompt.created_at_epoch, _is_adopted(), UserPrompt.is_private)
        .where(UserPrompt.session_id == session_id)
        .order_by(UserPrompt.prompt_number)
    )
    return [
        StoredPrompt(number, at, bool(is_adopted), is_private=is_private) for number, at, is_adopted, is_private in rows
    ]


def put_prompts(connection: Connection, session_id: str, given: Sequence[AdoptedPrompt]) -> int:
    """Store a session's prompts behind those that are there, each once; return how many were new."""
    uuids = [f"{_UUIDS}{session_id}:{prompt.number}:{prompt.at}" for prompt in given]
    known = set(connection.scalars(select(UserPrompt.uuid).where(UserPrompt.session_id == session_id)))
    number = connection.scalar(select(func.max(UserPrompt.prompt_number)).where(UserPrompt.session_id == session_id))
    new = [(uuid, prompt) for uuid, prompt in dict(zip(uuids, given, strict=True)).items() if uuid not in known]
    rows = [
        {
            "uuid": uuid,
            "session_id": session_id,
            "prompt_number": behind,
            "prompt_text": prompt.text,
            "continues_turn": False,
            "is_private": prompt.is_private,
            "ended_at_epoch": prompt.at,
            "created_at": iso(prompt.at),
            "created_at_epoch": prompt.at,
        }
        for behind, (uuid, prompt) in enumerate(new, start=(number or 0) + 1)
    ]
    if rows:
        connection.execute(insert(UserPrompt), rows)
        connection.execute(
            update(SdkSession)
            .where(SdkSession.session_id == session_id)
            .values(
                prompt_count=SdkSession.prompt_count + len(rows),
                last_prompt_at_epoch=func.max(SdkSession.last_prompt_at_epoch, new[-1][1].at),
            )
        )
    return len(rows)


def observers(connection: Connection, session_id: str) -> dict[int, set[str]]:
    """Return which agents have observed something of a session, by the number of the prompt."""
    found: dict[int, set[str]] = {}
    of_session = select(Observation.prompt_number, Observation.agent).where(Observation.session_id == session_id)
    for number, agent in connection.execute(of_session.distinct()):
        found.setdefault(number, set()).add(agent)
    return found


def summarisers(connection: Connection, session_id: str) -> dict[int, str]:
    """Return which agent has summarised each turn of a session, by the turn's number."""
    rows = connection.execute(
        select(SessionSummary.prompt_number, SessionSummary.agent).where(SessionSummary.session_id == session_id)
    )
    return {row.prompt_number: row.agent for row in rows}


def drop_observations(connection: Connection, session_id: str, numbers: Sequence[int], *, by: str) -> None:
    """Drop what one agent has observed of some turns: another's words take its place."""
    connection.execute(
        delete(Observation).where(
            Observation.session_id == session_id, Observation.agent == by, Observation.prompt_number.in_(numbers)
        )
    )


def move(connection: Connection, session_id: str, project: str) -> None:
    """Let a session, and what came of it, belong to another project."""
    for table in (SdkSession, Observation, SessionSummary):
        connection.execute(update(table).where(table.session_id == session_id).values(project=project))


def _count(
    connection: Connection, table: type[UserPrompt | Observation | SessionSummary], chosen: ColumnElement[bool]
) -> dict[str, int]:
    counts = select(table.session_id, func.count()).where(chosen).group_by(table.session_id)
    return {row.session_id: row[1] for row in connection.execute(counts)}


def _is_adopted() -> ColumnElement[bool]:
    return (UserPrompt.uuid >= _UUIDS) & (UserPrompt.uuid < _BEHIND)
