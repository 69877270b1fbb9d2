"""Watcher after watcher killed over a live replay: what is left is what a run that nobody disturbed leaves.

The short forms. `make soak` runs them by the hundred.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import dump, older, story
from tests.soak.kills import Kills, undisturbed
from tests.soak.nursery import Nursery
from tests.soak.scripted import scripted_cli

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")

STORING = ("watcher/memory/outcomes", "watcher/memory/outcomes", "watcher/service/digest", "watcher/recall/")
RECORDED = ("forked", "subagents", "queued-mid-turn", "torn-then-resumed", "killed-mid-tool")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as made:
        yield made


def begin() -> int:
    """Return when a story begins that is told now."""
    return time.time_ns() // 1_000_000 - story.AGO


def assert_same(difference: dump.Difference, killed: Kills) -> None:
    assert not difference, "\n".join([*killed.told, str(difference)])
    assert killed.failed_starts == []
    assert killed.home.processes() == []


def test_killed_at_lines_of_the_program_from_an_empty_home_on(nursery: Nursery, tmp_path: Path) -> None:
    """The making of the database is killed too."""
    told = story.tell(1, begin())
    expected = undisturbed(nursery, tmp_path / "calm", told)
    killed = Kills(nursery, tmp_path / "killed", told, expected, random.Random(1))
    assert_same(killed.at_lines(16), killed)
    assert len(killed.home.burnt()) >= 10
    # Two runs that lose the same would be the same too.
    assert told.ledger.lost(killed.home) == []
    assert told.ledger.duplicated(killed.home) == []


def test_killed_at_lines_while_an_older_memory_is_migrated(nursery: Nursery, tmp_path: Path) -> None:
    """And while an agent's answer is stored; the agent is a process, as the model's is."""
    before = older.database(tmp_path / "older.db")
    told = story.tell(2, begin(), sessions=5)
    expected = undisturbed(nursery, tmp_path / "calm", told, before)
    cli = scripted_cli(tmp_path / "claude")
    killed = Kills(
        nursery, tmp_path / "killed", told, expected, random.Random(2), before=before, thinks=None, agent_cli_path=cli
    )
    assert_same(killed.at_lines(16, STORING), killed)
    assert killed.home.rows("SELECT status FROM tool_uses WHERE tool_use_id = 'old-use'") == [("observed",)]


def test_killed_at_any_time_over_recorded_sessions(nursery: Nursery, tmp_path: Path) -> None:
    told = story.tell(3, begin(), sessions=3, fixtures=RECORDED)
    expected = undisturbed(nursery, tmp_path / "calm", told)
    killed = Kills(nursery, tmp_path / "killed", told, expected, random.Random(3))
    assert_same(killed.at_times(12), killed)
    assert killed.home.rows("SELECT count(*) FROM watchers WHERE stopped_at_epoch IS NULL") > [(3,)]
