"""Owns databases of the TypeScript claude-mem: the recorded one, and older versions of its schema."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.conftest import FIXTURES

RECENT = FIXTURES / "claude-mem-13.25.db"
AT = 1_760_000_000_000
# As versions 4 to 9 of its schema had it: no titles yet, one summary a session, no prompts of their own.
OLDEST = f"""
CREATE TABLE sdk_sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, claude_session_id TEXT UNIQUE NOT NULL,
    sdk_session_id TEXT UNIQUE, project TEXT NOT NULL, user_prompt TEXT, started_at TEXT NOT NULL,
    started_at_epoch INTEGER NOT NULL, completed_at TEXT, completed_at_epoch INTEGER, status TEXT NOT NULL);
CREATE TABLE observations (id INTEGER PRIMARY KEY AUTOINCREMENT, sdk_session_id TEXT NOT NULL, project TEXT NOT NULL,
    text TEXT NOT NULL, type TEXT NOT NULL, created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL);
CREATE TABLE session_summaries (id INTEGER PRIMARY KEY AUTOINCREMENT, sdk_session_id TEXT UNIQUE NOT NULL,
    project TEXT NOT NULL, request TEXT, investigated TEXT, learned TEXT, completed TEXT, next_steps TEXT,
    files_read TEXT, files_edited TEXT, notes TEXT, created_at TEXT NOT NULL, created_at_epoch INTEGER NOT NULL);
INSERT INTO sdk_sessions VALUES (1, 'claude-1', 'sdk-1', 'api', 'Mend the parser', '', {AT}, NULL, NULL, 'active');
INSERT INTO observations VALUES (1, 'sdk-1', 'api', 'The parser reads dates\nas UTC.', 'discovery', '', {AT + 1000});
INSERT INTO observations VALUES (2, 'sdk-gone', 'web', 'Of a session that is gone', 'bugfix', '', {AT + 2000});
INSERT INTO session_summaries VALUES (1, 'sdk-1', 'api', 'Mend it', NULL, 'UTC', 'Mended', NULL, '[]', '[]', NULL, '',
    {AT + 3000});
"""


def make(path: Path, script: str) -> Path:
    """Make a database of some statements."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def changed(path: Path, *statements: str) -> Path:
    """Make a copy of the recorded one, with some things changed in it."""
    shutil.copy(RECENT, path)
    return make(path, ";".join(statements))


def older(path: Path) -> Path:
    """Make version 16 of the recorded one: before columns were renamed, and before all that came after that."""
    shutil.copy(RECENT, path)
    renamed = (
        ("sdk_sessions", "content_session_id", "claude_session_id"),
        ("sdk_sessions", "memory_session_id", "sdk_session_id"),
        ("observations", "memory_session_id", "sdk_session_id"),
        ("session_summaries", "memory_session_id", "sdk_session_id"),
        ("user_prompts", "content_session_id", "claude_session_id"),
    )
    dropped = {
        "observations": "generated_by_model relevance_count agent_type agent_id metadata",
        "sdk_sessions": "custom_title observed_model observed_billing",
    }
    with closing(sqlite3.connect(path)) as connection:
        for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'").fetchall():
            if sql:
                connection.execute(f"DROP INDEX {name}")
        connection.execute("DROP TABLE tool_uses")
        connection.execute("DROP TABLE pending_messages")
        for table, names in dropped.items():
            for name in names.split():
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        for table, before, after in renamed:
            connection.execute(f"ALTER TABLE {table} RENAME COLUMN {before} TO {after}")
        connection.execute("DELETE FROM schema_versions WHERE version > 16")
        connection.commit()
    return path


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return what a plain SQLite client sees in one."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()
