"""Owns `claude-mem search`: finding again what was done, decided or asked."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli import arguments
from watcher.cli.style import cell, columns, from_elsewhere, local_time, notes, on_one_line, say, say_json
from watcher.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from watcher.memory.search import Filters, Found

_PROJECT = 20  # columns of a project's name at most
_TITLE = 10  # columns of a title at least
_FIXED = len("  2026-01-01  discovery    ")  # columns of all else


def search(
    words: Annotated[list[str] | None, typer.Argument(help="What to look for.", metavar="WORD")] = None,
    project: Annotated[
        Path | None, typer.Option("--project", help="Only in this project's folder.", metavar="DIR")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="Only observation, summary or prompt.", metavar="KIND")
    ] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only observations of a type, such as bugfix.", metavar="TYPE")
    ] = None,
    file: Annotated[
        str, typer.Option("--file", help="Only observations about a file or folder: pool.py, src/app.", metavar="PATH")
    ] = "",
    concept: Annotated[
        str, typer.Option("--concept", help="Only observations of a concept, such as gotcha.", metavar="CONCEPT")
    ] = "",
    since: Annotated[
        str, typer.Option("--since", help="Not older: 2026-11-01, today, 12h, 3d, 2w.", metavar="DATE")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Not newer: a day counts to its end.", metavar="DATE")] = "",
    session: Annotated[
        str, typer.Option("--session", help="Only of the session whose id begins so.", metavar="ID")
    ] = "",
    order: Annotated[
        str, typer.Option("--order", help="What comes first: relevance, newest or oldest.", metavar="ORDER")
    ] = "relevance",
    limit: Annotated[int, typer.Option("--limit", help="Rows at most.", metavar="N", min=1, max=1000)] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: id, type, title, project, at, session_id, origin.")
    ] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the search index anew before.")] = False,
) -> None:
    """Find observations (#1), summaries (S1) and prompts (P1) in which all the words stand.

    The best come first: those with the words in their title, and of two alike the newer one. Where no row has all of
    the words, those that have some are shown, and it is said. Without words, the newest come first.

    A word also stands for those that begin like it, from four letters on, or three of the last word; for fewer, type
    po*. "In quotation marks", words stand side by side and as they are. Case and accents do not matter. getUserName
    is found by its parts, too: user name.

    Examples:
        claude-mem search connection pool
        claude-mem search '"connection pool"' TS2345
        claude-mem search retry --project . --since 2w
        claude-mem search --file pool.py --type bugfix --type decision
        claude-mem search migrat --json | jq -r '.[].title'
    """
    from watcher import settings as settings_room
    from watcher.cli import dates
    from watcher.memory import lookup
    from watcher.memory.search import KINDS, ORDERS, Filters, types
    from watcher.memory.search import search as find
    from watcher.service.events import now

    moment = now()
    _check("--kind", kind or (), KINDS)
    _check("--order", [order], ORDERS)
    filters = Filters(
        kinds=kind or (),
        types=type_ or (),
        file=file,
        concept=concept,
        since=dates.since("--since", since, moment) if since else None,
        until=dates.until("--until", until, moment) if until else None,
        session=session,
    )
    if filters.since is not None and filters.until is not None and filters.since > filters.until:
        raise UsageError(f"--since {since} is later than --until {until}", hint="exchange the two")
    settings = settings_room.load()
    if rebuild:
        _rebuild(settings.database)
    if not words and not any(filters) and project is None:
        if not rebuild:
            raise UsageError("nothing to look for", hint="claude-mem search WORD, or --since 3d for what is new")
        say("the search index is made anew")
        return
    with lookup.opened(settings.database) as connection:
        if project is not None:
            filters = filters._replace(project=arguments.project(connection, project))
        found = find(connection, words or (), filters, limit=limit, order=order, now=moment)
        there = types(connection) if filters.types and not found.rows else []
        names = lookup.names(connection)
    if found.is_partial:  # beside the rows, which a pipe may read
        typer.echo("no row has all of the words; these have some:", err=True)
    if there and (unknown := sorted(set(filters.types) - set(there))):
        raise UsageError(f"there is no type {' or '.join(unknown)}", hint=f"--type {' or '.join(there)}")
    if as_json:
        say_json(found.rows)
    elif found.rows:
        with notes():
            _show(found.rows, [lookup.name_of(row.project, names) for row in found.rows])
    else:
        say(f"nothing found{f' in {filters.project}' if filters.project else ''}")
        say(f"Try: {_hint(filters, has_words=bool(words))}")


def _check(option: str, given: Iterable[str], known: Sequence[str]) -> None:
    for one in given:
        if one not in known:
            raise UsageError(f"no {option[2:]} {one!r}", hint=f"{option} {', '.join(known[:-1])} or {known[-1]}")


def _hint(filters: Filters, *, has_words: bool) -> str:
    """Return what may find more."""
    narrowing = sum(bool(one) for one in filters) - bool(filters.project)
    ways = [
        "all projects" if filters.project else "",
        f"without {'that' if narrowing == 1 else 'some of the'} option{'' if narrowing == 1 else 's'}"
        if narrowing
        else "",
        "fewer words, or only how they begin" if has_words else "",
    ]
    return ", ".join(way for way in ways if way)


def _rebuild(path: Path) -> None:
    from watcher.memory import search_index
    from watcher.memory.database import Database, driver

    database = Database.existing(path)
    with database.write() as connection:
        search_index.rebuild(driver(connection))
        search_index.refill(driver(connection))
    database.close()


def _show(found: Sequence[Found], names: Sequence[str]) -> None:
    """Print a row each with its project's name, as wide as the terminal is; a pipe gets the titles whole."""
    ids = max(len(row.id) for row in found)
    width = min(_PROJECT, max(columns(on_one_line(name)) for name in names))
    left = max(_TITLE, shutil.get_terminal_size().columns - ids - width - _FIXED)
    titles = [from_elsewhere(row.title, row.origin) for row in found]
    left = min(left, max(columns(on_one_line(title)) for title in titles))
    for row, title, name in zip(found, titles, names, strict=True):
        is_cut = sys.stdout.isatty()
        title = cell(title, left) if is_cut else on_one_line(title)  # noqa: PLW2901 - as it is shown
        project = cell(name, width).rstrip() if is_cut else on_one_line(name)
        say(f"{row.id:<{ids}}  {local_time(row.at)[:10]}  {row.type:<9}  {title}  {project}")
