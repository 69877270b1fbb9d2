"""Owns `claude-mem search`: finding again what was done, decided or asked."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.arguments import folder
from watcher.cli.style import cell, columns, local_time, on_one_line, say, say_json
from watcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.memory.search import Found

_PROJECT = 20  # columns of a project's name at most
_TITLE = 10  # columns of a title at least
_FIXED = len("  2026-01-01  discovery    ")  # columns of all else


def search(
    words: Annotated[list[str] | None, typer.Argument(help="What to look for.", metavar="WORD")] = None,
    project: Annotated[
        Path | None, typer.Option("--project", help="Only in this project's folder.", metavar="DIR")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", metavar="N", min=1, max=1000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: id, type, title, project, at.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the search index anew before.")] = False,
) -> None:
    """Find observations (#1), summaries (S1) and prompts (P1) in which all the words stand.

    The best come first: those with the words in their title, and of two alike the newer one. Of the last word three
    letters are enough. Case and accents do not matter.

    Examples:
        claude-mem search connection pool
        claude-mem search retry --project . --limit 5
        claude-mem search migrat --json | jq -r '.[].title'
    """
    from watcher import settings as settings_room
    from watcher.memory import lookup
    from watcher.memory.search import search as find
    from watcher.service.events import now

    settings = settings_room.load()
    if rebuild:
        _rebuild(settings.database)
    if not words:
        if not rebuild:
            raise UsageError("nothing to look for", hint="claude-mem search WORD")
        say("the search index is made anew")
        return
    where = folder(project) if project else None
    with lookup.opened(settings.database) as connection:
        found = find(connection, words, project=where, limit=limit, now=now())
    if as_json:
        say_json(found)
    elif found:
        _show(found)
    else:
        say(f"nothing found{f' in {where}' if where else ''}")
        say(f"Try: {'all projects, ' if where else ''}fewer words, or only how they begin")


def _rebuild(path: Path) -> None:
    from watcher.memory import search_index
    from watcher.memory.database import Database, driver

    database = Database.existing(path)
    with database.write() as connection:
        search_index.rebuild(driver(connection))
    database.close()


def _show(found: Sequence[Found]) -> None:
    """Print a row each, as wide as the terminal is; a pipe gets the titles whole."""
    names = [row.project.replace("\\", "/").rsplit("/", 1)[-1] for row in found]
    ids = max(len(row.id) for row in found)
    width = min(_PROJECT, max(columns(on_one_line(name)) for name in names))
    left = max(_TITLE, shutil.get_terminal_size().columns - ids - width - _FIXED)
    left = min(left, max(columns(on_one_line(row.title)) for row in found))
    for row, name in zip(found, names, strict=True):
        is_cut = sys.stdout.isatty()
        title = cell(row.title, left) if is_cut else on_one_line(row.title)
        project = cell(name, width).rstrip() if is_cut else name
        say(f"{row.id:<{ids}}  {local_time(row.at)[:10]}  {row.type:<9}  {title}  {project}")
