"""Owns which project a call means: the session's own, one by its folder or its name, or all."""

from __future__ import annotations

import sqlite3

from watcher.errors import UsageError
from watcher.memory import browse, lookup
from watcher.privacy.plain import one_line
from watcher.recall.tools import ALL

_LOOKED_THROUGH = 10_000  # projects, for one of a name
_NAMED = 10  # where one is not known


class Scope:
    """Tells what is meant by a project; `own` is the folder that is meant where none is given."""

    def __init__(self, connection: sqlite3.Connection, own: str) -> None:
        self._connection = connection
        self._own = own

    def project(self, given: str | None) -> str | None:
        """Return the folder that is meant; None for all projects.

        Raises:
            UsageError: none is meant, or more than one.
        """
        if given is None:
            return lookup.project_of(self._connection, self._own)
        if given == ALL:
            return None
        known = self._known()
        names = lookup.names(self._connection)
        named = [one for one in (given, lookup.project_of(self._connection, given)) if one in known][:1] or [
            one for one in known if lookup.name_of(one, names).casefold() == given.casefold()
        ]
        if len(named) == 1:
            return named[0]
        if named:
            raise UsageError(f"more than one project is called {given}", hint=f"one of {_listed(named)}")
        raise UsageError(f"nothing is remembered of a project {given}", hint=self._others())

    def hint(self, project: str | None) -> str:
        """Return where to look, having found nothing in a project."""
        if project is None:
            return "Try fewer words."
        if project in self._known():
            return f'Try fewer words, or project="{ALL}".'
        return f"Nothing at all is remembered of it. Try {self._others()}."

    def _others(self) -> str:
        known = self._known()
        return f'project="{ALL}"{f", or one of {_listed(known)}" if known else ""}'

    def _known(self) -> list[str]:
        return [one.project for one in browse.projects(self._connection, limit=_LOOKED_THROUGH)]


def _listed(folders: list[str]) -> str:
    return ", ".join(map(one_line, folders[:_NAMED])) + (", …" if len(folders) > _NAMED else "")
