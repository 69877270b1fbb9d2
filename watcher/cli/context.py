"""Owns `claude-mem context`: what the next session will read, and what of it each part takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli import arguments
from watcher.cli.style import say, say_json
from watcher.errors import ClaudeMemError
from watcher.privacy.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from watcher.recall.context import Context

_COLUMNS = ("claimed", "share", "given", "used", "shown", "left out")
_WIDTHS = (10, 8, 8, 8, 8, 10)
_NAME = 24  # columns


def context(
    project: Annotated[
        Path | None, typer.Option("--project", help="The project's folder; this one unless told.", metavar="DIR")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what each part of it takes, and how much of it is left out.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: project, text, units; with --explain what was left out, too.")
    ] = False,
) -> None:
    """Print exactly what the next session of a project will read at its start.

    Its size, and which parts it has in which order, is `max_units` and `parts` under [context] in config.toml.

    Examples:
        claude-mem context
        claude-mem context --project ~/code/api
        claude-mem context --explain
        claude-mem context --explain --json | jq '.parts[] | {name, left_out}'
    """
    from watcher import settings as settings_room
    from watcher.memory import lookup, recalled
    from watcher.recall.context import MOST, compose
    from watcher.recall.units import units
    from watcher.service.events import now

    settings = settings_room.load()
    with lookup.opened(settings.database) as connection:
        where = arguments.project(connection, project or Path.cwd())
        text = recalled.with_beside(connection, where, now=now())
        known = lookup.projects(connection)
        composed = compose(connection, where, settings.context) if explain else None
        is_current = composed is not None and composed.text == lookup.context(connection, where)
    if as_json:
        more = _explained(composed, is_current=is_current) if composed else {}
        say_json({"project": where, "text": text, "units": units(text), **more})
    elif not text:
        hint = f"claude-mem context --project {known[0]}" if known else "claude-mem status"
        raise ClaudeMemError(f"nothing is remembered of {where}", hint=hint)
    elif composed:
        _print_table(composed, whole=units(text), most=min(settings.context.max_units, MOST))
        if not is_current:
            say("The text stored is an older one: it is made anew with the project's next summary.")
    else:
        typer.echo(plain(text))


def _explained(composed: Context, *, is_current: bool) -> dict[str, Any]:
    """Return what each part takes as JSON has it."""
    parts = [
        {
            "name": part.name,
            "claimed": part.claimed,
            "share": part.share,
            "given": part.given,
            "used": part.used,
            "shown": part.shown,
            "left_out": part.left_out,
        }
        for part in composed.parts
    ]
    return {"is_current": is_current, "around": composed.around, "parts": parts}


def _print_table(composed: Context, *, whole: int, most: int) -> None:
    """Print a line a part, in UTF-16 units."""
    say(_row("units", _COLUMNS), bold=True)
    for part in composed.parts:
        figures = (part.claimed, part.share, part.given, part.used, len(part.shown), len(part.left_out))
        say(_row(part.name, [f"{number:,}" for number in figures]))
    beside = whole - composed.around - sum(part.used for part in composed.parts)
    say(_row("opening and closing", ["", "", "", f"{composed.around:,}", "", ""]))
    if beside > 0:
        say(_row("a session beside", ["", "", "", f"{beside:,}", "", ""]))
    say(_row(f"in all, of {most:,}", ["", "", "", f"{whole:,}", "", ""]), bold=True)


def _row(name: str, cells: Iterable[str]) -> str:
    return f"{name:<{_NAME}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()
