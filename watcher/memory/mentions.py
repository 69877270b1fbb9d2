"""Owns where a text stands, whatever the case: all rows are looked through, as it need be no whole word.

Read with the driver alone. A title is a session's, and all else a turn's.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from watcher.memory.search_filters import clean

PROMPTS, TOOL_USES, OBSERVATIONS, SUMMARIES = "user_prompts", "tool_uses", "observations", "session_summaries"
TABLES = (OBSERVATIONS, SUMMARIES, TOOL_USES, PROMPTS)  # of a turn, in the order in which they go
# What of each table a text is looked for in.
_TEXTS = {
    PROMPTS: ("prompt_text", "closing_text"),
    TOOL_USES: ("name", "input", "output", "files_read", "files_modified"),
    OBSERVATIONS: (
        *("title", "subtitle", "narrative", "facts", "concepts", "files_read", "files_modified", "type"),
        *("project", "identifiers"),
    ),
    SUMMARIES: (
        *("request", "investigated", "learned", "completed", "next_steps", "notes", "summary_text", "last_error"),
        "identifiers",
    ),
}

# Whose folders, or the transcripts of whose sessions, have it in their paths; identities are remotes.
_PROJECTS = """
SELECT project FROM sdk_sessions
WHERE project != '' AND (mentions(project) OR mentions(cwd) OR mentions(transcript_path))
UNION SELECT project FROM project_folders WHERE mentions(project) OR mentions(folder)
UNION SELECT project FROM project_identities WHERE mentions(identity)
ORDER BY project
"""


class Places(NamedTuple):
    """Where a text stands that no turn says: what is forgotten by a text leaves it there."""

    projects: list[str]  # those that are found by it
    transcripts: int  # read ones with it in their paths: these stay whatever is forgotten, or they were read again


def mentions(text: str) -> Callable[[object], bool]:
    """Return what says of a value whether a text stands in it, whatever the case, also as JSON spells it."""
    needles = {text.casefold()}
    needles |= {json.dumps(text, ensure_ascii=is_ascii)[1:-1].casefold() for is_ascii in (True, False)}

    def is_in(value: object) -> bool:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return isinstance(value, str) and any(needle in value.casefold() for needle in needles)

    return is_in


def prepare(connection: sqlite3.Connection, text: str) -> None:
    """Have SQLite know `mentions` for a text."""
    connection.create_function("mentions", 1, mentions(clean(text)), deterministic=True)


def mentioned(connection: sqlite3.Connection, text: str) -> dict[str, set[int]]:
    """Return under which prompts of which sessions a text stands."""
    prepare(connection, text)
    found: dict[str, set[int]] = defaultdict(set)
    for table, columns in _TEXTS.items():
        is_in = " OR ".join(f"mentions({column})" for column in columns)
        query = f"SELECT session_id, prompt_number FROM {table} WHERE {is_in}"  # noqa: S608 - words of ours
        for session_id, number in connection.execute(query):
            found[session_id].add(number)
    return found


def titled(connection: sqlite3.Connection, text: str) -> set[str]:
    """Return the sessions in whose title a text stands."""
    prepare(connection, text)
    rows = connection.execute("SELECT session_id FROM sdk_sessions WHERE mentions(title)")
    return {session_id for (session_id,) in rows}


def places(connection: sqlite3.Connection, text: str) -> Places:
    """Return in what of the memory a text stands that is no session's title, and no part of a turn."""
    prepare(connection, text)
    projects = [project for (project,) in connection.execute(_PROJECTS)]
    (transcripts,) = connection.execute("SELECT count(*) FROM checkpoints WHERE mentions(path)").fetchone()
    return Places(projects, transcripts)
