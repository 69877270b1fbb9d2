"""Owns `claude-mem timeline`: what happened before and after something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli import arguments
from watcher.cli.style import from_elsewhere, local_time, notes, on_one_line, say, say_json
from watcher.cli.table import Column, print_table
from watcher.errors import ClaudeMemError, UsageError

if TYPE_CHECKING:
    import sqlite3

    from watcher.memory.browse import Ref

_HEADER = (Column(), Column(), Column(), Column(), Column(gives_way=True))


def timeline(
    anchor: Annotated[list[str], typer.Argument(help="An id, or words to look for.", metavar="ID|WORD...")],
    before: Annotated[int, typer.Option("--before", help="Things before it.", metavar="N", min=0, max=500)] = 10,
    after: Annotated[int, typer.Option("--after", help="Things after it.", metavar="N", min=0, max=500)] = 10,
    project: Annotated[
        Path | None, typer.Option("--project", help="Look for the words in this project's folder.", metavar="DIR")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: project, anchor, moments.")] = False,
) -> None:
    """Show what happened in a project around an observation, a summary or a prompt, the oldest first.

    It is named by its id, or by words: then it is the best of what `claude-mem search` finds.

    Examples:
        claude-mem timeline '#12'
        claude-mem timeline S3 --before 3 --after 0
        claude-mem timeline connection pool --project . --json | jq -r '.moments[].title'
    """
    from watcher import settings as settings_room
    from watcher.memory import browse, lookup, moments

    if not any(word.strip() for word in anchor):
        raise UsageError("nothing to look for", hint="claude-mem timeline '#12', or claude-mem timeline WORD")
    named = browse.ref(anchor[0]) if len(anchor) == 1 else None
    with lookup.opened(settings_room.load().database) as connection:
        where = arguments.project(connection, project) if project else None
        what = named or _best(connection, anchor, where)
        position = moments.position(connection, what)
        if position is None:
            raise ClaudeMemError(f"there is no {what}", hint="claude-mem search WORD (it prints the ids there are)")
        found = moments.around(connection, position, before=before, after=after)
    if as_json:
        say_json({"project": position.project, "anchor": str(what), "moments": found})
        return
    rows = [
        (
            ">" if one.id == str(what) else "",
            one.id,
            local_time(one.at),
            one.type,
            from_elsewhere(one.title, one.origin),
        )
        for one in found
    ]
    with notes():
        say(on_one_line(position.project), bold=True)
        print_table(_HEADER, rows)


def _best(connection: sqlite3.Connection, words: list[str], project: str | None) -> Ref:
    """Return the best of what is found."""
    from watcher.memory import browse
    from watcher.memory.search import Filters, search
    from watcher.service.events import now

    found = search(connection, words, Filters(project=project), limit=1, now=now()).rows
    what = browse.ref(found[0].id) if found else None
    if what is None:
        raise ClaudeMemError(f"nothing is found for {' '.join(words)!r}", hint="fewer words, or only how they begin")
    return what
