"""What is forgotten is gone from every row and every byte, and does not come in again on any way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.service.recorder import Recorder
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher.memory.browse import ref
from watcher.memory.selection import Wanted
from watcher.service import forgetting
from watcher.settings import Settings

NOW = lines.BEGIN + 86_400_000
SECRET = "Quetzalcoatl"


def told(at: int, number: int, word: str) -> bytes:
    """Return a turn that says a word wherever it can."""
    return b"".join(
        [
            lines.prompt(at, f"Do number {number} with {word}"),
            lines.tool_use(at + 10, f"tool-{number}", "Edit", file_path=f"/home/dev/api/{word}.py", new_string=word),
            lines.tool_result(at + 20, f"tool-{number}", f"edited {word}"),
            lines.words(at + 30, f"Did number {number} with {word}."),
            lines.turn_end(at + 40),
        ]
    )


def holds(settings: Settings, word: str) -> list[str]:
    """Return the files below the home in which a word stands."""
    return [
        path.name
        for path in settings.home.rglob("*")
        if path.is_file() and word.lower() in path.read_bytes().decode("latin-1").lower()
    ]


def words(settings: Settings) -> set[str]:
    """Return the words that the search index knows."""
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search_index, row)")
        return {word for (word,) in connection.execute("SELECT term FROM words")}


class World:
    """A session of three turns, of which the second is to be forgotten."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.settings, self.database = recorder.settings, recorder.database
        recorder.write(told(0, 1, "marmalade"), told(10_000, 2, SECRET), told(20_000, 3, "gooseberry"))
        self.take_in()

    def take_in(self, path: Path | None = None, *, anew: bool = False) -> None:
        """Take in what is new, and have all of it digested."""
        self.recorder.now = NOW
        path = path or self.recorder.transcript
        self.recorder.life.take_in(path, anew=anew)
        self.recorder.life.finalize(path.stem)
        while self.recorder.digest.ask_agent(path.stem).name == "DONE":
            pass

    def forget(self, *refs: str, **wanted: Any) -> forgetting.Done:
        """Forget something, a day later."""
        meant = Wanted(tuple(found for one in refs if (found := ref(one))), **wanted)
        return forgetting.forget(self.settings, self.database, meant, clock=lambda: NOW)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.recorder.rows(sql)

    def prompts(self) -> list[str]:
        """Return what is kept of what was asked, in the order of its numbers, which have no gap."""
        rows = self.rows("SELECT prompt_number, prompt_text FROM user_prompts ORDER BY session_id, prompt_number")
        return [text.split()[-1] for _, text in rows]

    def dump(self) -> dict[str, Any]:
        """Return all that is kept of what was done."""
        return {
            table: self.rows(f"SELECT * FROM {table}")
            for table in ("sdk_sessions", "user_prompts", "tool_uses", "observations", "session_summaries", "contexts")
        }


@pytest.fixture
def world(recorder: Recorder) -> World:
    return World(recorder)


def test_the_world_knows_what_is_to_be_forgotten(world: World) -> None:
    assert world.prompts() == ["marmalade", SECRET, "gooseberry"]
    assert len(world.rows("SELECT 1 FROM session_summaries")) == 3
    assert "claude-mem.db" in holds(world.settings, SECRET) or "claude-mem.db-wal" in holds(world.settings, SECRET)
    assert SECRET.lower() in words(world.settings)
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
    assert holds(world.settings, SECRET) == []
    assert SECRET.lower() not in words(world.settings)
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
