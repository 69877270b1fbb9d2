"""A flag that a hook could not raise in the database waits in a file, and is raised once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service.recorder import Recorder
from watcher.privacy import hook_events
from watcher.service import aside

# What `int` complains of, it quotes.
TORN = '{"kind": "cleanup", "event": "{}", "session_id": "s", "project": "/p", "raised_at": "my secret"}'


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


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "other"}', "{", '{"kind": "cleanup"}', TORN])
def test_a_file_that_is_no_flag_is_removed_and_told(recorder: Recorder, folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "5-1.json").write_text(content)
    taken_in(recorder, folder)
    assert list(folder.iterdir()) == []
    assert "cannot read a flag" in recorder.events[0].text
    assert "my secret" not in recorder.events[0].text


def test_what_an_older_version_could_not_read_goes(recorder: Recorder, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "5-1.broken").write_text("my secret")
    assert taken_in(recorder, folder) == 0
    assert list(folder.iterdir()) == []


def test_a_flag_that_an_older_hook_set_aside_loses_its_text(recorder: Recorder, folder: Path) -> None:
    event = json.dumps({"session_id": "s", "reason": "other", "prompt": "my secret"})
    flag = {"session_id": "s", "kind": "cleanup", "project": "/p", "event": event, "raised_at": 5}
    folder.mkdir(parents=True)
    (folder / "5-1.json").write_text(json.dumps(flag))
    taken_in(recorder, folder)
    assert recorder.rows("SELECT event FROM flags") == [(hook_events.reduced(event),)]
