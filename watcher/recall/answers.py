"""Owns what the tools of the MCP server answer: the memory as text for a model, as little of it as will do.

Nothing is kept open between two calls: the memory may be upgraded, moved or deleted while the server runs. An answer
has a bound, and says of what it leaves out how to get it. Times are where the user is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from watcher.errors import UsageError
from watcher.memory import browse, details, lookup, moments
from watcher.memory.browse import Session
from watcher.memory.details import Details
from watcher.memory.search import Filters, Results, search
from watcher.recall import tools
from watcher.recall.scope import Scope
from watcher.recall.texts import bounded, detailed, kind, line, moment, turn
from watcher.recall.tools import Arguments

_TURNS = 100  # of a session at a time
_IDS = "search(query) prints the ids that there are"


class Answers:
    """Answers calls about one memory. `project` is the folder that is meant where a call names none."""

    def __init__(self, database: Path, project: str) -> None:
        self._database = database
        self._project = project

    def __call__(self, name: str, given: Mapping[str, object], *, now: int) -> str:
        """Return the answer of a tool; `now` is an epoch.

        Raises:
            UsageError: there is no such tool, or the arguments cannot be meant.
            DatabaseError: the memory cannot be read.
        """
        tool = next((tool for tool in tools.TOOLS if tool.name == name), None)
        if tool is None:
            raise UsageError(f"there is no tool {name}", hint=", ".join(tool.name for tool in tools.TOOLS))
        arguments = tool.read(given)
        with lookup.opened(self._database) as connection:
            return _ANSWERS[name](connection, Scope(connection, self._project), arguments, now)


def _search(connection: sqlite3.Connection, scope: Scope, given: Arguments, now: int) -> str:
    project = scope.project(given["project"])
    limit, offset = given["limit"], given["offset"]
    found = _found(connection, given, project, limit=limit + 1, now=now)  # one more says whether there is more
    if not found.rows:
        return (
            f"Nothing {'more ' if offset else ''}is found in {line(project or 'all projects')}. {scope.hint(project)}"
        )
    rows = [
        f"{row.id} {moment(row.at)} {kind(row.type, row.origin)}: {line(row.title)}"
        f"{'' if project else f' ({line(row.project)})'}"
        for row in found.rows[:limit]
    ]
    partly = "No result has all of the words; these have some of them. " if found.is_partial else ""
    head = (
        f"{partly}In {line(project or 'all projects')}. Details: get_observations(ids). "
        "What happened around one: timeline(anchor)."
    )
    text, told = bounded(head, rows)
    if told < len(found.rows):
        text += f"\nThere is more: ask again with offset={offset + told}, or more exactly."
    return text


def _found(connection: sqlite3.Connection, given: Arguments, project: str | None, *, limit: int, now: int) -> Results:
    """Search as a call says."""
    types = (given["obs_type"] or "").replace(",", " ").split()
    only = tools.KINDS.get(given["type"])
    filters = Filters(
        project=project,
        kinds=[only] if only else (),
        types=types,
        file=given["file"],
        concept=given["concept"],
        since=given["dateStart"],
        until=given["dateEnd"],
    )
    order = tools.ORDERS[given["orderBy"]]
    return search(connection, given["query"] or "", filters, limit=limit, offset=given["offset"], order=order, now=now)


def _timeline(connection: sqlite3.Connection, scope: Scope, given: Arguments, now: int) -> str:
    anchor = given["anchor"] or _best(connection, scope, given, now)
    what = browse.ref(anchor)
    where = moments.position(connection, what) if what else _at(scope, anchor, given["project"])
    if where is None:
        raise UsageError(f"there is no {what}", hint=_IDS)
    found = moments.around(connection, where, before=given["depth_before"], after=given["depth_after"])
    if not found:
        return f"Nothing is found in {line(where.project)}. {scope.hint(where.project)}"
    rows = [
        f"{'> ' if one.id == str(what) else ''}{one.id} {moment(one.at)} {kind(one.type, one.origin)}: "
        f"{line(one.title)}"
        for one in found
    ]
    text, told = bounded(f"In {line(where.project)}, the oldest first. Details: get_observations(ids).", rows)
    if told < len(rows):
        text += f'\nThere is more: ask again with anchor="{found[told].id}".'
    return text


def _best(connection: sqlite3.Connection, scope: Scope, given: Arguments, now: int) -> str:
    """Return the id of the best of what is found for a query."""
    query = given["query"]
    if not query:
        raise UsageError("neither an anchor nor a query is given", hint='timeline(anchor="#12")')
    project = scope.project(given["project"])
    found = search(connection, query, Filters(project=project), limit=1, now=now)
    if not found.rows:
        raise UsageError(f"nothing is found for {query!r} in {project or 'all projects'}", hint=scope.hint(project))
    return found.rows[0].id


def _at(scope: Scope, text: str, project: str | None) -> moments.Position:
    """Return the place of a mere time in a project's."""
    try:
        at = tools.epoch(text, is_end=False)
    except ValueError as error:
        raise UsageError(f"anchor is to be an id such as #12, or {error}, not {text!r}", hint=_IDS) from None
    folder = scope.project(project)
    if folder is None:
        raise UsageError("the timeline of a moment is that of one project", hint="name a project")
    return moments.Position(folder, at)


def _get_observations(connection: sqlite3.Connection, _scope: Scope, given: Arguments, _now: int) -> str:
    found: dict[str, Details] = {}
    missing = []
    for text in given["ids"]:
        what = browse.ref(text)
        row = details.details(connection, what) if what else None
        if row is None:
            missing.append(text)
        else:
            found[row.id] = row
    if not found:
        raise UsageError(f"there is no {', '.join(missing)}", hint=_IDS)
    head = f"There is no {', '.join(missing)}.\n" if missing else ""
    text, told = bounded(head, (f"{detailed(row)}\n" for row in found.values()))
    if told < len(found):
        rest = ", ".join(f'"{one}"' for one in list(found)[told:])
        text += f"\nThere is more: get_observations(ids=[{rest}])."
    return text.strip()


def _get_session(connection: sqlite3.Connection, _scope: Scope, given: Arguments, _now: int) -> str:
    session = _session(connection, given["session"])
    offset = given["offset"]
    turns = details.turns(connection, session.session_id, limit=_TURNS + 1, offset=offset)
    titles = details.titles(connection, [one for summary in turns for one in summary.observations])
    head = (
        f"Session {session.session_id} ({session.status}) in {line(session.project)}, {moment(session.started_at)} to "
        f"{moment(session.last_activity_at)}: {line(session.title or session.request)}\n"
        f"{session.prompts} prompts, {session.observations} observations. Details: get_observations(ids).\n"
    )
    text, told = bounded(head, (f"{turn(summary, titles)}\n" for summary in turns[:_TURNS]))
    if told < len(turns):
        text += f"\nThere are more turns: ask again with offset={offset + told}."
    return text.strip()


def _session(connection: sqlite3.Connection, text: str) -> Session:
    """Return the session that is meant by the beginning of its id, or by the id of what belongs to it."""
    what = browse.ref(text)
    found = browse.beginning(connection, (browse.session_of(connection, what) if what else None) or text)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"there is no session {text}", hint=f"{_IDS}; give one of these, for its session")
    named = ", ".join(one.session_id for one in found)
    raise UsageError(f"more than one session's id begins with {text}: {named}", hint="give more of it")


_ANSWERS: dict[str, Callable[[sqlite3.Connection, Scope, Arguments, int], str]] = {
    "search": _search,
    "timeline": _timeline,
    "get_observations": _get_observations,
    "get_session": _get_session,
}
