"""Owns what a context is rendered from, asked for with the standard library's sqlite3 alone.

`claude-mem context --explain` renders one as well, and is to start quickly. Every query is bounded by an index: a
memory of a hundred thousand observations is asked no more than one of a hundred.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from watcher.memory.states import SessionStatus, SummarySource
from watcher.privacy.origin import worst
from watcher.privacy.plain import CLOSING, OPENING, UNSEEN

# Written out, as SQLite takes an index of some rows only for a query that says the same. However many small things
# were observed since, a decision is found at once.
IS_TO_HEED = "type = 'decision' OR instr(concepts, '\"gotcha\"') OR instr(concepts, '\"trade-off\"')"

BESIDE_FRESH = 1_800_000  # milliseconds without news after which a session counts no longer as at work
BESIDE_UNITS = 280  # UTF-16 units that `with_beside` adds at most

FEW = 60  # characters: "Thank you." and "You are welcome."
RECENT = 60  # sessions, and summaries, among which those worth a line are looked for

_OBSERVATION = "SELECT id, type, title, files_read, files_modified, created_at_epoch, origin FROM observations"
_NEWEST = "ORDER BY created_at_epoch DESC, id DESC LIMIT :limit"
_SUMMARIES = f"""
SELECT id, session_id, request, investigated, learned, completed, next_steps, notes, source, created_at_epoch, origin
FROM session_summaries WHERE project = :project {_NEWEST}
"""  # noqa: S608
_OF_ONE = "FROM session_summaries s WHERE s.session_id = recent.session_id AND s.id NOT IN left_out"
# A turn of a few words says least of what a session was about.
_SESSIONS = f"""
WITH recent AS (
    SELECT session_id FROM (
        SELECT session_id FROM sdk_sessions WHERE project = :project ORDER BY started_at_epoch DESC LIMIT {RECENT}
    )
    UNION
    SELECT session_id FROM (
        SELECT session_id FROM session_summaries WHERE project = :project
        ORDER BY created_at_epoch DESC LIMIT {RECENT}
    )
),
left_out AS (SELECT value FROM json_each(:but)),
told AS (
    SELECT session_id,
        (SELECT id {_OF_ONE} ORDER BY source = '{SummarySource.BRIEF}', prompt_number LIMIT 1) AS first,
        (SELECT id {_OF_ONE}
         ORDER BY source = '{SummarySource.BRIEF}', completed = '' AND learned = '', prompt_number DESC LIMIT 1) AS last
    FROM recent
)
SELECT title, first.request, coalesce(nullif(last.completed, ''), nullif(last.learned, ''), last.investigated),
    last.created_at_epoch, first.origin, last.origin, first.source = '{SummarySource.BRIEF}'
FROM told JOIN session_summaries first ON first.id = told.first JOIN session_summaries last ON last.id = told.last
JOIN sdk_sessions s ON s.session_id = told.session_id
ORDER BY 7, 4 DESC LIMIT :limit
"""  # noqa: S608
# The SessionStart hook asks the same, with the standard library of whatever Python there is; a test holds the two
# together. JSON keeps the request on one line, whatever was typed; a tag in it must not end the frame.
_END = CLOSING.removesuffix(">")
_WITH_BESIDE = f"""
SELECT '{OPENING}' || char(10) || replace(text, '{_END}', '&lt;{_END[1:]}') || coalesce((
    SELECT char(10) || char(10) || 'Another session is open in this project, last heard of at '
        || strftime('%H:%M', last_activity_at_epoch / 1000, 'unixepoch') || ' UTC'
        || coalesce('; it was asked: ' || (
            SELECT substr(replace(json_quote(
                substr(prompt_text, 1, 80) || CASE WHEN length(prompt_text) > 80 THEN '…' ELSE '' END
            ), '<', '&lt;'), 1, 92)
            FROM (
                SELECT prompt_text FROM user_prompts p WHERE p.session_id = s.session_id
                ORDER BY prompt_number DESC LIMIT 1
            ) WHERE prompt_text != '[private]' AND NOT substr(prompt_text, 1, 80) GLOB :unseen
        ), '.')
    FROM sdk_sessions s
    WHERE status = '{SessionStatus.ACTIVE}' AND last_activity_at_epoch > :now - {BESIDE_FRESH}
        AND project = :project AND session_id != :session_id
    ORDER BY last_activity_at_epoch DESC LIMIT 1
), '') || char(10) || '{CLOSING}'
FROM contexts WHERE project = :project AND text != ''
"""  # noqa: S608


class Summary(NamedTuple):
    """One turn's summary."""

    id: int
    session_id: str
    request: str
    investigated: str
    learned: str
    completed: str
    next_steps: str
    notes: str
    source: str
    at: int  # epoch of the turn's end
    origin: str  # where what it tells of came from, as in the next ones: see privacy.origin

    @property
    def is_brief(self) -> bool:
        """It is of a few words alone; an agent that costs nothing is asked about those too."""
        says_more = self.investigated or self.learned or self.next_steps or self.notes
        return self.source == SummarySource.BRIEF or not (says_more or len(self.request + self.completed) > FEW)


class Observation(NamedTuple):
    """One observation, as much of it as an index needs."""

    id: int
    type: str
    title: str
    files_read: str  # JSON, as the next one; `files` reads them
    files_modified: str
    at: int  # epoch
    origin: str

    @property
    def files(self) -> tuple[str, ...]:
        """The files it changed; where it changed none, those it read."""
        return tuple(json.loads(self.files_modified) or json.loads(self.files_read))


class Session(NamedTuple):
    """What a session came to."""

    title: str  # as Claude Code gave it; empty where it gave none
    request: str  # the first
    came_to: str  # what was completed last
    at: int  # epoch of that
    origin: str


def summaries(connection: sqlite3.Connection, project: str, limit: int) -> list[Summary]:
    """Return a project's summaries, the newest first."""
    rows = connection.execute(_SUMMARIES, {"project": project, "limit": limit})
    return [Summary(*row) for row in rows]


def observations(connection: sqlite3.Connection, project: str, limit: int) -> list[Observation]:
    """Return a project's observations, the newest first."""
    rows = connection.execute(
        f"{_OBSERVATION} WHERE project = :project {_NEWEST}", {"project": project, "limit": limit}
    )
    return [Observation(*row) for row in rows]


def to_heed(connection: sqlite3.Connection, project: str, limit: int) -> list[Observation]:
    """Return a project's decisions, trade-offs and gotchas, the newest first."""
    # Named, as what SQLite gathers of the tables' sizes may have it take the other index, and read all that is newer.
    statement = (
        f"{_OBSERVATION} INDEXED BY ix_observations_to_heed WHERE project = :project AND ({IS_TO_HEED}) {_NEWEST}"
    )
    return [Observation(*row) for row in connection.execute(statement, {"project": project, "limit": limit})]


def sessions(connection: sqlite3.Connection, project: str, limit: int, *, but: Sequence[int] = ()) -> list[Session]:
    """Return what a project's last sessions came to, those of a few words last, each group newest first.

    What some summaries (ids) say is left out, and with it a session that has no others.
    """
    rows = connection.execute(_SESSIONS, {"project": project, "limit": limit, "but": json.dumps(but)})
    return [Session._make((*row[:4], worst(row[4:6]))) for row in rows]


def with_beside(connection: sqlite3.Connection, project: str, *, now: int, session_id: str = "") -> str:
    """Return what a session of a project that starts now reads: the context, and who else is at work, in a frame.

    Empty where nothing is remembered.
    """
    values = {"project": project, "now": now, "session_id": session_id, "unseen": f"*[{UNSEEN}]*"}
    row = connection.execute(_WITH_BESIDE, values).fetchone()
    return str(row[0]) if row else ""
