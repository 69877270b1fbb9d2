"""Owns `claude-mem projects`: which projects are remembered."""

from __future__ import annotations

from typing import Annotated

import typer

from watcher.cli.style import local_time, say, say_json
from watcher.cli.table import Column, print_table

_HEADER = (
    Column("last heard of"),
    Column("sessions", is_number=True),
    Column("observations", is_number=True),
    Column("project", gives_way=True),
)


def projects(
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", metavar="N", min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a project each.")] = False,
) -> None:
    """List the projects that are remembered, the one last heard of first.

    Examples:
        claude-mem projects
        claude-mem projects --limit 5
        claude-mem projects --json | jq -r '.[].project'
    """
    from watcher import settings as settings_room
    from watcher.memory import browse, lookup

    with lookup.opened(settings_room.load().database) as connection:
        found = browse.projects(connection, limit=limit)
    if as_json:
        say_json(found)
    elif found:
        rows = [
            (local_time(one.last_activity_at), f"{one.sessions:,}", f"{one.observations:,}", one.project)
            for one in found
        ]
        print_table(_HEADER, rows)
    else:
        say("no project is remembered yet")
