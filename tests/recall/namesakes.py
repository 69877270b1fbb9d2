"""Owns a memory of two projects that share a name, for what is asked of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from tests.memory.past import days_ago, put_session
from watcher.memory.database import Database
from watcher.memory.models import Observation

OWN = "/home/me/api"  # the project that the server is started in


@pytest.fixture
def past(database: Database) -> Database:
    """Three sessions: #1, S1 and P1 of `one-1` in another folder of that name, 2 of `own-2`, 3 of `own-3`."""
    put_session(database, "one-1", 9, project="/home/you/api")
    put_session(database, "own-2", 3, project=OWN, observation_count=1)
    put_session(database, "own-3", 2, project=OWN)
    return database


def add_observation(database: Database, **values: Any) -> None:
    """Store another observation of `own-3`, an hour later."""
    lists: dict[str, Any] = {"facts": [], "concepts": [], "files_read": [], "files_modified": [], "tool_use_ids": []}
    texts = dict.fromkeys(("subtitle", "narrative", "agent"), "")
    of = {"session_id": "own-3", "prompt_number": 1, "created_at": "", "created_at_epoch": days_ago(2) + 3_600_000}
    own = {"project": OWN, "type": "discovery", "title": "A title", "content_hash": str(values)}
    with database.write() as connection:
        connection.execute(insert(Observation).values(**(lists | texts | of | own | values)))
