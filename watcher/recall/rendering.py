"""Owns bringing the stored context of a project up to date: rendered, or taken away where nothing is remembered."""

from __future__ import annotations

from sqlalchemy import Connection

from watcher.memory import lookup, recollection
from watcher.memory.database import driver
from watcher.recall import context
from watcher.settings import ContextSettings


def bring_up_to_date(connection: Connection, project: str, settings: ContextSettings, *, now: int) -> None:
    """Render what a project's next session will read, in the transaction of what has changed."""
    beneath = driver(connection)
    text = context.render(beneath, project, settings)
    if not text:
        recollection.remove_context(connection, project)
    elif text != lookup.context(beneath, project):
        recollection.put_context(connection, project, text, now=now)
