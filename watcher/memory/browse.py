"""Owns finding one's way in the memory: what ids mean, and the sessions and projects that there are.

Read with the driver alone (see `lookup`). What is asked here looks at the rows of an index, or at the sessions of one
project or of all, of which there are few: never at all observations or prompts.
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

from watcher.errors import ClaudeMemError, UsageError
from watcher.memory.search_filters import clean
from watcher.memory.states import SessionStatus

OBSERVATION, SUMMARY, PROMPT = "#", "S", "P"
_AMBIGUOUS = 5  # sessions named where the beginning of an id means several


class Ref(NamedTuple):
    """What an id names: an observation, a summary or a prompt."""

    kind: str  # "#", "S" or "P"
    number: int

    def __str__(self) -> str:
        return f"{self.kind}{self.number}"


class Session(NamedTuple):
    """One session."""

    session_id: str
    project: str
    title: str  # as Claude Code gave it; empty where it gave none
    request: str  # its first prompt's beginning
    outcome: str  # what was completed last, else learned; empty where nothing was
    status: str
    started_at: int  # epoch
    last_activity_at: int  # epoch
    end_reason: str
    prompts: int
    tool_uses: int
    observations: int
    transcript_path: str
    origin: str = ""  # of the outcome: see privacy.origin


class Project(NamedTuple):
    """One project."""

    project: str  # the folder
    sessions: int
    observations: int
    last_activity_at: int  # epoch


def ref(text: str) -> Ref | None:
    """Return what an id as `search` prints it means (`#12`, `S3`, `P4`, also `12`); None where it is no such id."""
    found = re.fullmatch(r"\s*([#SP]?)(\d{1,18})\s*", text, re.IGNORECASE | re.ASCII)
    return Ref(found[1].upper() or OBSERVATION, int(found[2])) if found else None


_SESSION = """
SELECT session_id, project, title, coalesce((
        SELECT substr(prompt_text, 1, 500) FROM user_prompts p
        WHERE p.session_id = s.session_id ORDER BY prompt_number LIMIT 1
    ), ''), coalesce((
        SELECT substr(coalesce(nullif(completed, ''), learned), 1, 500) FROM session_summaries y
        WHERE y.session_id = s.session_id AND completed || learned != '' ORDER BY prompt_number DESC LIMIT 1
    ), ''), status, started_at_epoch, max(last_activity_at_epoch, started_at_epoch), coalesce(end_reason, ''),
    prompt_count, tool_use_count, observation_count, transcript_path, coalesce((
        SELECT origin FROM session_summaries y
        WHERE y.session_id = s.session_id AND completed || learned != '' ORDER BY prompt_number DESC LIMIT 1
    ), '')
FROM sdk_sessions s
"""
# Of each status the newest, by the index that has them in order: three times as many rows as are wanted, at most.
_NEWEST = "id IN ({})".format(
    " UNION ALL ".join(
        f"SELECT id FROM (SELECT id FROM sdk_sessions WHERE status = :{status} "  # noqa: S608 - a status of ours
        "ORDER BY last_activity_at_epoch DESC LIMIT :limit)"
        for status in SessionStatus
    )
)
_ORDER = "ORDER BY last_activity_at_epoch DESC, id DESC LIMIT :limit"


def sessions(connection: sqlite3.Connection, project: str | None, *, limit: int) -> list[Session]:
    """Return the sessions of a project (a folder; None: of all), the one last heard of first."""
    those = "project = :project" if project is not None else _NEWEST
    values = {"project": project, "limit": limit} | {status: status for status in SessionStatus}
    rows = connection.execute(f"{_SESSION} WHERE {those} {_ORDER}", values)
    return [Session(*row) for row in rows]


def beginning(connection: sqlite3.Connection, text: str) -> list[Session]:
    """Return the sessions whose ids begin so, the first few; one whose id is just this comes alone."""
    text = clean(text)
    values = {"text": text, "end": text + chr(0x10FFFF), "limit": _AMBIGUOUS}
    those = "WHERE session_id >= :text AND session_id < :end ORDER BY session_id LIMIT :limit"
    found = [Session(*row) for row in connection.execute(_SESSION + those, values)] if text else []
    return found[:1] if found and found[0].session_id == text else found


def session(connection: sqlite3.Connection, text: str) -> Session:
    """Return the session whose id begins so.

    Raises:
        ClaudeMemError: there is none.
        UsageError: there is more than one.
    """
    found = beginning(connection, text)
    if not found:
        raise ClaudeMemError(f"no session's id begins with {text!r}", hint="claude-mem sessions (it lists them)")
    if len(found) > 1:
        named = ", ".join(one.session_id for one in found)
        raise UsageError(f"more than one session's id begins with {text!r}: {named}", hint="give more of it")
    return found[0]


def session_of(connection: sqlite3.Connection, what: Ref) -> str | None:
    """Return the id of the session that a row belongs to; None where there is no such row."""
    table = {OBSERVATION: "observations", SUMMARY: "session_summaries", PROMPT: "user_prompts"}[what.kind]
    row = connection.execute(f"SELECT session_id FROM {table} WHERE id = ?", (what.number,)).fetchone()  # noqa: S608
    return str(row[0]) if row else None


def projects(connection: sqlite3.Connection, *, limit: int) -> list[Project]:
    """Return the projects, the one last heard of first."""
    rows = connection.execute(
        "SELECT project, count(*), sum(observation_count), max(max(last_activity_at_epoch, started_at_epoch)) AS last "
        "FROM sdk_sessions WHERE project != '' GROUP BY project ORDER BY last DESC, project LIMIT ?",
        (limit,),
    )
    return [Project(*row) for row in rows]
