"""Owns `claude-mem context`: what the next session will read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.arguments import folder
from watcher.cli.style import say_json
from watcher.errors import ClaudeMemError


def context(
    project: Annotated[
        Path | None, typer.Option("--project", help="The project's folder; this one unless told.", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: project, text, units.")] = False,
) -> None:
    """Print exactly what the next session of a project will read at its start.

    Examples:
        claude-mem context
        claude-mem context --project ~/code/api
    """
    from watcher import settings as settings_room
    from watcher.memory import lookup
    from watcher.recall.units import units

    settings = settings_room.load()
    where = folder(project)
    with lookup.opened(settings.database) as connection:
        text = lookup.context(connection, where)
        known = lookup.projects(connection)
    if as_json:
        say_json({"project": where, "text": text, "units": units(text)})
    elif text:
        typer.echo(text)
    else:
        hint = f"claude-mem context --project {known[0]}" if known else "claude-mem status"
        raise ClaudeMemError(f"nothing is remembered of {where}", hint=hint)
