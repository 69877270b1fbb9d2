"""Owns knowing which project a folder is of: found out once, kept in the memory, looked at again after a day.

Hooks only read what is kept: a SessionStart where none has been asks for it by a flag. Git is asked outside any
transaction, so nobody waits for it who does not have to.
"""

from __future__ import annotations

from watcher.memory import projects
from watcher.memory.database import Database
from watcher.recall.rendering import bring_up_to_date
from watcher.service import repository
from watcher.service.events import Clock, now
from watcher.settings import ContextSettings

KEPT = 86_400_000  # milliseconds until a folder is looked at again: it may have become another repository's


class Projects:
    """Tells projects. Used by one thread at a time."""

    def __init__(self, database: Database, *, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def settle(self, folder: str) -> str:
        """Return the project that a folder is of; find that out where it is not known, or was long ago."""
        if not folder:
            return ""
        moment = self._clock()
        with self._database.read() as connection:
            known = projects.found_since(connection, folder, moment - KEPT, moment + KEPT)
        if known is not None:
            return known
        place = repository.look(folder)
        with self._database.read() as connection:
            claimed = {
                project: projects.identities(connection, project)
                for project in projects.candidates(connection, place)
                if project != place.root
            }
        there = {project for project, known_by in claimed.items() if _is_there(project, known_by)}
        with self._database.write() as connection:
            return projects.settle(connection, place, there, now=moment)

    def settle_some(self, most: int) -> list[str]:
        """Look at folders that were kept before anybody looked; return the projects they are of, none in the end."""
        with self._database.read() as connection:
            folders = projects.without_place(connection, most)
        found = [self.settle(folder) for folder in folders]
        for folder, project in zip(folders, found, strict=True):
            if project != folder:
                with self._database.write() as connection:
                    projects.rename(connection, folder, project)
        return found


def join(database: Database, old: str, new: str, settings: ContextSettings) -> None:
    """Make a project a part of another, which need not be there yet, and bring up to date what sessions read there."""
    with database.write() as connection:
        projects.rename(connection, old, new)
        bring_up_to_date(connection, new, settings, now=now())


def _is_there(project: str, known_by: set[str]) -> bool:
    """Say whether a project's own folder still holds it."""
    found = set(repository.look(project).identities)
    return repository.is_there(project) and (not found or bool(known_by & found))
