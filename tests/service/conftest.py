from __future__ import annotations

import pytest

from tests.service.recorder import Recorder
from watcher.memory.database import Database
from watcher.settings import Settings


@pytest.fixture
def recorder(settings: Settings, database: Database) -> Recorder:
    return Recorder(settings, database)
