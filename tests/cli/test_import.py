"""`claude-mem import` as a user meets it: beside a watcher, in a pipe and a terminal, interrupted and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

from tests.claude_cli import wait_until
from tests.conftest import FIXTURES
from tests.memory.theirs import RECENT
from tests.service.test_importing import prompt_of
from tests.service.watcher_process import WatcherProcess

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither these signals nor a terminal like it")
SESSIONS = 40
DAY = 86_400_000
KEPT = """
SELECT (SELECT count(*) FROM sdk_sessions WHERE status = 'completed'), (SELECT count(*) FROM user_prompts),
    (SELECT count(*) FROM observations), (SELECT count(*) FROM tool_uses WHERE status = 'observed')
"""
WHOLE = [(SESSIONS, 2 * SESSIONS, SESSIONS, 4 * SESSIONS)]  # the two turns of a session make the same change


@pytest.fixture
def home(tmp_path: Path) -> Iterator[WatcherProcess]:
    """A home whose watcher may be started."""
    with WatcherProcess(tmp_path) as made:
        yield made


def fill(home: WatcherProcess) -> None:
    """Let Claude Code have written many sessions."""
    for number in range(SESSIONS):
        name = f"s{number:02}"
        turns = (prompt_of(name, at, of, tools=2) for of, at in ((1, number), (2, number + 60_000)))
        home.write(*turns, session=name)


def started(home: WatcherProcess) -> subprocess.Popen[str]:
    """Start an import, and wait until some of it is kept."""
    process = subprocess.Popen(
        [sys.executable, "-m", "watcher", "import"],
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home.home,
    )
    wait_until(lambda: bool(home.rows("SELECT 1 FROM sdk_sessions WHERE status = 'completed' LIMIT 1")))
    return process


def test_twice_in_a_pipe(home: WatcherProcess) -> None:
    fill(home)
    shown = home.run("import", "--dry-run")
    assert shown.stdout.startswith(f"{SESSIONS} sessions to import, ")
    told = json.loads(home.run("import", "--dry-run", "--json").stdout)
    assert (told["transcripts"]["sessions"], told["transcripts"]["known"]) == (SESSIONS, 0)
    assert not home.memory.exists()
    first = home.run("import")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(f"imported {SESSIONS} sessions from transcripts, {2 * SESSIONS} prompts and ")
    assert home.rows(KEPT) == WHOLE
    again = json.loads(home.run("import", "--json").stdout)
    assert (again["transcripts"]["sessions"], again["transcripts"]["known"]) == (0, SESSIONS)
    assert home.rows(KEPT) == WHOLE
    assert home.runs()[-1][2] == "imported"


@posix
def test_killed_it_is_gone_on_with(home: WatcherProcess) -> None:
    fill(home)
    process = started(home)
    process.kill()
    process.communicate(timeout=30)
    assert home.rows(KEPT) != WHOLE
    assert home.run("import").returncode == 0
    assert home.rows(KEPT) == WHOLE


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_says_how_to_go_on(home: WatcherProcess, number: int) -> None:
    fill(home)
    process = started(home)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out.startswith("imported ")
    assert "interrupted" in err
    assert "Try: the same command again" in err
    assert "Traceback" not in err
    assert home.rows("SELECT count(*) FROM sdk_sessions WHERE status != 'completed'") == [(0,)]
    assert home.run("import").returncode == 0
    assert home.rows(KEPT) == WHOLE


@posix
def test_a_watcher_that_runs_is_ended_and_started_again(home: WatcherProcess) -> None:
    assert home.run("watch", "--background").returncode == 0
    ((watcher, _, _),) = home.runs()
    fill(home)
    imported = home.run("import")
    try:
        assert imported.returncode == 0, imported
        wait_until(lambda: len(home.runs()) == 3)
        assert [reason for _, _, reason in home.runs()] == ["SIGTERM", "imported", None]
        assert not psutil.pid_exists(watcher)
        assert home.rows(KEPT) == WHOLE
    finally:
        assert home.run("watch", "--stop").returncode == 0


@posix
def test_another_import_is_not_cut_off(home: WatcherProcess) -> None:
    fill(home)
    process = started(home)
    process.send_signal(signal.SIGSTOP)
    other = home.run("import")
    process.send_signal(signal.SIGCONT)
    assert (other.returncode, "another import runs" in other.stderr) == (1, True)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert home.rows(KEPT) == WHOLE


@posix
def test_a_terminal_sees_how_far_it_is(home: WatcherProcess) -> None:
    fill(home)
    shown = pexpect.run(
        f"{sys.executable} -m watcher import",
        env={**home.environment, "TERM": "xterm", "COLUMNS": "80"},
        cwd=str(home.home),
        timeout=60,
    )
    assert b"importing  [" in shown
    assert b"100%" in shown


@posix
def test_a_transcript_that_cannot_be_read_is_named_and_keeps_up_no_other(home: WatcherProcess) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may read anything, and there is no setpriv to take that from it")
    home.write(prompt_of("one", 0, 1), session="one")
    closed = home.write(prompt_of("two", 0, 1), session="two")
    closed.chmod(0)
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    finished = subprocess.run(
        [*prefix, sys.executable, "-m", "watcher", "import"],
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=home.home,
    )
    assert finished.returncode == 1
    assert f"cannot read {closed}: Permission denied (1 in all)" in finished.stderr
    assert home.rows("SELECT session_id FROM sdk_sessions") == [("one",)]
    closed.chmod(0o600)
    assert home.run("import").returncode == 0


def test_the_other_memory_is_taken_over(home: WatcherProcess) -> None:
    path = shutil.copy(RECENT, home.home / "theirs.db")
    shown = home.run("import", "--claude-mem-db", path, "--dry-run")
    assert shown.stdout == f"15 sessions in {path}: 15 prompts, 39 observations, 12 summaries\n"
    assert not home.memory.exists()
    taken = home.run("import", "--claude-mem-db", path)
    assert (taken.returncode, taken.stderr) == (0, "")
    assert taken.stdout == "took over 15 sessions: 15 prompts, 39 observations, 12 summaries\n"
    again = json.loads(home.run("import", "--claude-mem-db", path, "--json").stdout)
    assert again["claude_mem_db"]["observations"] == 0
    assert home.rows("SELECT count(*) FROM observations") == [(39,)]
    assert "MARK-after500" in home.run("context", "--project", "/home/dev/proj").stdout


def test_what_the_model_is_left_is_said(home: WatcherProcess) -> None:
    home.environment["CLAUDE_MEM_AGENT"] = "claude"
    fill(home)
    imported = home.run("import", "--model-last", "3")
    assert "3 sessions wait for the model, within its budget: claude-mem usage" in imported.stdout
    assert home.rows("SELECT count(DISTINCT session_id) FROM tool_uses WHERE status = 'pending'") == [(3,)]


def test_the_recorded_database_tells_nothing_of_the_machine() -> None:
    content = (FIXTURES / "claude-mem-13.25.db").read_bytes()
    for trace in (b"/root", b"/tmp", b"/work", b"/opt", b"/Users", b"sk-ant"):
        assert trace not in content
