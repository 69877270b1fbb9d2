"""A flag that a hook could not raise in the database waits in a file, and is raised once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.recorder import Recorder
from watcher.service import aside


@pytest.fixture
def folder(recorder: Recorder) -> Path:
    return recorder.settings.flags_aside


def taken_in(recorder: Recorder, folder: Path) -> int:
    return aside.raise_flags(recorder.database, folder, recorder.events.append)


def test_a_flag_whose_file_could_not_be_removed_is_raised_once(recorder: Recorder, folder: Path) -> None:
    flag = {"session_id": "s", "kind": "cleanup", "project": "/p", "event": "{}", "raised_at": 5}
    for _ in range(2):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "5-1.json").write_text(json.dumps(flag))
        assert taken_in(recorder, folder) == 1
    assert recorder.rows("SELECT count(*) FROM flags") == [(1,)]


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "other"}', "{", '{"kind": "cleanup"}'])
def test_a_file_that_is_no_flag_is_kept_and_told(recorder: Recorder, folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "5-1.json").write_text(content)
    taken_in(recorder, folder)
    assert [path.name for path in folder.iterdir()] == ["5-1.broken"]
    assert "cannot read a flag" in recorder.events[0].text
