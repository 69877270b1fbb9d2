"""Owns forgetting what a user names: its rows go, and tombstones are put in their place, in one transaction.

Nothing is half forgotten, whenever it is killed. The rows' pages are overwritten as they go (see `database`); what
earlier changes left in free parts of the file is not, until the file is written anew: see `pages.overwrite`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from watcher.memory import numbering, tombstones
from watcher.memory.database import driver
from watcher.memory.mentions import OBSERVATIONS, PROMPTS, TABLES, TOOL_USES, prepare
from watcher.memory.selection import Selection, Wanted
from watcher.memory.states import TombstoneKind
from watcher.memory.tombstones import Tombstone

_FOLDERS = """
SELECT folder FROM project_folders WHERE project = :project
UNION SELECT identity FROM project_identities WHERE project = :project UNION SELECT :project
"""
_OF_PROJECT = (
    "DELETE FROM flags WHERE project IN (SELECT folder FROM project_folders WHERE project = :project)",
    "DELETE FROM flags WHERE project = :project",
    "DELETE FROM deliveries WHERE project = :project",
    "DELETE FROM project_names WHERE project = :project",
    "DELETE FROM project_identities WHERE project = :project",
    "DELETE FROM project_folders WHERE project = :project",
    "UPDATE agent_requests SET project = '' WHERE project = :project",
)
_AMONG = "IN (SELECT value FROM json_each(:these))"
# What tells of a session only how it went. What is raised is still to be lowered.
_TRACES = """
DELETE FROM flags WHERE session_id {among} AND lowered_at_epoch IS NOT NULL;
DELETE FROM broken_lines WHERE path IN (SELECT path FROM checkpoints WHERE session_id {among})
"""
_OF_WHOLE = """
DELETE FROM flags WHERE session_id {among};
DELETE FROM deliveries WHERE session_id {among};
DELETE FROM recalls WHERE session_id {among};
DELETE FROM sdk_sessions WHERE session_id {among}
"""
_IS_EMPTY = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = s.session_id)" for table in TABLES)  # noqa: S608
_EMPTY = f"SELECT session_id FROM sdk_sessions s WHERE session_id {_AMONG} AND {_IS_EMPTY}"  # noqa: S608
_COUNTS = """
UPDATE sdk_sessions SET
    prompt_count = (SELECT count(*) FROM user_prompts p WHERE p.session_id = sdk_sessions.session_id),
    tool_use_count = (SELECT count(*) FROM tool_uses u WHERE u.session_id = sdk_sessions.session_id),
    observation_count = (SELECT count(*) FROM observations o WHERE o.session_id = sdk_sessions.session_id)
WHERE session_id = ?
"""
# Where a text may stand beside the rows that are about what was done; the last ones are made anew.
_OF_TEXT = (
    "DELETE FROM flags WHERE lowered_at_epoch IS NOT NULL AND (mentions(event) OR mentions(outcome))",
    "DELETE FROM broken_lines WHERE mentions(head) OR mentions(reason)",
    "UPDATE watchers SET stop_reason = 'crashed' WHERE mentions(stop_reason)",
    "DELETE FROM conditions WHERE mentions(text) OR mentions(hint)",
    "DELETE FROM project_names WHERE mentions(name)",
)


def stones(connection: sqlite3.Connection, wanted: Wanted, selected: Selection, *, now: int) -> list[Tombstone]:
    """Return the tombstones of what is to be forgotten; the first one stands for the whole of it."""
    until = now if wanted.until is None else min(wanted.until, now)
    span = (wanted.since or 0, until)
    made = [Tombstone(TombstoneKind.COMMAND, str(now), now, now, is_open=True)]
    if not wanted.refs and not wanted.text:
        if wanted.session:
            made.append(Tombstone(TombstoneKind.SESSION, wanted.session, *span, is_open=wanted.is_whole))
        elif wanted.project is not None:
            made += (Tombstone(TombstoneKind.PROJECT, key, *span) for key in _keys(connection, wanted.project))
        else:
            made.append(Tombstone(TombstoneKind.ALL, "", *span))
    made += (Tombstone(TombstoneKind.SESSION, one, 0, now, is_open=True) for one in sorted(selected.whole))
    made += (
        Tombstone(TombstoneKind.SESSION, turn.session_id, turn.since, turn.until, turn.is_last)
        for turn in selected.turns
        if turn.session_id not in selected.whole
    )
    untitled = selected.whole | selected.titles | {turn.session_id for turn in selected.turns}
    made += (Tombstone(TombstoneKind.TITLE, session_id) for session_id in sorted(untitled))
    return [*made, *_of_rows(connection, selected)]


def delete(connection: Connection, wanted: Wanted, selected: Selection) -> set[str]:
    """Delete what is selected, and what tells of it; return the projects whose contexts are to be made anew."""
    beneath = driver(connection)
    projects = set(selected.sessions.values()) | _with_text_in_context(beneath, wanted.text)
    for table, ids in selected.rows.items():
        if table == OBSERVATIONS:
            _run(beneath, "DELETE FROM recalls WHERE observation_id {among}", ids)
        _run(beneath, f"DELETE FROM {table} WHERE id {{among}}", ids)  # noqa: S608 - one of four words
    _run(beneath, _TRACES, selected.sessions)
    if wanted.text:
        for statement in _OF_TEXT:
            beneath.execute(statement)
    untitled = selected.titles | {turn.session_id for turn in selected.turns}
    _run(beneath, "UPDATE sdk_sessions SET title = '' WHERE session_id {among}", untitled)
    over = {one for (one,) in beneath.execute(_EMPTY, {"these": json.dumps(list(selected.sessions))})}
    _run(beneath, _OF_WHOLE, over | selected.whole)
    for session_id in selected.sessions.keys() - over - selected.whole:
        numbering.close_gaps(connection, session_id)
        beneath.execute(_COUNTS, (session_id,))
    # SQLite keeps samples of what stands in indexes, such as names of projects; it takes others the next time.
    if beneath.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat4'").fetchone():
        beneath.execute("DELETE FROM sqlite_stat4")
    # It shows itself again where it is still so, and may quote what was asked.
    beneath.execute("DELETE FROM conditions WHERE name = 'agent'")
    if wanted.project is not None and wanted.is_whole:
        for statement in _OF_PROJECT:
            beneath.execute(statement, {"project": wanted.project})
        projects.add(wanted.project)
    return projects - {""}


def _run(connection: sqlite3.Connection, statements: str, these: Iterable[object]) -> None:
    """Run statements for some ids."""
    if ids := list(these):
        for statement in statements.format(among=_AMONG).split(";"):
            connection.execute(statement, {"these": json.dumps(ids)})


def _keys(connection: sqlite3.Connection, project: str) -> list[str]:
    """Return what stands for a project: it may be found again by any of its folders, and by what it is."""
    return sorted(tombstones.place_key(place) for (place,) in connection.execute(_FOLDERS, {"project": project}))


def _of_rows(connection: sqlite3.Connection, selected: Selection) -> Iterator[Tombstone]:
    def of(table: str, columns: str) -> list[tuple[str, ...]]:
        query = f"SELECT {columns} FROM {table} WHERE id {_AMONG}"  # noqa: S608 - words of ours
        return connection.execute(query, {"these": json.dumps(list(selected.rows[table]))}).fetchall()

    for (uuid,) in of(PROMPTS, "uuid"):
        yield Tombstone(TombstoneKind.PROMPT, uuid)
    subagents = set()
    for tool_use_id, session_id, agent_id in of(TOOL_USES, "tool_use_id, session_id, agent_id"):
        yield Tombstone(TombstoneKind.TOOL_USE, tool_use_id)
        if agent_id:
            subagents.add(tombstones.subagent_key(session_id, agent_id))
    for session_id, content_hash in of(OBSERVATIONS, "session_id, content_hash"):
        yield Tombstone(TombstoneKind.OBSERVATION, tombstones.observation_key(session_id, content_hash))
    if selected.turns:  # else only some of what a subagent did goes
        for key in sorted(subagents - _at_work_elsewhere(connection, selected)):
            yield Tombstone(TombstoneKind.SUBAGENT, key)


def _at_work_elsewhere(connection: sqlite3.Connection, selected: Selection) -> set[str]:
    """Return the subagents of which some tool uses stay: they were at work in more than one turn."""
    rows = connection.execute(
        "SELECT DISTINCT session_id, agent_id FROM tool_uses WHERE agent_id != '' "
        "AND session_id IN (SELECT value FROM json_each(:sessions)) "
        "AND id NOT IN (SELECT value FROM json_each(:these))",
        {"sessions": json.dumps(list(selected.sessions)), "these": json.dumps(list(selected.rows[TOOL_USES]))},
    )
    return {tombstones.subagent_key(*row) for row in rows}


def _with_text_in_context(connection: sqlite3.Connection, text: str) -> set[str]:
    if not text:
        return set()
    prepare(connection, text)
    return {project for (project,) in connection.execute("SELECT project FROM contexts WHERE mentions(text)")}
