"""Owns telling what would be forgotten, before it is: how much, some of it, and in which transcripts it stands."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from watcher.memory.mentions import OBSERVATIONS, PROMPTS, SUMMARIES, TOOL_USES
from watcher.memory.selection import Selection, Wanted, select

_LINES = f"""
SELECT 'P' || id AS id, created_at_epoch AS at, substr(prompt_text, 1, 500) FROM {PROMPTS}
WHERE id IN (SELECT value FROM json_each(:{PROMPTS}))
UNION ALL
SELECT 'S' || id, created_at_epoch, request FROM {SUMMARIES} WHERE id IN (SELECT value FROM json_each(:{SUMMARIES}))
UNION ALL
SELECT '#' || id, created_at_epoch, title FROM {OBSERVATIONS} WHERE id IN (SELECT value FROM json_each(:{OBSERVATIONS}))
ORDER BY at DESC, id LIMIT :limit
"""  # noqa: S608 - words of ours

_ANEW = f"""
SELECT 'S' || s.id FROM {SUMMARIES} s WHERE s.id IN (SELECT value FROM json_each(:{SUMMARIES})) AND EXISTS (
    SELECT 1 FROM {PROMPTS} p WHERE p.session_id = s.session_id AND p.prompt_number = s.prompt_number
    AND p.id NOT IN (SELECT value FROM json_each(:{PROMPTS}))
) ORDER BY s.id
"""  # noqa: S608


class Line(NamedTuple):
    """One prompt, summary or observation that would go."""

    id: str  # P4, S3, #12
    at: int  # epoch
    text: str


class Preview(NamedTuple):
    """What would go."""

    counts: dict[str, int]  # sessions that go whole, prompts, observations, summaries, tool_uses, titles
    lines: list[Line]  # the newest
    more: int  # that are not among them
    transcripts: list[str]  # paths
    anew: list[str]  # ids of summaries whose turns stay, but for observations: they are made anew of what is left

    @property
    def is_empty(self) -> bool:
        """Nothing would."""
        return not any(self.counts.values())


def preview(connection: sqlite3.Connection, wanted: Wanted, limit: int) -> Preview:
    """Return what would go, and the newest lines of it.

    Raises:
        ClaudeMemError: there is no row of an id.
    """
    found = select(connection, wanted)
    rows = found.rows
    counts = {
        "sessions": len(found.whole),
        "prompts": len(rows[PROMPTS]),
        "observations": len(rows[OBSERVATIONS]),
        "summaries": len(rows[SUMMARIES]),
        "tool_uses": len(rows[TOOL_USES]),
        "titles": len(found.titles),
    }
    values = {table: json.dumps(list(ids)) for table, ids in rows.items()}
    lines = [Line._make(row) for row in connection.execute(_LINES, {**values, "limit": limit})]
    more = sum(len(rows[table]) for table in (PROMPTS, OBSERVATIONS, SUMMARIES)) - len(lines)
    anew = [id_ for (id_,) in connection.execute(_ANEW, values)]
    return Preview(counts, lines, more, _transcripts(connection, found), anew)


def _transcripts(connection: sqlite3.Connection, found: Selection) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT transcript_path FROM sdk_sessions "
        "WHERE transcript_path != '' AND session_id IN (SELECT value FROM json_each(?)) ORDER BY 1",
        (json.dumps(list(found.sessions)),),
    )
    return [path for (path,) in rows]
