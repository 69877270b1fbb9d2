"""Owns all that is kept of one observation, summary or prompt, and of a session's turns: read with the driver alone."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from watcher.memory.browse import OBSERVATION, PROMPT, SUMMARY, Ref

_TOOL_USES = 200  # of one observation
_OBSERVATIONS = 200  # of one turn

# A turn has the prompts after those of the turn before, up to its last one.
_OF_TURN = """
SELECT id FROM observations WHERE session_id = :session AND prompt_number <= :last AND prompt_number > coalesce((
    SELECT max(prompt_number) FROM session_summaries WHERE session_id = :session AND prompt_number < :last
), -1) ORDER BY id LIMIT :limit
"""


class ToolUse(NamedTuple):
    """One tool use that an observation rests on."""

    tool_use_id: str
    name: str
    status: str
    is_error: bool
    files: list[str]
    agent_id: str  # the subagent that used it; empty: the main one
    at: int  # epoch
    transcript_path: str  # of its session


class Observation(NamedTuple):
    """One observation, whole."""

    id: str
    type: str
    title: str
    subtitle: str
    narrative: str
    facts: list[str]
    concepts: list[str]
    files_read: list[str]
    files_modified: list[str]
    project: str
    session_id: str
    prompt_number: int
    agent: str
    at: int  # epoch
    basis: str  # of Basis
    origin: str  # where that came from: see privacy.origin
    tool_uses: list[ToolUse]


class Summary(NamedTuple):
    """One turn's summary, whole."""

    id: str
    request: str
    investigated: str
    learned: str
    completed: str
    next_steps: str
    notes: str
    source: str
    agent: str
    project: str
    session_id: str
    prompt_number: int  # of the turn's last prompt
    at: int  # epoch
    origin: str  # where what it tells of came from: see privacy.origin
    observations: list[str]  # ids of the turn's
    uuid: str  # of the prompt's entry; empty where the prompt is not kept
    transcript_path: str


class Prompt(NamedTuple):
    """One prompt, whole, and the assistant's last words before the next one."""

    id: str
    text: str
    closing_text: str
    project: str
    session_id: str
    prompt_number: int
    at: int  # epoch
    uuid: str  # of its entry
    transcript_path: str


Details = Observation | Summary | Prompt


def details(connection: sqlite3.Connection, what: Ref) -> Details | None:
    """Return all that is kept of a row; None where there is no such row."""
    return {OBSERVATION: _observation, SUMMARY: _summary, PROMPT: _prompt}[what.kind](connection, what)


def turns(connection: sqlite3.Connection, session_id: str, *, limit: int, offset: int = 0) -> list[Summary]:
    """Return the summaries of a session's turns, the first turn first."""
    rows = connection.execute(
        "SELECT id FROM session_summaries WHERE session_id = ? ORDER BY prompt_number LIMIT ? OFFSET ?",
        (session_id, limit, offset),
    ).fetchall()
    found = [_summary(connection, Ref(SUMMARY, number)) for (number,) in rows]
    return [summary for summary in found if summary is not None]


def titles(connection: sqlite3.Connection, ids: list[str]) -> dict[str, tuple[str, str, str]]:
    """Return type, title and origin of observations, by id (`#12`)."""
    numbers = json.dumps([int(one[1:]) for one in ids])
    rows = connection.execute(
        "SELECT id, type, title, origin FROM observations WHERE id IN (SELECT value FROM json_each(?))", (numbers,)
    )
    return {f"{OBSERVATION}{number}": (type_, title, origin) for number, type_, title, origin in rows}


def _observation(connection: sqlite3.Connection, what: Ref) -> Observation | None:
    row = connection.execute(
        "SELECT type, title, subtitle, narrative, facts, concepts, files_read, files_modified, project, session_id, "
        "prompt_number, agent, created_at_epoch, basis, origin, tool_use_ids FROM observations WHERE id = ?",
        (what.number,),
    ).fetchone()
    if row is None:
        return None
    lists = [_texts(column) for column in row[4:8]]
    return Observation._make((str(what), *row[:4], *lists, *row[8:15], _tool_uses(connection, row[15])))


def _tool_uses(connection: sqlite3.Connection, ids: str) -> list[ToolUse]:
    """Return the tool uses with these ids (a JSON list), as far as they are still kept."""
    rows = connection.execute(
        "SELECT tool_use_id, name, t.status, is_error, files_read, files_modified, agent_id, t.created_at_epoch, "
        "coalesce(transcript_path, '') FROM tool_uses t LEFT JOIN sdk_sessions USING (session_id) "
        "WHERE tool_use_id IN (SELECT value FROM json_each(?)) ORDER BY t.id LIMIT ?",
        (json.dumps(_texts(ids)), _TOOL_USES),
    )
    return [
        ToolUse(id_, name, status, bool(is_error), _texts(changed) + _texts(read), *rest)
        for id_, name, status, is_error, read, changed, *rest in rows
    ]


def _summary(connection: sqlite3.Connection, what: Ref) -> Summary | None:
    row = connection.execute(
        "SELECT request, investigated, learned, completed, next_steps, notes, source, agent, s.project, s.session_id, "
        "prompt_number, created_at_epoch, origin, coalesce(transcript_path, '') "
        "FROM session_summaries s LEFT JOIN sdk_sessions USING (session_id) WHERE s.id = ?",
        (what.number,),
    ).fetchone()
    if row is None:
        return None
    session_id, prompt_number = row[9:11]
    numbers = connection.execute(_OF_TURN, {"session": session_id, "last": prompt_number, "limit": _OBSERVATIONS})
    ids = [f"{OBSERVATION}{number}" for (number,) in numbers]
    uuid = connection.execute(
        "SELECT uuid FROM user_prompts WHERE session_id = ? AND prompt_number = ?", (session_id, prompt_number)
    ).fetchone()
    return Summary._make((str(what), *row[:13], ids, uuid[0] if uuid else "", row[13]))


def _prompt(connection: sqlite3.Connection, what: Ref) -> Prompt | None:
    row = connection.execute(
        "SELECT prompt_text, closing_text, project, session_id, prompt_number, created_at_epoch, uuid, "
        "transcript_path FROM user_prompts p JOIN sdk_sessions USING (session_id) WHERE p.id = ?",
        (what.number,),
    ).fetchone()
    return Prompt(str(what), *row) if row else None


def _texts(column: str) -> list[str]:
    """Return a column's list; what is no list counts for nothing, as in the search index."""
    try:
        value = json.loads(column)
    except ValueError:
        return []
    return [str(one) for one in value] if isinstance(value, list) else []
