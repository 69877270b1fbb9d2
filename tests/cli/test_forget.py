"""`claude-mem forget` says what goes, asks, and names what it leaves; `claude-mem export` gives all of it before."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.cli.test_light import run
from tests.conftest import FIXTURES
from watcher.cli import app
from watcher.errors import ClaudeMemError, UsageError

PROJECT = "/home/dev/tidytime"


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose memory holds a session of three turns, and is not to be changed."""
    made = tmp_path_factory.mktemp("home")
    assert run(made, "replay", str(FIXTURES / "ordinary")).returncode == 0
    return made


@pytest.fixture
def home(still: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    shutil.copytree(still / ".claude-mem", tmp_path / ".claude-mem")
    return tmp_path


def claude_mem(home: Path, *args: str, code: int = 0) -> str:
    ran = run(home, *args)
    assert ran.returncode == code, ran
    return ran.stdout if code == 0 else ran.stderr


def rows(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / ".claude-mem" / "data" / "claude-mem.db")) as connection:
        return connection.execute(sql).fetchall()


def exported(home: Path, *args: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in claude_mem(home, "export", *args).splitlines()]


def test_a_dry_run_shows_what_would_go_and_changes_nothing(still: Path) -> None:
    before = claude_mem(still, "export")
    told = claude_mem(still, "forget", "P2", "--dry-run")
    assert told.startswith("would go: 1 prompt, 2 observations, 1 summary, ")
    assert "P2 " in told
    assert "Please document it in the README" in told
    assert f"{FIXTURES / 'ordinary'}" in told
    said = json.loads(claude_mem(still, "forget", "p2", "--dry-run", "--json"))
    assert said["dry_run"]
    assert said["forgotten"]["prompts"] == 1
    assert {line["id"] for line in said["lines"]} == {"P2", "S2", "#4", "#5"}
    assert claude_mem(still, "export") == before


def test_with_nobody_to_answer_nothing_is_lost(still: Path) -> None:
    before = claude_mem(still, "export")
    assert "add --yes" in claude_mem(still, "forget", "P2", code=2)
    assert claude_mem(still, "export") == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal")
@pytest.mark.parametrize("answer", ["n", "", "y", "^C"])
def test_it_asks_before(home: Path, answer: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm"}
    child = pexpect.spawn(
        sys.executable, ["-m", "watcher", "forget", "P2"], env=environment, encoding="utf-8", timeout=30
    )
    child.expect("would go: 1 prompt")
    child.expect("claude-mem export")
    child.expect("Forget it")
    if answer == "^C":
        child.sendintr()
    else:
        child.sendline(answer)
    if answer != "y":
        child.expect("nothing was forgotten")
    child.expect(pexpect.EOF)
    assert "Aborted" not in child.before
    child.close()
    assert child.exitstatus == (0 if answer == "y" else 1)
    assert len(rows(home, "SELECT 1 FROM user_prompts")) == (2 if answer == "y" else 3)


def test_it_says_what_went_and_what_may_still_hold_it(home: Path) -> None:
    said = json.loads(claude_mem(home, "forget", "--text", "CHANGELOG", "--yes", "--json"))
    assert not said["dry_run"]
    assert said["is_overwritten"]
    assert said["forgotten"]["prompts"] >= 1
    (copy,) = said["copies"]
    assert Path(copy["path"]).parent == FIXTURES / "ordinary"
    assert "changelog" not in claude_mem(home, "export").lower()
    assert said["places"] == {"projects": [], "transcripts": 0}
    assert claude_mem(home, "forget", "--text", "CHANGELOG", "--yes") == "nothing of it is in the memory\n"


def test_it_says_where_a_text_stays_and_what_takes_it_away_there_too(home: Path) -> None:
    told = claude_mem(home, "forget", "--text", "TIDYTIME", "--dry-run")
    command = f"claude-mem forget --project {PROJECT}"
    assert f"May stay in the paths of projects. What takes that away, and all else of one:\n  {command}\n" in told
    with closing(sqlite3.connect(home / ".claude-mem" / "data" / "claude-mem.db")) as connection, connection:
        connection.execute("INSERT INTO project_folders VALUES (?, ?, 1)", ("/home/dev/acme", PROJECT))
        connection.execute("UPDATE checkpoints SET path = '/home/dev/acme.jsonl'")
    told = claude_mem(home, "forget", "--text", "acme", "--yes")
    assert told.startswith("it stands in no turn\nStill in the paths of projects")
    assert command in told
    assert "Still in 1 path of a transcript" in told
    claude_mem(home, *command.split()[1:], "--yes")
    said = json.loads(claude_mem(home, "forget", "--text", "acme", "--yes", "--json"))
    assert said["places"] == {"projects": [], "transcripts": 1}
    assert rows(home, "SELECT 1 FROM project_folders") == []


def test_a_summary_that_is_made_anew_is_told_of_before(home: Path) -> None:
    assert "  S1 is made anew of what is left\n" in claude_mem(home, "forget", "#1", "--dry-run")
    assert "made anew" not in claude_mem(home, "forget", "#1", "P1", "--dry-run")
    claude_mem(home, "forget", "#1", "--yes")
    assert rows(home, "SELECT count(*) FROM session_summaries") == [(3,)]


def test_a_project_goes_by_its_folder_or_name_and_a_session_by_how_its_id_begins(home: Path) -> None:
    assert "--project" not in claude_mem(home, "forget", "--session", "8e2f", "--until", "2020-01-01", "--yes")
    assert len(rows(home, "SELECT 1 FROM user_prompts")) == 3
    told = claude_mem(home, "forget", "--project", "tidytime", "--yes")
    assert told.startswith("forgotten: 1 session, 3 prompts, ")
    assert rows(home, "SELECT 1 FROM sdk_sessions") == []
    assert claude_mem(home, "context", "--project", PROJECT, code=1)
    assert claude_mem(home, "replay", str(FIXTURES / "ordinary"))
    assert rows(home, "SELECT 1 FROM user_prompts") == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "forget what?"),
        (["--text", "  "], "--text is empty"),
        (["--project", PROJECT, "--text", ""], "--text is empty"),
        (["--project", PROJECT, "--since", ""], "--since is empty"),
        (["--project", PROJECT, "--session", ""], "--session is empty"),
        (["--project", "", "--text", "x"], "--project is empty"),
        (["P1", "--text", "x"], "they take no other options"),
        (["8e2f"], "claude-mem forget --session 8e2f"),
        (["#-1"], "claude-mem forget --session '#-1', or"),
        (["--since", "tomorrow"], "is no date"),
        (["--since", "today", "--until", "yesterday"], "--since is later"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(still: Path, args: list[str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        app(["forget", *args], standalone_mode=False)
    assert said in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize(("args", "said"), [(["P9"], "there is no P9"), (["--session", "ffff"], "no session's id")])
def test_what_is_not_there_is_a_failure(
    still: Path, args: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_MEM_HOME", str(still / ".claude-mem"))
    with pytest.raises(ClaudeMemError, match=said):
        app(["forget", *args, "--yes"], standalone_mode=False)


def test_an_export_holds_every_row(still: Path) -> None:
    found = exported(still)
    tables = {
        "session": "sdk_sessions",
        "prompt": "user_prompts",
        "summary": "session_summaries",
        "observation": "observations",
    }
    for kind, table in tables.items():
        assert sum(row["kind"] == kind for row in found) == rows(still, f"SELECT count(*) FROM {table}")[0][0]
    texts = [(row["text"], row["closing_text"], row["uuid"]) for row in found if row["kind"] == "prompt"]
    assert texts == rows(still, "SELECT prompt_text, closing_text, uuid FROM user_prompts ORDER BY id")
    told = [(row["title"], json.dumps(row["facts"])) for row in found if row["kind"] == "observation"]
    kept = rows(still, "SELECT title, facts FROM observations ORDER BY id")
    assert told == [(title, json.dumps(json.loads(facts))) for title, facts in kept]
    assert [row["request"] for row in found if row["kind"] == "summary"] == [
        request for (request,) in rows(still, "SELECT request FROM session_summaries ORDER BY id")
    ]
    assert found[0]["kind"] == "session"
    assert found[0]["project"] == PROJECT


def test_the_names_of_an_export_s_fields_stay(still: Path) -> None:
    """Who reads exports goes by these."""
    fields = {row["kind"]: " ".join(row) for row in exported(still)}
    turn = "kind id session_id prompt_number"
    assert fields == {
        "session": "kind session_id project cwd title status end_reason transcript_path started_at ended_at "
        "last_activity_at",
        "prompt": f"{turn} uuid text closing_text continues_turn at",
        "summary": f"{turn} project request investigated learned completed next_steps notes source agent origin at",
        "observation": f"{turn} project type title subtitle narrative facts concepts files_read files_modified "
        "tool_use_ids basis origin agent at",
    }


def test_an_export_is_narrowed_as_a_search_is(still: Path) -> None:
    whole = exported(still)
    assert exported(still, "--project", PROJECT) == exported(still, "--session", "8e2f") == whole
    assert exported(still, "--since", "2030-01-01") == exported(still, "--until", "2020-01-01") == []
    assert exported(still, "--since", "2020-01-01") == whole
    assert "no session's id" in claude_mem(still, "export", "--session", "ffff", code=1)
    assert "no format" in claude_mem(still, "export", "--format", "xml", code=2)


@pytest.mark.parametrize("option", ["--project", "--session", "--since", "--until", "--output"])
def test_an_empty_option_never_means_all(still: Path, option: str) -> None:
    assert f"{option} is empty" in claude_mem(still, "export", option, "", code=2)


@pytest.mark.parametrize("command", [["forget", "--yes"], ["forget", "--dry-run"], ["export"]], ids=" ".join)
@pytest.mark.parametrize("name", ["nope", "/nowhere/tidytime"])
def test_a_project_that_is_not_in_the_memory_is_a_failure(home: Path, command: list[str], name: str) -> None:
    said = claude_mem(home, *command, "--project", name, code=1)
    assert said.startswith(f"claude-mem: nothing is remembered of a project {name}\nTry: claude-mem projects")
    assert rows(home, "SELECT 1 FROM forgotten") == []


def test_a_project_of_which_only_a_flag_is_up_can_be_forgotten(home: Path) -> None:
    with closing(sqlite3.connect(home / ".claude-mem" / "data" / "claude-mem.db")) as connection, connection:
        connection.execute(
            "INSERT INTO flags (session_id, project, kind, event, raised_at_epoch) "
            "VALUES ('new', '/home/dev/new', 'place', '{}', 1)"
        )
    assert claude_mem(home, "forget", "--project", "/home/dev/new", "--yes").startswith("forgotten: ")
    assert rows(home, "SELECT 1 FROM flags WHERE project = '/home/dev/new'") == []


def test_an_export_to_a_minus_is_one_to_stdout(home: Path) -> None:
    assert claude_mem(home, "export", "--output", "-") == claude_mem(home, "export")
    assert not (home / "-").exists()


def test_an_export_s_file_is_for_its_owner_and_never_written_over(home: Path) -> None:
    path = home / "memory.jsonl"
    claude_mem(home, "export", "--output", str(path))
    assert path.read_text() == claude_mem(home, "export")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("mine")
    assert "--force" in claude_mem(home, "export", "--output", str(path), code=2)
    assert path.read_text() == "mine"
    claude_mem(home, "export", "--output", str(path), "--force", "--format", "markdown")
    assert path.read_text().startswith("# Memory of claude-mem")
    assert [found.name for found in home.glob("memory*")] == ["memory.jsonl"]
    told = claude_mem(home, "export", "--output", str(home / "gone" / "memory.jsonl"), code=2)
    assert told.startswith(f"claude-mem: {home / 'gone'} is no folder")


def test_an_export_in_markdown_tells_each_session_in_its_order(still: Path) -> None:
    told = claude_mem(still, "export", "--format", "markdown")
    places = [told.index(mark) for mark in ("\n## ", "### P1 ", "**S1, ", "### P2 ", "**S2, ", "### P3 ", "**S3, ")]
    assert places == sorted(places)
    assert f"`{PROJECT}`" in told


def test_an_export_ends_well_where_its_reader_does(home: Path) -> None:
    with closing(sqlite3.connect(home / ".claude-mem" / "data" / "claude-mem.db")) as connection, connection:
        connection.execute("UPDATE user_prompts SET prompt_text = ?", ("x" * 1_000_000,))
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    command = [sys.executable, "-m", "watcher", "export"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
