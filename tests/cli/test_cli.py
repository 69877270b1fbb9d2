"""The command line as a user types it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import FIXTURES

COMMANDS = (
    *("install", "uninstall", "status", "search", "usage", "context", "watch", "import", "replay"),
    "cleanup-sessions",
)


def claude_mem(home: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "USERPROFILE": str(home),
        "COLUMNS": "100",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-m", "watcher", *args],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=home,
        env=environment,
        check=False,
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = claude_mem(tmp_path, "--help")
    assert shown.returncode == 0
    for command in COMMANDS:
        assert command in shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_examples(tmp_path: Path, command: str) -> None:
    shown = claude_mem(tmp_path, command, "--help")
    assert shown.returncode == 0
    assert "Examples:" in shown.stdout
    assert f"claude-mem {command}" in shown.stdout


def test_version(tmp_path: Path) -> None:
    assert claude_mem(tmp_path, "--version").stdout.startswith("claude-mem 0.")


@pytest.mark.parametrize(
    ("args", "variables", "code", "said"),
    [
        (["status"], {}, 1, "Try: claude-mem install"),
        (["context"], {}, 1, "Try: claude-mem install"),
        (["search", "word"], {}, 1, "Try: claude-mem install"),
        (["search"], {}, 2, "nothing to look for"),
        (["search", "word", "--limit", "0"], {}, 2, "greater than or equal to 1"),
        (["search", "word", "--limit", "9" * 30], {}, 2, "less than or equal to 1000"),
        (["search", "word", "--limit", "many"], {}, 2, "--limit"),
        (["serch"], {}, 2, "Did you mean 'search'?"),
        (["usage"], {}, 1, "Try: claude-mem install"),
        (["usage", "--by", "week"], {}, 2, "Try: --by day or project or session"),
        (["usage", "--days", "0"], {}, 2, "--days"),
        (["watch", "--stop"], {}, 1, "Try: claude-mem install"),
        (["nonsense"], {}, 2, "No such command"),
        (["replay"], {}, 2, "Missing argument"),
        (["replay", "missing"], {}, 2, "no transcript at missing"),
        (["replay", "missing", "--agent", "gpt"], {}, 2, "--agent claude or extractive"),
        (["replay", "missing", "--speed", "-1"], {}, 2, "--speed"),
        (["import"], {}, 2, "Try: claude-mem import PATH"),
        (["import", "missing"], {}, 2, "no transcript at missing"),
        (["import", "missing", "--dry-run"], {}, 2, "no transcript at missing"),
        (["import", "--model-last", "x"], {}, 2, "--model-last"),
        (["import", "--model-last", "3"], {"CLAUDE_MEM_AGENT": "extractive"}, 2, "no model is asked"),
        (["import", "--claude-mem-db", "missing.db"], {}, 2, "~/.claude-mem/claude-mem.db"),
        (["import", "--claude-mem-db", "missing.db", "--dry-run"], {}, 2, "~/.claude-mem/claude-mem.db"),
        (["status"], {"CLAUDE_MEM_AGENT": "gpt"}, 2, "agents are claude, extractive"),
        (["status"], {"CLAUDE_MEM_WATCH_SCAN_INTERVAL": "soon"}, 2, "CLAUDE_MEM_WATCH_SCAN_INTERVAL"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_hint(
    tmp_path: Path, args: list[str], variables: dict[str, str], code: int, said: str
) -> None:
    finished = claude_mem(tmp_path, *args, **variables)
    assert finished.returncode == code, finished
    assert said in finished.stderr
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / ".claude-mem").exists()


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    config = tmp_path / ".claude-mem" / "config.toml"
    config.parent.mkdir()
    config.write_text("[agent\nname = 1")
    finished = claude_mem(tmp_path, "status")
    assert finished.returncode == 2
    assert "config.toml is not valid TOML" in finished.stderr


def test_replay_context_and_status(tmp_path: Path) -> None:
    replayed = claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"))
    assert replayed.returncode == 0, replayed
    assert "1 session, " in replayed.stdout
    context = claude_mem(tmp_path, "context", "--project", "/home/dev/tidytime")
    assert context.stdout.startswith("<claude-mem-notes>\n# Memory of earlier sessions")
    status = claude_mem(tmp_path, "status")
    assert "1 completed" in status.stdout
    assert "not running" in status.stdout


def test_a_context_is_explained_part_by_part(tmp_path: Path) -> None:
    claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"))
    explain = ("context", "--project", "/home/dev/tidytime", "--explain")
    explained = claude_mem(tmp_path, *explain)
    assert explained.returncode == 0, explained
    assert "summary" in explained.stdout
    assert "older one" not in explained.stdout
    assert max(map(len, explained.stdout.splitlines())) <= 80
    told = json.loads(claude_mem(tmp_path, *explain, "--json").stdout)
    assert told["text"] == claude_mem(tmp_path, "context", "--project", "/home/dev/tidytime").stdout.removesuffix("\n")
    assert told["around"] + sum(part["used"] for part in told["parts"]) == told["units"]
    assert told["is_current"]
    # With other settings, the text stays as it is until there is news; what it would be then is explained.
    small = {"CLAUDE_MEM_CONTEXT_MAX_UNITS": "1000", "CLAUDE_MEM_CONTEXT_PARTS": "observations,summary"}
    later = json.loads(claude_mem(tmp_path, *explain, "--json", **small).stdout)
    assert later["text"] == told["text"]
    assert not later["is_current"]
    assert [part["name"] for part in later["parts"]] == ["observations", "summary"]
    assert any(part["left_out"] for part in later["parts"])
    assert "older one" in claude_mem(tmp_path, *explain, **small).stdout


def test_json_for_a_pipe(tmp_path: Path) -> None:
    played = json.loads(claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"), "--json").stdout)
    assert played["recordings"] == 1
    assert (played["tool_uses"]["observed"], played["tool_uses"]["skipped"]) == (11, 1)  # it only looked
    context = json.loads(claude_mem(tmp_path, "context", "--project", "/home/dev/tidytime", "--json").stdout)
    assert 0 < context["units"] <= 10_000
    assert context["text"]
    told = json.loads(claude_mem(tmp_path, "status", "--json").stdout)
    assert told["watcher"]["running"] is False
    assert told["sessions"] == {"active": 0, "completed": 1, "failed": 0}
    assert told["last_summary"]["project"] == "/home/dev/tidytime"


def test_cleaning_up_sessions_by_hand(tmp_path: Path) -> None:
    claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"))
    with closing(sqlite3.connect(tmp_path / ".claude-mem" / "data" / "claude-mem.db")) as connection:
        connection.execute("UPDATE sdk_sessions SET status = 'active', last_activity_at_epoch = 1000")
        connection.commit()
    told = json.loads(claude_mem(tmp_path, "cleanup-sessions", "--dry-run", "--json").stdout)
    assert [session["status"] for session in told["sessions"]] == ["active"]
    assert "1 session would be marked as failed" in claude_mem(tmp_path, "cleanup-sessions", "--dry-run").stdout
    assert "1 session marked as failed" in claude_mem(tmp_path, "cleanup-sessions").stdout
    assert "0 sessions marked as failed" in claude_mem(tmp_path, "cleanup-sessions").stdout
    assert "1 failed" in claude_mem(tmp_path, "status").stdout


def test_a_project_of_which_nothing_is_known_is_said(tmp_path: Path) -> None:
    claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"))
    finished = claude_mem(tmp_path, "context", "--project", "/nowhere")
    assert finished.returncode == 1
    assert "nothing is remembered of /nowhere" in finished.stderr
    assert "Try: claude-mem context --project /home/dev/tidytime" in finished.stderr


def test_a_pipe_of_another_encoding_gets_what_it_can(tmp_path: Path) -> None:
    claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"))
    finished = claude_mem(tmp_path, "context", "--project", "/home/dev/tidytime", PYTHONIOENCODING="cp1252")
    assert finished.returncode == 0, finished.stderr


def test_a_pipe_gets_no_colours(tmp_path: Path) -> None:
    claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"))
    assert "\x1b[" not in claude_mem(tmp_path, "status").stdout
    assert "\x1b[" not in claude_mem(tmp_path, "replay", str(FIXTURES / "ordinary"), "--speed", "50").stdout


@pytest.mark.parametrize(
    ("written", "said"), [('exclude = ["clients"]', "no whole path"), ('ignore = ["a["]', "no pattern")]
)
def test_a_pattern_of_the_settings_that_is_none_is_said(tmp_path: Path, written: str, said: str) -> None:
    home = tmp_path / ".claude-mem"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f"[privacy]\n{written}\n")
    for command in (["watch"], ["replay", str(FIXTURES / "ordinary")]):
        shown = claude_mem(tmp_path, *command)
        assert shown.returncode == 2
        assert said in shown.stderr
        assert "Try: write " in shown.stderr
    assert said in claude_mem(tmp_path, "doctor").stdout


def test_a_defect_is_told_without_what_it_was_about() -> None:
    key = "AKIA" + "IOSFODNN7EXAMPL2"
    script = (
        "import sys; from watcher import cli\n"
        f"def fail(): raise ZeroDivisionError('of {key}')\n"
        "cli.app = fail; cli.main()"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "Traceback" in run.stderr
    assert "ZeroDivisionError: of [redacted: aws-access-key]" in run.stderr
    assert key not in run.stderr
