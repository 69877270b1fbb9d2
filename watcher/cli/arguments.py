"""Owns reading what was typed.

typer has pydantic read every value, even that an option was not given, and importing pydantic takes longer than all
the rest of most commands. What is not plainly right goes the way through typer, which also words what is wrong with it.
A typer that does not ask here makes commands slower, and changes nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from watcher.errors import ClaudeMemError, UsageError

if TYPE_CHECKING:
    import sqlite3

PROJECTS = 100_000  # looked through for one of a name

_PLAIN: dict[object, Callable[[Any], Any]] = {str: str, Path: Path, list[str]: list}


class _Reading:
    """Reads the value of one parameter, in the place of typer's own way to."""

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """Return what the command is to be given; typer calls this, and words what is wrong with a value."""
        kind, known = param.type_descriptor.annotation, param.type_descriptor.parameter_info
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind in _PLAIN:
            return _PLAIN[kind](value)
        if kind is int and str(value).isdecimal() and (known.min or 0) <= int(value) <= (known.max or sys.maxsize):
            return int(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _lightly(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "_runtime_param", None) is None:
            param._runtime_param = _Reading()
    return params


def folder(given: Path | None) -> str:
    """Return a project's folder as the memory names it: this one where none is given."""
    path = (given or Path.cwd()).expanduser().absolute()
    return os.fsencode(path).decode("utf-8", "replace")


def project(connection: sqlite3.Connection, given: Path) -> str:
    """Return the project that a folder, or a name that is not a folder's, means; the folder itself where none is known.

    Raises:
        UsageError: more than one project has that name.
    """
    from watcher.memory import browse, lookup

    place = folder(given)
    found = lookup.project_of(connection, place)
    if found != place or Path(place).is_dir():
        return found
    names = lookup.names(connection)
    known = [one.project for one in browse.projects(connection, limit=PROJECTS)]
    named = [one for one in known if lookup.name_of(one, names).casefold() == str(given).casefold()]
    if len(named) > 1 and place not in known:
        raise UsageError(f"more than one project is called {given}: {', '.join(named)}", hint="name its folder")
    return named[0] if named and place not in known else place


def known_project(connection: sqlite3.Connection, given: str) -> str:
    """Return the same of one that is in the memory: elsewhere a name that was mistyped would pass for an empty project.

    Raises:
        ClaudeMemError: it is not.
        UsageError: more than one project has that name.
    """
    from watcher.memory import lookup

    found = project(connection, Path(given))
    if not lookup.is_known(connection, found):
        raise ClaudeMemError(f"nothing is remembered of a project {given}", hint="claude-mem projects (it lists them)")
    return found


def refuse_empty(options: Mapping[str, str | None], hint: str) -> None:
    """Refuse an option that is empty, as of a script's variable that is not set: without it more would be meant.

    Raises:
        UsageError: one is.
    """
    for option, value in options.items():
        if value is not None and not value.strip():
            raise UsageError(f"{option} is empty", hint=hint)


class Command(TyperCommand):
    """A command that is read lightly."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: D102 - typer's
        return _lightly(super().get_params(ctx))


class Group(TyperGroup):
    """A group that is read lightly."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: D102 - typer's
        return _lightly(super().get_params(ctx))
