"""Owns where a text stands, whatever the case: all rows are looked through, as it need be no whole word.

Read with the driver alone. A title is a session's, and all else a turn's.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable

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
