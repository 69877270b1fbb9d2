"""`timeline`, `show`, `sessions` and `projects` as a user types them, in a terminal and in a pipe."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from wcwidth import wcswidth

from tests.cli.test_search import execute, screen
from tests.conftest import FIXTURES
from tests.service.watcher_process import WatcherProcess

PROJECT = "/home/dev/tidytime"
SESSION = "8e2fcdbc-77fd-47b8-9a6c-dee1247dc988"
in_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> WatcherProcess:
    """A home whose memory holds two sessions, one of which had subagents."""
    made = WatcherProcess(tmp_path_factory.mktemp("home"))
    for name in ("ordinary", "subagents"):
        assert made.run("replay", str(FIXTURES / name)).returncode == 0
    return made


@pytest.fixture
def own(home: WatcherProcess, tmp_path: Path) -> WatcherProcess:
    """A memory of the test's own, to be changed."""
    shutil.copytree(home.memory, tmp_path / ".claude-mem")
    return WatcherProcess(tmp_path)


def said(home: WatcherProcess, *args: str) -> str:
    finished = home.run(*args)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def as_json(home: WatcherProcess, *args: str) -> Any:
    return json.loads(said(home, *args, "--json"))


def test_projects(home: WatcherProcess) -> None:
    header, row = said(home, "projects").splitlines()
    assert header.split("  ")[0] == "last heard of"
    assert row.split()[2:] == ["2", str(as_json(home, "projects")[0]["observations"]), "tidytime", PROJECT]
    (project,) = as_json(home, "projects", "--limit", "1")
    assert set(project) == {"project", "name", "sessions", "observations", "last_activity_at"}


def test_a_project_that_is_named_is_shown_and_found_by_its_name(own: WatcherProcess) -> None:
    assert "is shown as Tidy time now" in said(own, "projects", "rename", "TIDYTIME", "Tidy  time\n")
    assert as_json(own, "projects")[0]["name"] == "Tidy time"
    assert all(line.endswith("  Tidy time") for line in said(own, "sessions").splitlines()[1:])
    assert said(own, "search", "duration").splitlines()[0].endswith("Tidy time")
    assert "is shown as tidytime now" in said(own, "projects", "rename", "tidy time", "")


def test_a_project_that_is_joined_with_another_is_one_with_it(own: WatcherProcess, tmp_path: Path) -> None:
    moved = tmp_path / "notes"
    moved.mkdir()
    before = as_json(own, "projects")[0]
    assert said(own, "projects", "merge", PROJECT, str(moved)) == f"{PROJECT} is a part of {moved} now\n"
    (joined,) = as_json(own, "projects")
    assert (joined["project"], joined["sessions"]) == (str(moved), before["sessions"])
    # Whoever asks by the old folder is told the same.
    for folder in (PROJECT, str(moved)):
        assert "parse_duration" in said(own, "context", "--project", folder)
        assert len(as_json(own, "sessions", "--project", folder)) == 2
        assert as_json(own, "search", "duration", "--project", folder)
    assert len(as_json(own, "sessions", "--project", "NOTES")) == 2  # by its name, where that is no folder


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (
            ["merge", "nope", PROJECT],
            "nothing is remembered of a project nope\nTry: claude-mem projects (it lists them)",
        ),
        (["merge", PROJECT, "/nowhere/at/all"], "nothing is remembered of a project /nowhere/at/all"),
        (["merge", PROJECT, "tidytime"], "are one project already"),
        (["merge", PROJECT], "merge takes two arguments\nTry: claude-mem projects merge OLD NEW"),
        (["rename", PROJECT], "rename takes two arguments"),
        (["delete", PROJECT], "there is no 'delete' of projects\nTry: claude-mem projects merge OLD NEW"),
    ],
)
def test_what_cannot_be_meant_of_projects_changes_nothing(home: WatcherProcess, args: list[str], hint: str) -> None:
    finished = home.run("projects", *args)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert hint in finished.stderr
    assert [one["project"] for one in as_json(home, "projects")] == [PROJECT]


def test_two_projects_of_one_name_are_told_apart_by_their_folders(own: WatcherProcess) -> None:
    execute(own, "UPDATE sdk_sessions SET project = '/other/tidytime' WHERE id = 1")
    finished = own.run("projects", "rename", "tidytime", "x")
    assert finished.returncode == 2
    assert "more than one project is called tidytime" in finished.stderr


def test_sessions(home: WatcherProcess) -> None:
    _, newer, older = said(home, "sessions").splitlines()
    assert newer.startswith("897480e5  2026-")
    assert older.startswith("8e2fcdbc  2026-")
    assert older.endswith("  tidytime")
    assert [one["session_id"][:8] for one in as_json(home, "sessions", "--limit", "1")] == ["897480e5"]
    assert len(as_json(home, "sessions", "--project", PROJECT)) == 2
    assert as_json(home, "sessions", "--project", "/nowhere") == []
    assert said(home, "sessions", "--project", "/nowhere").startswith("no session is remembered of ")


def test_sessions_that_begin_alike_are_told_apart(own: WatcherProcess) -> None:
    execute(own, "UPDATE sdk_sessions SET session_id = 'same-beginning-' || id")
    rows = said(own, "sessions").splitlines()[1:]
    assert {row.split()[0] for row in rows} == {"same-beginning-1", "same-beginning-2"}


def test_a_timeline_around_an_id(home: WatcherProcess) -> None:
    project, *rows = said(home, "timeline", "#2", "--before", "2", "--after", "1").splitlines()
    assert project == PROJECT
    assert [row.removeprefix(">").split()[0] for row in rows] == ["P1", "#1", "#2", "#3"]
    assert [row.startswith(">") for row in rows] == [False, False, True, False]
    whole = as_json(home, "timeline", "s1", "--before", "0", "--after", "0")
    assert (whole["project"], whole["anchor"]) == (PROJECT, "S1")
    assert [(one["id"], one["type"], one["session_id"]) for one in whole["moments"]] == [("S1", "summary", SESSION)]


def test_a_timeline_around_words(home: WatcherProcess) -> None:
    best = as_json(home, "search", "changelog", "--limit", "1")[0]["id"]
    assert as_json(home, "timeline", "changelog")["anchor"] == best
    assert as_json(home, "timeline", "changelog", "--project", PROJECT)["anchor"] == best


def test_an_observation_with_what_it_rests_on(home: WatcherProcess) -> None:
    text = said(home, "show", "#2")
    assert text.startswith("#2 bugfix test_duration.py: ")
    transcript = FIXTURES / "ordinary" / f"{SESSION}.jsonl"
    assert f"transcript  {transcript}\n" in text
    ((use,),) = (one["tool_uses"] for one in as_json(home, "show", "2"))
    assert f"rests on    Edit {use['files'][0]} (line {use['line']})\n" in text
    line = transcript.read_bytes().split(b"\n")[use["line"] - 1]
    assert json.loads(line)["message"]["content"][0]["id"] == use["tool_use_id"]


def test_what_a_subagent_did_is_in_its_own_transcript(own: WatcherProcess) -> None:
    execute(
        own,
        "UPDATE observations SET tool_use_ids = "
        "(SELECT json_group_array(tool_use_id) FROM tool_uses WHERE agent_id != '') WHERE id = 1",
    )
    ((*uses,),) = (one["tool_uses"] for one in as_json(own, "show", "1"))
    assert len(uses) == 2
    for use in uses:
        line = Path(use["transcript_path"]).read_bytes().split(b"\n")[use["line"] - 1]
        assert use["tool_use_id"].encode() in line
        assert f" of subagent {use['agent_id']} (line {use['line']})" in said(own, "show", "1")


def test_a_summary_and_a_prompt(home: WatcherProcess) -> None:
    summary, prompt = said(home, "show", "S2", "p2").split("\n\n")
    assert "came of it    #4, #5\n" in summary
    assert "prompt        Thanks. Please document it" in prompt
    place = summary.splitlines()[-1].removeprefix("transcript    ")
    assert prompt.endswith(f"{place}\n")
    path, _, line = place.rpartition(":")
    entry = json.loads(Path(path).read_bytes().split(b"\n")[int(line) - 1])
    assert entry["message"]["content"].startswith("Thanks. Please document it")


def test_a_session_by_the_beginning_of_its_id(home: WatcherProcess) -> None:
    text = said(home, "show", "8e2f")
    assert text.startswith(f"{SESSION} session ")
    assert "3 prompts, 12 tool uses, 6 observations\n" in text
    (session,) = as_json(home, "show", "8e2f")
    assert [turn["id"] for turn in session["turns"]] == ["S1", "S2", "S3"]


def test_digits_may_begin_a_sessions_id(home: WatcherProcess) -> None:
    assert said(home, "show", "897480").startswith("897480e5-")


def test_a_transcript_that_is_gone_has_no_lines(own: WatcherProcess) -> None:
    execute(own, "UPDATE sdk_sessions SET transcript_path = '/gone.jsonl' WHERE id = 1")
    assert "transcript  /gone.jsonl\n" in said(own, "show", "#2")
    assert "(line" not in said(own, "show", "#2")
    assert said(own, "show", "P1").endswith("/gone.jsonl\n")
    execute(own, "UPDATE sdk_sessions SET transcript_path = '' WHERE id = 1")
    assert "transcript" not in said(own, "show", "#2", "S1", "P1")


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (["show", "#999"], 1, "there is no #999\nTry: claude-mem search WORD"),
        (["show", "999"], 1, "there is no #999\n"),
        (["show", "p999"], 1, "there is no P999\n"),
        (["show", "zz"], 1, "no session's id begins with 'zz'\nTry: claude-mem sessions"),
        (["show", ""], 1, "no session's id begins with ''"),
        (["show", "8"], 2, "more than one session's id begins with '8': 897480e5"),
        (["show", "1", "#999"], 1, "there is no #999"),
        (["show"], 2, "Missing argument"),
        (["timeline", "#999"], 1, "there is no #999\n"),
        (["timeline", "nonesuch"], 1, "nothing is found for 'nonesuch'\nTry: fewer words"),
        (["timeline"], 2, "Missing argument"),
        (["timeline", "#1", "--before", "501"], 2, "less than or equal to 500"),
        (["sessions", "--limit", "0"], 2, "greater than or equal to 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said(home: WatcherProcess, command: list[str], code: int, told: str) -> None:
    finished = home.run(*command)
    assert finished.returncode == code
    assert told in finished.stderr


def test_the_beginning_of_two_sessions_ids(own: WatcherProcess) -> None:
    execute(own, "UPDATE sdk_sessions SET session_id = 'same-' || id")
    finished = own.run("show", "same")
    assert finished.returncode == 2
    assert "more than one session's id begins with 'same': same-1, same-2\nTry: give more of it" in finished.stderr


@pytest.mark.parametrize("command", ["projects", "sessions", "timeline #1", "show #1"])
def test_without_a_memory(tmp_path: Path, command: str) -> None:
    finished = WatcherProcess(tmp_path).run(*command.split())
    assert finished.returncode == 1
    assert "no memory yet" in finished.stderr
    assert "Try: claude-mem install" in finished.stderr


@in_a_terminal
@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("command", ["projects", "sessions", "timeline 2", "show 2 s1 p1", "show 8e2f"])
def test_no_row_is_wider_than_the_terminal(own: WatcherProcess, command: str, width: int) -> None:
    """Were one wider, the terminal would break it, and the next line begin with the rest."""
    execute(own, "UPDATE observations SET title = 'duration ' || replace(hex(zeroblob(150)), '00', '界') WHERE id < 3")
    execute(own, "UPDATE user_prompts SET prompt_text = printf('%.300c', 'x') || ' ' || prompt_text")
    execute(own, "UPDATE sdk_sessions SET title = printf('%.300c', 'y'), project = '/deep/' || printf('%.200c', 'z')")
    lines = screen(own, command, width)
    assert max(wcswidth(line) for line in lines) <= width
    assert not [line for line in lines if line[:3] in ("xxx", "yyy", "zzz", "界")]


@in_a_terminal
@pytest.mark.parametrize("command", ["sessions", "timeline 2", "show 2 s1 p1", "projects", "show 8e2f"])
def test_nothing_that_is_stored_moves_the_cursor(own: WatcherProcess, command: str) -> None:
    escape = "char(27) || '[2J' || char(27) || ']0;title' || char(7) || char(155) || '1A' || char(13) || 'kept'"
    for column in ("title", "subtitle", "narrative", "type"):
        execute(own, f"UPDATE observations SET {column} = {escape}")
    execute(own, f"UPDATE session_summaries SET request = {escape}, learned = {escape}")
    execute(own, f"UPDATE user_prompts SET prompt_text = {escape}, closing_text = {escape}")
    execute(own, f"UPDATE sdk_sessions SET title = {escape}, project = '/p' || {escape}, transcript_path = {escape}")
    raw = own.run(*command.split()).stdout
    assert "kept" in raw
    assert not set(raw) & {"\x1b", "\x07", "\x9b", "\r"}
    assert any("kept" in line for line in screen(own, command, 80))
