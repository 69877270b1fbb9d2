"""Stop raises finalize, SessionEnd raises cleanup: once, however often the hook is set up."""

from __future__ import annotations

import json
import os

import pytest

from tests.hooks.conftest import PROJECT, QUIET, World, epoch, payload
from watcher import resources
from watcher.privacy import hook_events

KINDS = [("stop.py", "finalize"), ("session_end.py", "cleanup")]
EVENTS: list[dict[str, object]] = [
    {"transcript_path": "/home/me/où/s-1.jsonl", "cwd": 'C:\\a "b"\t', "last_assistant_message": " Fixed – 文?\n"},
    {"reason": "prompt_input_exit", "cwd": "", "last_assistant_message": ""},
    {"reason": "because the password is hunter2", "transcript_path": None, "cwd": ["a"], "prompt": "my secret"},
    {"reason": "hunter2", "last_assistant_message": {"text": "my secret"}},
    {"last_assistant_message": "half \ud83d a pair\ufffd"},
    {"digest": "my secret", "closing_digest": "my secret", "é": 1e3},
]
ROUNDS = 5  # of two processes at once, which collide in most


@pytest.mark.parametrize(("script", "kind"), KINDS)
def test_raises_one_flag(watched: World, script: str, kind: str) -> None:
    before = epoch()
    watched.run(script, payload(script))
    (flag,) = watched.execute("SELECT * FROM flags")
    assert flag.pop("id") == 1
    assert before <= flag.pop("raised_at_epoch") <= epoch()
    assert flag == {
        "session_id": "s-1",
        "kind": kind,
        "project": PROJECT,
        "event": hook_events.reduced(payload(script).decode()),
        "lowered_at_epoch": None,
        "outcome": None,
    }


@pytest.mark.parametrize("said", EVENTS, ids=str)
def test_an_event_is_reduced_as_the_watcher_does(watched: World, said: dict[str, object]) -> None:
    event = json.dumps({"session_id": "s-1", **said})
    watched.run("stop.py", event.encode())
    (flag,) = watched.execute("SELECT event FROM flags")
    assert flag["event"] == hook_events.reduced(event)
    assert hook_events.reduced(flag["event"]) == flag["event"]


def test_hook_and_watcher_keep_the_same() -> None:
    source = (resources.hooks() / "hook.py").read_text(encoding="utf-8")
    assert f"KEPT = {json.dumps(hook_events.KEPT)[1:-1].join('()')}" in source
    assert f"REASONS = ({json.dumps(hook_events.REASONS)[1:-1]})" in source


def test_project_is_where_the_session_was_started(watched: World) -> None:
    """The event's cwd follows `cd`, CLAUDE_PROJECT_DIR does not."""
    watched.extra["CLAUDE_PROJECT_DIR"] = "/home/me/où"
    watched.extra["LC_ALL"] = "C"
    watched.run("stop.py", payload("stop.py", cwd="/home/me/où/deeper"))
    (flag,) = watched.execute("SELECT project FROM flags")
    assert flag["project"] == "/home/me/où"


def test_project_whose_name_is_no_utf8(watched: World) -> None:
    watched.extra["CLAUDE_PROJECT_DIR"] = os.fsdecode(b"/home/me/o\xf9")
    watched.run("stop.py")
    (flag,) = watched.execute("SELECT project FROM flags")
    assert flag["project"] == "/home/me/o\ufffd"


@pytest.mark.parametrize(("script", "kind"), KINDS)
def test_hook_set_up_twice_raises_one_flag(watched: World, script: str, kind: str) -> None:
    for turn in range(ROUNDS):
        assert watched.run_both(script, payload(script, prompt_id=str(turn))) == [QUIET, QUIET]
    flags = watched.execute("SELECT kind, event FROM flags ORDER BY id")
    events = [payload(script, prompt_id=str(turn)).decode() for turn in range(ROUNDS)]
    assert flags == [{"kind": kind, "event": hook_events.reduced(event)} for event in events]


def test_second_flag_is_not_raised_even_if_the_first_is_down(watched: World) -> None:
    watched.run("stop.py")
    watched.execute("UPDATE flags SET lowered_at_epoch = raised_at_epoch")
    watched.run("stop.py")
    assert len(watched.execute("SELECT * FROM flags")) == 1


@pytest.mark.parametrize("apart", [-11_000, 11_000], ids=["later", "clock-set-back"])
def test_same_event_much_later_is_another(watched: World, apart: int) -> None:
    watched.run("stop.py")
    watched.execute("UPDATE flags SET raised_at_epoch = raised_at_epoch + ?", (apart,))
    watched.run("stop.py")
    assert len(watched.execute("SELECT * FROM flags")) == 2


def test_sessions_and_kinds_do_not_mix(watched: World) -> None:
    event = payload("stop.py")
    watched.run("stop.py", event)
    watched.run("session_end.py", event)
    watched.run("stop.py", payload("stop.py", session_id="s-2"))
    assert len(watched.execute("SELECT * FROM flags")) == 3


def test_flags_start_no_watcher(memory: World) -> None:
    memory.name_launcher(memory.install_launcher(memory.user_home / "python", ""))
    for script, _ in KINDS:
        memory.run(script)
    assert not (memory.home / "data" / "watcher.starting").exists()
