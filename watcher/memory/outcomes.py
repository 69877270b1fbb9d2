"""Owns what comes of a digest: summaries, observations, the marks on tool uses, and what it cost.

Whoever worded it, only plain text is stored: an agent may have copied what was hidden in a tool's output.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from watcher.memory import tombstones
from watcher.memory.database import insert, iso
from watcher.memory.identifiers import all_parts
from watcher.memory.models import Observation, SdkSession, SessionSummary, SummarySource, ToolUse, ToolUseStatus
from watcher.memory.states import TombstoneKind
from watcher.memory.turns import Turn
from watcher.privacy.redaction import clean, redact

MISSING = "unreadable: the answer lacks the summary of this turn"  # what is kept as the error then


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

    prompt_number: int  # of its turn
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
    basis: str = ""  # of Basis; empty where that is not known
    origin: str = ""  # of Origin


@dataclass(frozen=True, slots=True)
class Retried:
    """How much was given up, and is now tried again."""

    tool_uses: int
    summaries: int


def put_provisional(
    connection: Connection,
    turn: Turn,
    summary: SummaryFields,
    *,
    is_brief: bool = False,
    agent: str,
    origin: str = "",
    now: int,
) -> bool:
    """Store a provisional summary, unless the agent's knows the same closing words; say whether it was stored.

    One that `is_brief` does not wait for the agent's.
    """
    source = SummarySource.BRIEF if is_brief else SummarySource.PROVISIONAL
    return _put_summary(connection, turn, summary, source, agent, origin, now) > 0


def put_agent_summary(
    connection: Connection, turn: Turn, summary: SummaryFields, *, agent: str, origin: str = "", now: int
) -> None:
    """Store the agent's summary in the place of what was there, unless that knows later closing words."""
    _put_summary(connection, turn, summary, SummarySource.AGENT, agent, origin, now)


def put_observations(
    connection: Connection, session_id: str, project: str, observations: Iterable[ObservationFields], *, agent: str
) -> int:
    """Store observations, each content once a session and none that was forgotten; return how many were new."""
    rows = [
        {
            **_without_time(observation),
            "session_id": session_id,
            "project": project,
            "agent": agent,
            "content_hash": _content_hash(observation),
            "identifiers": all_parts(_texts(observation)),
            "created_at": iso(observation.at),
            "created_at_epoch": observation.at,
        }
        for observation in map(_clean_observation, observations)
    ]
    rows = _not_forgotten(connection, session_id, rows)
    if not rows:
        return 0
    stored = connection.execute(insert(Observation).on_conflict_do_nothing(), rows).rowcount
    count = select(func.count()).where(Observation.session_id == session_id).scalar_subquery()
    connection.execute(update(SdkSession).where(SdkSession.session_id == session_id).values(observation_count=count))
    return stored


def mark_observed(connection: Connection, origins: Mapping[str, str]) -> None:
    """Take tool uses off the queue, of which it is told where their output came from; their excerpts have served."""
    for origin in sorted(set(origins.values())):
        these = [tool_use_id for tool_use_id, its in origins.items() if its == origin]
        connection.execute(
            update(ToolUse)
            .where(ToolUse.tool_use_id.in_(these))
            .values(status=ToolUseStatus.OBSERVED, input=None, output=None, origin=origin)
        )


def count_failure(
    connection: Connection,
    session_id: str,
    tool_use_ids: Sequence[str],
    *,
    turns: Sequence[int],
    wanted: Sequence[int],
    error: str,
    counts: bool,
    max_attempts: int,
) -> None:
    """Keep what went wrong with a batch and, where the try `counts`, count it.

    After the last try a batch's tool uses are failed, and the provisional summaries of its turns stand. `turns` are
    the numbers of all of them, `wanted` those of which it was to bring a summary.
    """
    tries = 1 if counts else 0
    these = update(ToolUse).where(ToolUse.tool_use_id.in_(tool_use_ids))
    connection.execute(these.values(attempts=ToolUse.attempts + tries))
    connection.execute(these.where(ToolUse.attempts >= max_attempts).values(status=ToolUseStatus.FAILED))
    _count_tries(connection, session_id, turns, error, 0)
    _count_tries(connection, session_id, wanted, error, tries)


def count_missing(connection: Connection, session_id: str, wanted: Sequence[int]) -> None:
    """Count a try at summaries that an answer did not bring, though it was of use otherwise."""
    _count_tries(connection, session_id, wanted, MISSING, 1)


def _count_tries(connection: Connection, session_id: str, turns: Sequence[int], error: str, tries: int) -> None:
    connection.execute(
        update(SessionSummary)
        .where(SessionSummary.session_id == session_id, SessionSummary.prompt_number.in_(turns))
        .values(attempts=SessionSummary.attempts + tries, last_error=redact(error))
    )


def retry(connection: Connection, max_attempts: int) -> Retried:
    """Have the agent asked again for what it was given up for; what is no longer kept cannot be tried."""
    tool_uses = connection.execute(
        update(ToolUse)
        .where(ToolUse.status == ToolUseStatus.FAILED, ToolUse.input.is_not(None))
        .values(status=ToolUseStatus.PENDING, attempts=0)
    ).rowcount
    summaries = connection.execute(
        update(SessionSummary)
        .where(SessionSummary.source == SummarySource.PROVISIONAL, SessionSummary.attempts >= max_attempts)
        .values(attempts=0)
    ).rowcount
    return Retried(tool_uses, summaries)


def is_by(connection: Connection, session_id: str, agent: str) -> bool:
    """Say whether an agent has observed anything of a session, or summarised a turn of it for good."""
    observed = select(Observation.id).where(Observation.session_id == session_id, Observation.agent == agent)
    summarised = select(SessionSummary.id).where(
        SessionSummary.session_id == session_id,
        SessionSummary.agent == agent,
        SessionSummary.source == SummarySource.AGENT,
    )
    return any(connection.scalar(one.limit(1)) is not None for one in (observed, summarised))


def _put_summary(
    connection: Connection,
    turn: Turn,
    summary: SummaryFields,
    source: SummarySource,
    agent: str,
    origin: str,
    now: int,
) -> int:
    summary = SummaryFields(**{name: clean(value) for name, value in asdict(summary).items()})
    values = {
        **asdict(summary),
        "summary_text": summary.text,
        "identifiers": all_parts(asdict(summary).values()),
        "source": source,
        "agent": agent,
        "origin": origin,
        "closing_at_epoch": turn.closing_at,
        "created_at": iso(turn.last_at),
        "created_at_epoch": turn.last_at,
        "updated_at_epoch": now,
        "attempts": 0,
    }
    statement = insert(SessionSummary).values(
        session_id=turn.session_id,
        project=turn.project,
        prompt_number=turn.number,
        **values,
    )
    # Whoever knows the later closing words is right: an agent may have been asked before the turn went on.
    if source == SummarySource.AGENT:
        values |= {"last_error": None}
        may_replace: ColumnElement[bool] = SessionSummary.closing_at_epoch <= turn.closing_at
    else:
        is_newer = SessionSummary.closing_at_epoch < turn.closing_at
        may_replace = (SessionSummary.source != SummarySource.AGENT) | is_newer
    connection.execute(
        # A prompt typed mid-turn may have come in after the turn was summarised under the one before.
        delete(SessionSummary).where(
            SessionSummary.session_id == turn.session_id,
            SessionSummary.prompt_number >= turn.first_number,
            SessionSummary.prompt_number < turn.number,
        )
    )
    return connection.execute(
        statement.on_conflict_do_update(index_elements=["session_id", "prompt_number"], set_=values, where=may_replace)
    ).rowcount


def _clean_observation(one: ObservationFields) -> ObservationFields:
    """Return an observation as it is stored: a model may repeat what an older version, or another memory, let in."""
    return replace(
        one,
        title=clean(one.title),
        subtitle=clean(one.subtitle),
        narrative=clean(one.narrative),
        facts=tuple(map(clean, one.facts)),
        concepts=tuple(map(clean, one.concepts)),
        files_read=tuple(map(clean, one.files_read)),
        files_modified=tuple(map(clean, one.files_modified)),
    )


def _not_forgotten(connection: Connection, session_id: str, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    keys = [tombstones.observation_key(session_id, str(row["content_hash"])) for row in rows]
    forgotten = tombstones.known(connection, keys, TombstoneKind.OBSERVATION)
    return [row for key, row in zip(keys, rows, strict=True) if key not in forgotten]


def _without_time(observation: ObservationFields) -> dict[str, object]:
    values = asdict(observation)
    del values["at"]
    return values


def _texts(observation: ObservationFields) -> tuple[str, ...]:
    said = (observation.title, observation.subtitle, observation.narrative, *observation.facts)
    return (*said, *observation.files_read, *observation.files_modified)


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
