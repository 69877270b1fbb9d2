from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.service.recorder import Recorder
from watcher.memory.database import Database
from watcher.settings import Settings


class Killed(BaseException):
    """The process ends here, as far as what it was doing can tell."""


@pytest.fixture
def recorder(settings: Settings, database: Database) -> Recorder:
    return Recorder(settings, database)


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Give what says at which of the transactions to come that write, counted from 1, the process dies; 0: at none."""
    write, left = Database.write, 0

    def dies(self: Database) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return write(self)

    def set_left(number: int) -> None:
        nonlocal left
        left = number

    monkeypatch.setattr(Database, "write", dies)
    return set_left
