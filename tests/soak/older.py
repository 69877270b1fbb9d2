"""Owns a memory as the first version of the program left it: its schema, and work that it had not finished."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config

from watcher import resources
from watcher.memory.database import Database

SESSION = "00000001-0001-4001-8001-000000000001"
PROJECT = "/home/dev/project-0"
_AT = 1_700_000_000_000  # epoch, long ago
_WORK = f"""
INSERT INTO sdk_sessions (session_id, project, status, started_at, started_at_epoch, last_activity_at_epoch)
VALUES ('{SESSION}', '{PROJECT}', 'completed', '2023-11-14T22:13:20.000Z', {_AT}, {_AT});
INSERT INTO user_prompts (uuid, session_id, prompt_number, prompt_text, continues_turn, closing_text,
    closing_at_epoch, ended_at_epoch, created_at, created_at_epoch)
VALUES ('old-prompt', '{SESSION}', 1, 'Go', 0, 'Gone.', {_AT + 3}, {_AT + 4}, '2023-11-14T22:13:20.000Z', {_AT});
INSERT INTO tool_uses (tool_use_id, session_id, prompt_number, name, status, input, output, files_read,
    files_modified, created_at, created_at_epoch)
VALUES ('old-use', '{SESSION}', 1, 'Bash', 'pending', 'make', 'made', '[]', '[]',
    '2023-11-14T22:13:20.001Z', {_AT + 1});
"""


def database(path: Path) -> Path:
    """Make a database of the first schema, with a turn that neither agent has seen."""
    config = Config()
    config.set_main_option("script_location", str(resources.migrations()).replace("%", "%%"))
    made = Database(path)
    with made.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    made.close()
    with closing(sqlite3.connect(path)) as plain:
        plain.executescript(_WORK)
        plain.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file, to be copied
    return path
