"""Owns storing a context; `recalled` asks for what it is rendered from, and `lookup` reads it back."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from watcher.memory.database import insert
from watcher.memory.models import Context


def put_context(connection: Connection, project: str, text: str, *, now: int) -> None:
    """Store what the next session of a project will read."""
    values = {"text": text, "rendered_at_epoch": now}
    connection.execute(
        insert(Context).values(project=project, **values).on_conflict_do_update(index_elements=["project"], set_=values)
    )


def remove_context(connection: Connection, project: str) -> None:
    """Take away what a project's next session would read."""
    connection.execute(delete(Context).where(Context.project == project))
