"""Owns what a context is rendered from, and storing it; `lookup` reads it back."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from watcher.memory.database import insert
from watcher.memory.models import Context, Observation, SessionSummary
from watcher.memory.outcomes import SummaryFields


@dataclass(frozen=True, slots=True)
class RecalledSummary:
    """One turn's summary."""

    session_id: str
    prompt_number: int
    fields: SummaryFields
    source: str  # provisional or agent
    at: int  # epoch of the turn's end


@dataclass(frozen=True, slots=True)
class RecalledObservation:
    """One observation, as much of it as an index needs."""

    id: int
    type: str
    title: str
    subtitle: str
    files_modified: tuple[str, ...]
    at: int  # epoch


def recent_summaries(connection: Connection, project: str, limit: int) -> list[RecalledSummary]:
    """Return a project's summaries, the newest first."""
    rows = connection.execute(
        select(SessionSummary.__table__)
        .where(SessionSummary.project == project)
        .order_by(SessionSummary.created_at_epoch.desc(), SessionSummary.id.desc())
        .limit(limit)
    )
    return [
        RecalledSummary(
            session_id=row.session_id,
            prompt_number=row.prompt_number,
            fields=SummaryFields(row.request, row.investigated, row.learned, row.completed, row.next_steps, row.notes),
            source=row.source,
            at=row.created_at_epoch,
        )
        for row in rows
    ]


def recent_observations(connection: Connection, project: str, limit: int) -> list[RecalledObservation]:
    """Return a project's observations, the newest first."""
    rows = connection.execute(
        select(
            Observation.id,
            Observation.type,
            Observation.title,
            Observation.subtitle,
            Observation.files_modified,
            Observation.created_at_epoch,
        )
        .where(Observation.project == project)
        .order_by(Observation.created_at_epoch.desc(), Observation.id.desc())
        .limit(limit)
    )
    return [
        RecalledObservation(
            id=row.id,
            type=row.type,
            title=row.title,
            subtitle=row.subtitle,
            files_modified=tuple(row.files_modified),
            at=row.created_at_epoch,
        )
        for row in rows
    ]


def put_context(connection: Connection, project: str, text: str, *, now: int) -> None:
    """Store what the next session of a project will read."""
    values = {"text": text, "rendered_at_epoch": now}
    connection.execute(
        insert(Context).values(project=project, **values).on_conflict_do_update(index_elements=["project"], set_=values)
    )
