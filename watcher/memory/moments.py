"""Owns what happened around a moment in a project: observations, summaries and prompts in the order of their time.

Observations and summaries have an index by project and time. Prompts have none, so they are looked for in the
sessions that those found belong to, and in the project's latest: every turn that is over has a summary, and one that
is not over belongs to a late session.
"""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from watcher.memory.browse import OBSERVATION, PROMPT, SUMMARY, Ref

_LATE_SESSIONS = 20  # looked through for prompts, though nothing else of them was found
_LAST = (1 << 63) - 1  # above any id and any epoch
# At the same time a prompt comes before what it led to, and that before its summary.
_RANKS = {PROMPT: 0, OBSERVATION: 1, SUMMARY: 2}


class Position(NamedTuple):
    """A place in a project's time, just before a row of it where `rank` and `number` are one's."""

    project: str
    at: int  # epoch
    rank: int = -1  # before all that happened at that time
    number: int = 0


class Moment(NamedTuple):
    """One thing that happened."""

    id: str  # #12, S12 or P12: an observation, a summary or a prompt
    type: str
    title: str
    session_id: str
    at: int  # epoch
    origin: str  # see privacy.origin; empty of a prompt


_COLUMNS = {
    OBSERVATION: "id, type, title, session_id, created_at_epoch, origin FROM observations",
    SUMMARY: "id, 'summary', request, session_id, created_at_epoch, origin FROM session_summaries",
    PROMPT: "id, 'prompt', substr(prompt_text, 1, 500), session_id, created_at_epoch, '' FROM user_prompts",
}
_OF_PROJECT = """
SELECT {columns} WHERE project = :project AND (created_at_epoch, id) {side} (:at, :bound)
ORDER BY created_at_epoch {order}, id {order} LIMIT :depth
"""
_OF_SESSIONS = """
WITH these (session_id) AS (
    SELECT value FROM json_each(:sessions)
    UNION SELECT session_id FROM (
        SELECT session_id FROM sdk_sessions WHERE project = :project AND started_at_epoch <= :until
        ORDER BY started_at_epoch DESC LIMIT :late
    )
)
SELECT p.id, p.type, p.title, p.session_id, p.created_at_epoch, ''
FROM these CROSS JOIN (SELECT {columns}) p ON p.session_id = these.session_id
WHERE created_at_epoch BETWEEN :since AND :until AND (created_at_epoch, p.id) {side} (:at, :bound)
ORDER BY created_at_epoch {order}, p.id {order} LIMIT :depth
"""


def position(connection: sqlite3.Connection, what: Ref) -> Position | None:
    """Return where a row stands in its project's time; None where there is no such row."""
    source = {
        OBSERVATION: "SELECT project, created_at_epoch FROM observations WHERE id = ?",
        SUMMARY: "SELECT project, created_at_epoch FROM session_summaries WHERE id = ?",
        PROMPT: "SELECT project, created_at_epoch FROM user_prompts p JOIN sdk_sessions USING (session_id) "
        "WHERE p.id = ?",
    }[what.kind]
    row = connection.execute(source, (what.number,)).fetchone()
    return Position(row[0], row[1], _RANKS[what.kind], what.number) if row else None


def around(connection: sqlite3.Connection, where: Position, *, before: int, after: int) -> list[Moment]:
    """Return what happened at a position, and so many things before and after it, the oldest first."""
    return [
        *reversed(_one_side(connection, where, before, is_after=False)),
        *_itself(connection, where),
        *_one_side(connection, where, after, is_after=True),
    ]


def _itself(connection: sqlite3.Connection, where: Position) -> list[Moment]:
    kinds = [kind for kind, rank in _RANKS.items() if rank == where.rank]
    found = []
    for kind in kinds:
        rows = connection.execute(f"SELECT {_COLUMNS[kind]} WHERE id = ?", (where.number,))
        found += _moments(kind, rows.fetchall())
    return found


def _one_side(connection: sqlite3.Connection, where: Position, depth: int, *, is_after: bool) -> list[Moment]:
    """Return the things next to a position on one side of it, the nearest first."""
    if depth <= 0:
        return []
    words = {"side": ">", "order": "ASC"} if is_after else {"side": "<", "order": "DESC"}
    found: list[Moment] = []
    for kind in (OBSERVATION, SUMMARY):
        query = _OF_PROJECT.format(columns=_COLUMNS[kind], **words)
        found += _moments(kind, connection.execute(query, _values(where, kind, depth)).fetchall())
    found = _nearest(found, depth, is_after=is_after)
    # What is farther away than all of these cannot be among the nearest.
    farthest = found[-1].at if len(found) == depth else _LAST if is_after else 0
    since, until = (where.at, farthest) if is_after else (farthest, where.at)
    values = _values(where, PROMPT, depth) | {
        "sessions": json.dumps(sorted({moment.session_id for moment in found})),
        "since": since,
        "until": until,
        "late": _LATE_SESSIONS,
    }
    columns = _COLUMNS[PROMPT].replace("'prompt',", "'prompt' AS type,").replace("500),", "500) AS title,")
    query = _OF_SESSIONS.format(columns=columns, **words)
    found += _moments(PROMPT, connection.execute(query, values).fetchall())
    return _nearest(found, depth, is_after=is_after)


def _values(where: Position, kind: str, depth: int) -> dict[str, object]:
    """Return what a query of one kind's rows is given; `bound` says which of those at the same time are meant."""
    rank = _RANKS[kind]
    bound = where.number if rank == where.rank else _LAST if rank < where.rank else 0
    return {"project": where.project, "at": where.at, "bound": bound, "depth": depth}


def _moments(kind: str, rows: list[tuple[int, str, str, str, int, str]]) -> list[Moment]:
    return [Moment._make((f"{kind}{number}", *rest)) for number, *rest in rows]


def _nearest(found: list[Moment], depth: int, *, is_after: bool) -> list[Moment]:
    def order(moment: Moment) -> tuple[int, int, int]:
        return moment.at, _RANKS[moment.id[0]], int(moment.id[1:])

    return sorted(found, key=order, reverse=not is_after)[:depth]
