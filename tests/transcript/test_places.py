"""An entry is found again in its transcript, by its id."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from watcher.transcript import places

LINES = [
    '{"type":"user","uuid":"u-1"}',
    '{"type":"assistant","uuid":"u-2","parentUuid":"u-1","id":"toolu_1"}',
    '{"type":"user","tool_use_id":"toolu_1","text":"a\u2028b"}',
    '{"type":"assistant","id":"toolu_12"}',
]


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "s.jsonl"
    path.write_bytes("\n".join(LINES).encode())
    return path


def test_the_first_line_that_names_it(transcript: Path) -> None:
    found = places.lines(transcript, ["toolu_12", "u-1", "toolu_1", "toolu_", "toolu_2"])
    assert found == {"u-1": 1, "toolu_1": 2, "toolu_12": 4}


def test_across_what_is_counted_at_once(transcript: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = places.lines(transcript, ["u-1", "toolu_1", "toolu_12"])
    for size in (1, 2, 7, 64):
        monkeypatch.setattr(places, "_CHUNK", size)
        assert places.lines(transcript, ["u-1", "toolu_1", "toolu_12"]) == whole


def test_what_is_not_there_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "gone", tmp_path / "empty", tmp_path):
        assert places.lines(path, ["u-1"]) == {}


def test_a_subagents_own_transcript() -> None:
    (main,) = (FIXTURES / "subagents").glob("8*.jsonl")
    (path, *_) = sorted((main.with_suffix("") / "subagents").glob("*.jsonl"))
    assert places.of_subagent(main, path.stem.removeprefix("agent-")) == path
