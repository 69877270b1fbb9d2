"""Owns `claude-mem projects`: which projects are remembered, joining two of them, and naming one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli import arguments
from watcher.cli.style import local_time, notes, say, say_json
from watcher.cli.table import Column, print_table
from watcher.errors import UsageError

if TYPE_CHECKING:
    import sqlite3

_HEADER = (
    Column("last heard of"),
    Column("sessions", is_number=True),
    Column("observations", is_number=True),
    Column("name", most=24),
    Column("project", gives_way=True),
)
_LIST_HINT = "claude-mem projects (it lists them)"
_ACTIONS = "claude-mem projects merge OLD NEW, or claude-mem projects rename PROJECT NAME"


def projects(
    action: Annotated[
        list[str] | None, typer.Argument(help="To change something.", metavar="[merge OLD NEW|rename PROJECT NAME]")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", metavar="N", min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a project each.")] = False,
) -> None:
    """List the projects that are remembered, the one last heard of first; join two of them, or name one.

    A repository is one project with all its folders and worktrees, also after it was moved; two folders of the same
    name are two. `merge` gives all that is remembered of one to another, for good, and sessions that start in the
    folders of the one too: for a folder without a repository that was moved, say. `rename` changes only what a project
    is shown as; an empty name takes it back. A project is named by its folder, or by its name where that is one.

    Examples:
        claude-mem projects
        claude-mem projects --json | jq -r '.[].project'
        claude-mem projects merge ~/old/notes ~/notes
        claude-mem projects rename ~/code/api "billing api"
    """
    match action or []:
        case []:
            _list(limit, as_json=as_json)
        case ["merge", old, new]:
            _merge(old, new)
        case ["rename", project, name]:
            _rename(project, name)
        case ["merge" | "rename", *_]:
            raise UsageError(f"{(action or [''])[0]} takes two arguments", hint=_ACTIONS)
        case [other, *_]:
            raise UsageError(f"there is no {other!r} of projects", hint=_ACTIONS)


def _list(limit: int, *, as_json: bool) -> None:
    from watcher import settings as settings_room
    from watcher.memory import browse, lookup

    with lookup.opened(settings_room.load().database) as connection:
        found = browse.projects(connection, limit=limit)
        names = lookup.names(connection)
    if as_json:
        say_json([{**one._asdict(), "name": lookup.name_of(one.project, names)} for one in found])
    elif found:
        rows = [
            (
                local_time(one.last_activity_at),
                f"{one.sessions:,}",
                f"{one.observations:,}",
                lookup.name_of(one.project, names),
                one.project,
            )
            for one in found
        ]
        with notes():
            print_table(_HEADER, rows)
    else:
        say("no project is remembered yet")


def _merge(given: str, into: str) -> None:
    from watcher import settings as settings_room
    from watcher.memory import lookup
    from watcher.memory.database import Database
    from watcher.service.projects import join

    settings = settings_room.load()
    with lookup.opened(settings.database) as connection:
        old = _known(connection, given)
        new = _known(connection, into, may_be_new=True)
    if old == new:
        raise UsageError(f"{given} and {into} are one project already: {old}", hint=_LIST_HINT)
    database = Database.existing(settings.database)
    join(database, old, new, settings.context)
    database.close()
    say(f"{old} is a part of {new} now")


def _rename(given: str, name: str) -> None:
    from watcher import settings as settings_room
    from watcher.memory import lookup
    from watcher.memory import projects as projects_room
    from watcher.memory.database import Database

    settings = settings_room.load()
    with lookup.opened(settings.database) as connection:
        project = _known(connection, given)
    database = Database.existing(settings.database)
    with database.write() as writing:
        projects_room.name(writing, project, " ".join(name.split()))
    with lookup.opened(settings.database) as connection:
        shown = lookup.name_of(project, lookup.names(connection))
    database.close()
    say(f"{project} is shown as {shown} now")


def _known(connection: sqlite3.Connection, given: str, *, may_be_new: bool = False) -> str:
    """Return the project that is meant by a folder or a name.

    Raises:
        UsageError: none is, or more than one; with `may_be_new`, not of a folder that is there.
    """
    from watcher.memory import browse

    found = arguments.project(connection, Path(given))
    known = {one.project for one in browse.projects(connection, limit=arguments.PROJECTS)}
    if found in known or (may_be_new and Path(found).is_dir()):
        return found
    raise UsageError(f"nothing is remembered of a project {given}", hint=_LIST_HINT)
