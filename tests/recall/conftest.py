from __future__ import annotations

import pytest

from tests.recall.memory import Memory
from watcher.memory.database import Database


@pytest.fixture
def memory(database: Database) -> Memory:
    """A project of which nothing is known."""
    return Memory(database)
