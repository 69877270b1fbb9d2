"""What is forgotten is gone from every row and every byte, and does not come in again on any way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.forgotten_world import EDITED, SECRET, World, holds, words
from tests.service.recorder import Recorder
from tests.transcript import lines
from tests.transcript.lines import SESSION


@pytest.fixture
def world(recorder: Recorder) -> World:
    return World(recorder)


def test_the_world_knows_what_is_to_be_forgotten(world: World) -> None:
    assert world.prompts() == ["marmalade", SECRET, "gooseberry"]
    assert len(world.rows("SELECT 1 FROM session_summaries")) == 3
    assert "claude-mem.db" in holds(world.settings.home, SECRET) or "claude-mem.db-wal" in holds(
        world.settings.home, SECRET
    )
    assert SECRET.lower() in words(world.settings.database)
    assert SECRET in world.recorder.context()


@pytest.mark.parametrize(
    "wanted",
    [
        {"text": SECRET.upper()},
        {"text": SECRET[1:-1]},
        {"since": lines.BEGIN + 9_000, "until": lines.BEGIN + 10_005},
        {"project": "/home/dev/api", "since": lines.BEGIN + 10_030, "until": lines.BEGIN + 12_000},
        {"session": SESSION, "text": SECRET},
    ],
)
def test_a_turn_is_gone_from_every_row_and_byte_and_stays_away(world: World, wanted: dict[str, Any]) -> None:
    done = world.forget(**wanted)
    assert done.is_overwritten
    left(world)


@pytest.mark.parametrize("id_", ["P2", "S2"])
def test_a_prompt_and_a_summary_go_with_their_turn(world: World, id_: str) -> None:
    world.forget(id_)
    left(world)


def left(world: World) -> None:
    """Make sure that the second turn is gone, and all of the others left."""
    assert world.prompts() == ["marmalade", "gooseberry"]
    assert world.leaks(SECRET) == world.leaks(EDITED) == []
    assert world.rows("SELECT prompt_number FROM user_prompts ORDER BY 1") == [(1,), (2,)]
    assert world.rows("SELECT prompt_number, request FROM session_summaries ORDER BY 1") == [
        (1, "Do number 1 with marmalade"),
        (2, "Do number 3 with gooseberry"),
    ]
    assert world.rows("SELECT tool_use_id, prompt_number FROM tool_uses ORDER BY 1") == [("tool-1", 1), ("tool-3", 2)]
    assert world.rows("SELECT prompt_count, tool_use_count FROM sdk_sessions") == [(2, 2)]
    assert SECRET not in world.recorder.context()
    assert "gooseberry" in world.recorder.context()
    before = world.dump()
    world.take_in(anew=True)
    assert world.dump() == before
