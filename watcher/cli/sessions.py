"""Owns `claude-mem sessions`: which sessions are remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli import arguments
from watcher.cli.style import from_elsewhere, local_time, notes, say, say_json
from watcher.cli.table import Column, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT = 8  # characters of an id that nearly always tell it from others
_PROJECT = 20  # columns of a project's name at most
_HEADER = (
    Column("session"),
    Column("last heard of"),
    Column("status"),
    Column("#", is_number=True),
    Column("what it came to", gives_way=True),
    Column("project", most=_PROJECT),
)


def sessions(
    project: Annotated[
        Path | None, typer.Option("--project", help="Only those of this project's folder.", metavar="DIR")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", metavar="N", min=1, max=1000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a session each.")] = False,
) -> None:
    """List the sessions, the one last heard of first, and how many observations (#) came of each.

    Each is told in a line: its title, else what was asked first, and what came of it. `claude-mem show` tells more.

    Examples:
        claude-mem sessions
        claude-mem sessions --project . --limit 5
        claude-mem sessions --json | jq -r '.[] | select(.status == "failed") | .session_id'
    """
    from watcher import settings as settings_room
    from watcher.memory import browse, lookup
    from watcher.recall.line import session_line

    with lookup.opened(settings_room.load().database) as connection:
        where = arguments.project(connection, project) if project else None
        found = browse.sessions(connection, where, limit=limit)
        names = lookup.names(connection)
    if as_json:
        say_json(found)
        return
    if not found:
        say(f"no session is remembered{f' of {where}' if where else ' yet'}")
        return
    length = _told_apart([one.session_id for one in found])
    rows = [
        (
            one.session_id[:length],
            local_time(one.last_activity_at),
            one.status,
            f"{one.observations:,}",
            from_elsewhere(session_line(one.title, [one.request], one.outcome), one.origin),
            lookup.name_of(one.project, names),
        )
        for one in found
    ]
    with notes():
        print_table(_HEADER, rows)


def _told_apart(ids: Sequence[str]) -> int:
    """Return how many characters tell each of these ids from the others."""
    length = _SHORT
    while len({one[:length] for one in ids}) < len(set(ids)):
        length += 1
    return length
