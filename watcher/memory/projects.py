"""Owns which project a folder belongs to, by what tells a repository from all others.

A project is called by the folder it was first seen in; all of its rows carry that. A repository is known again by its
remote or by its first commits, wherever it lies and whichever of its folders or worktrees a session starts in; where
there is no repository, by the path alone. One that has moved takes its rows along to its new folder.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from watcher.memory.database import insert, iso
from watcher.memory.models import (
    AgentRequest,
    Context,
    Delivery,
    Flag,
    Observation,
    ProjectFolder,
    ProjectIdentity,
    ProjectName,
    SdkSession,
    SessionSummary,
)

_REMOTE, _COMMIT = "remote:", "commit:"  # how the two kinds of identities begin
_CARRYING = (SdkSession, Observation, SessionSummary, AgentRequest, Flag, Delivery, ProjectFolder, ProjectIdentity)


@dataclass(frozen=True, slots=True)
class Place:
    """What a folder is found to be a part of."""

    folder: str
    root: str  # of the repository, or of the one that it is a worktree of; the folder itself where there is none
    remote: str = ""  # where the repository comes from; empty where from nowhere, or where it is not known
    commits: tuple[str, ...] = ()  # the first ones of its history; none where that is not known

    @property
    def identities(self) -> tuple[str, ...]:
        """What tells the repository from others, the surest first."""
        remote = (f"{_REMOTE}{self.remote}",) if self.remote else ()
        return (*remote, *(f"{_COMMIT}{sha}" for sha in self.commits))


def project_of(connection: Connection, folder: str) -> str | None:
    """Return the project that a folder belongs to; None where nobody has looked yet."""
    return connection.scalar(select(ProjectFolder.project).where(ProjectFolder.folder == folder))


def folders(connection: Connection, project: str) -> set[str]:
    """Return the folders of a project: its own, and others that sessions began in."""
    return {project, *connection.scalars(select(ProjectFolder.folder).where(ProjectFolder.project == project))}


def found_since(connection: Connection, folder: str, since: int, until: int) -> str | None:
    """Return the same where somebody has looked between two times (epochs), both left out."""
    is_fresh = (ProjectFolder.looked_at_epoch > since) & (ProjectFolder.looked_at_epoch < until)
    return connection.scalar(select(ProjectFolder.project).where(ProjectFolder.folder == folder, is_fresh))


def without_place(connection: Connection, limit: int) -> list[str]:
    """Return folders that sessions began in and that nobody has looked at: of an older version of this program."""
    known = select(ProjectFolder.project).where(ProjectFolder.project == SdkSession.project)
    rows = select(SdkSession.project).where(SdkSession.project != "", ~known.exists()).distinct().limit(limit)
    return list(connection.scalars(rows))


def candidates(connection: Connection, place: Place) -> set[str]:
    """Return the projects that a place may be of by what it is, whatever lies in their folders by now."""
    found = select(ProjectIdentity.project).where(ProjectIdentity.identity.in_(place.identities))
    return set(connection.scalars(found))


def identities(connection: Connection, project: str) -> set[str]:
    """Return all that a project is known again by; nothing for a mere folder."""
    return set(connection.scalars(select(ProjectIdentity.identity).where(ProjectIdentity.project == project)))


def settle(connection: Connection, place: Place, there: Collection[str], *, now: int) -> str:
    """Write down which project a place is of, and return it.

    `there` are those of its candidates whose own folder still holds them. What was kept of the place by its path
    alone becomes the project's.
    """
    found = _known(connection, place, there)
    project = found or place.root
    if _differs(identities(connection, place.root), place):
        # Another repository lay here; it is found again by what it is, wherever it lies now.
        rename(connection, place.root, f"{place.root} (before {iso(now)})")
    # Only what was told by what it is has moved: what a user joined stays where it is.
    if found is not None and found != place.root and found not in there and found in candidates(connection, place):
        rename(connection, found, place.root)
        project = place.root
    for path in {place.folder, place.root} - {project}:
        if (project_of(connection, path) or path) == path and not identities(connection, path):
            rename(connection, path, project)
    of_project = {"project": project, "looked_at_epoch": now}
    for folder in {place.folder, place.root}:
        row = insert(ProjectFolder).values(folder=folder, **of_project)
        connection.execute(row.on_conflict_do_update(["folder"], set_=of_project))
    for identity in place.identities:
        known = insert(ProjectIdentity).values(identity=identity, project=project)
        connection.execute(known.on_conflict_do_update(["identity"], set_={"project": project}))
    return project


def rename(connection: Connection, old: str, new: str) -> None:
    """Give all that a project has to another, which need not be there yet."""
    for table in _CARRYING:
        connection.execute(update(table).where(table.project == old).values(project=new))
    for kept in (Context, ProjectName):
        is_there = connection.scalar(select(func.count()).select_from(kept).where(kept.project == new))
        if is_there:
            connection.execute(delete(kept).where(kept.project == old))
        else:
            connection.execute(update(kept).where(kept.project == old).values(project=new))


def name(connection: Connection, project: str, given: str) -> None:
    """Give a project a name to be shown by; an empty one takes it back."""
    connection.execute(delete(ProjectName).where(ProjectName.project == project))
    if given:
        connection.execute(insert(ProjectName).values(project=project, name=given))


def _known(connection: Connection, place: Place, there: Collection[str]) -> str | None:
    """Return the project that a place is of, where that can be told by what it is, or was told before."""
    rows = connection.execute(
        select(ProjectIdentity.identity, ProjectIdentity.project).where(ProjectIdentity.identity.in_(place.identities))
    )
    by_identity: dict[str, str] = {row.identity: row.project for row in rows}
    for identity in place.identities:
        project = by_identity.get(identity)
        if project is not None and not (
            identity.startswith(_COMMIT) and _is_fork(connection, project, place, is_there=project in there)
        ):
            return project
    told = project_of(connection, place.root)
    return told if told is not None and not _differs(identities(connection, told), place) else None


def _is_fork(connection: Connection, project: str, place: Place, *, is_there: bool) -> bool:
    """Say whether a place only has its beginning in common with a project: both are there, from different remotes."""
    has_another = any(identity.startswith(_REMOTE) for identity in identities(connection, project))
    return bool(place.remote) and has_another and is_there and project != place.root


def _differs(known: Collection[str], place: Place) -> bool:
    """Say whether a repository is surely another one: a history with another beginning, and nothing in common."""
    commits = {identity for identity in known if identity.startswith(_COMMIT)}
    return bool(commits and place.commits) and not set(known) & set(place.identities)
