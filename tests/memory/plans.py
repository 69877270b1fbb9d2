"""Owns seeing how SQLite goes about what it is asked: a whole table walked through is slow in a large memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watcher.memory import lookup

LARGE = ("observations", "session_summaries", "user_prompts", "tool_uses", "sdk_sessions")


def walked(path: Path, ask: Callable[[sqlite3.Connection], Any]) -> list[str]:
    """Return the steps in which SQLite walks through a whole large table, of all statements that `ask` runs."""
    statements: list[str] = []
    with lookup.opened(path) as connection:
        connection.set_trace_callback(statements.append)
        ask(connection)
        connection.set_trace_callback(None)
        plans = [
            step[3]
            for statement in statements
            if statement.lstrip().startswith(("SELECT", "WITH"))
            for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    assert plans
    return [step for step in plans if step.startswith("SCAN") and step.split()[1] in LARGE + tuple("pstu")]
