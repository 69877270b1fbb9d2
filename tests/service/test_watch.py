"""The watcher as a real process: its lock, its end, and what it finds without any hook."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.claude_cli import wait_until
from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines

A = "aaaaaaaa-0000-4000-8000-000000000000"
B = "bbbbbbbb-0000-4000-8000-000000000000"


def since_now(at: int) -> int:
    """Return a time for `lines`, `at` milliseconds from now: what is older than the memory is left alone."""
    return int(time.time() * 1000) - lines.BEGIN + at


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    with WatcherProcess(tmp_path) as process:
        yield process


def test_a_transcript_is_followed_without_any_hook(watcher: WatcherProcess) -> None:
    watcher.projects.mkdir(parents=True)
    watcher.start()
    watcher.write(lines.prompt(since_now(0), "Go"), session=A)
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Go",)])
    watcher.write(lines.tool_use(since_now(1), "t"), lines.tool_result(since_now(2), "t"), session=A)
    watcher.wait_for_rows("SELECT status FROM tool_uses", [("pending",)])
    watcher.write(lines.words(since_now(3), "Renamed the parser to reader."), lines.turn_end(since_now(4)), session=A)
    watcher.wait_for_rows("SELECT request, source FROM session_summaries", [("Go", "agent")])
    watcher.wait_for_rows("SELECT status FROM tool_uses", [("observed",)])
    assert "Renamed the parser" in watcher.run("context", "--project", "/home/dev/api").stdout
    written = watcher.output.read_text()
    for expected in ("started", "taken in", "finalized", "observed", "by extractive"):
        assert expected in written


def test_a_projects_folder_made_later_is_found(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_WATCH_DISCOVER_INTERVAL"] = "0.2"
    watcher.start()
    watcher.write(lines.prompt(since_now(0), "Late"), session=A)
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Late",)])


def test_a_projects_folder_deleted_and_made_again_is_found(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_WATCH_DISCOVER_INTERVAL"] = "0.2"
    watcher.write(lines.prompt(since_now(0), "One"), session=A)
    watcher.start()
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("One",)])
    shutil.rmtree(watcher.projects)
    watcher.write(lines.prompt(since_now(0), "Two"), session=B)
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts ORDER BY id", [("One",), ("Two",)])


def test_what_was_written_while_no_watcher_ran_comes_in(watcher: WatcherProcess) -> None:
    watcher.start()
    watcher.kill()
    watcher.write(lines.turn(since_now(0), 1), session=A)
    watcher.start()
    watcher.wait_for_rows("SELECT request FROM session_summaries", [("Do number 1",)])


def test_transcripts_from_before_the_memory_are_left_alone(watcher: WatcherProcess) -> None:
    watcher.write(lines.turn(0, 1), session=A)  # an old one, resumed today
    watcher.write(lines.turn(since_now(0), 2), session=A)
    watcher.start()
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Do number 2",)])


def test_one_watcher_a_memory(watcher: WatcherProcess, tmp_path: Path) -> None:
    watcher.start()
    second = watcher.run("watch")
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert "Try: claude-mem status" in second.stderr
    by_hook = watcher.run("watch", "--until-idle")
    assert (by_hook.returncode, by_hook.stdout, by_hook.stderr) == (0, "", "")
    assert watcher.is_alive()
    other = tmp_path / "other"
    other.mkdir()
    with WatcherProcess(other) as elsewhere:
        assert elsewhere.start().is_alive()


def test_a_killed_watcher_leaves_nothing_in_the_way(watcher: WatcherProcess) -> None:
    watcher.start()
    watcher.kill()
    assert (watcher.memory / "data" / "watcher.lock").exists()
    assert "not running" in watcher.run("status").stdout
    watcher.start()
    assert watcher.is_alive()
    assert f"pid {watcher.pid}" in watcher.run("status").stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_it_cleanly(watcher: WatcherProcess, number: int) -> None:
    watcher.start()
    assert watcher.end(number) == 0
    ((_, stopped_at, reason),) = watcher.runs()
    assert stopped_at
    assert reason == signal.Signals(number).name
    assert "Traceback" not in watcher.output.read_text()


def test_it_leaves_when_nothing_is_left_to_do(watcher: WatcherProcess) -> None:
    watcher.environment |= {"CLAUDE_MEM_WATCH_EXIT_AFTER": "0.5", "CLAUDE_MEM_WATCH_SCAN_INTERVAL": "0.1"}
    watcher.write(lines.turn(since_now(0), 1), session=A)
    watcher.environment["CLAUDE_MEM_WATCH_IDLE_SESSION"] = "1"
    watcher.start("--until-idle")
    assert watcher.wait() == 0
    assert watcher.rows("SELECT status, end_reason FROM sdk_sessions") == [("completed", "idle")]
    assert watcher.runs()[0][2] == "idle"


def test_a_session_that_begins_while_it_leaves_is_served(watcher: WatcherProcess, tmp_path: Path) -> None:
    """Its hook saw the lock held, and started no other; a trigger lets that happen at the last moment there is."""
    watcher.environment |= {
        "CLAUDE_MEM_WATCH_EXIT_AFTER": "0.5",
        "CLAUDE_MEM_WATCH_SCAN_INTERVAL": "0.1",
        "CLAUDE_MEM_WATCH_IDLE_SESSION": "1",
    }
    transcript = tmp_path / "elsewhere" / f"{A}.jsonl"
    transcript.parent.mkdir()
    transcript.write_bytes(lines.turn(since_now(0), 1))
    watcher.start("--until-idle")
    now = int(time.time() * 1000)
    with closing(sqlite3.connect(watcher.memory / "data" / "claude-mem.db", timeout=10)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER begins AFTER UPDATE OF stopped_at_epoch ON watchers WHEN new.id = 1 BEGIN "
            "INSERT INTO sdk_sessions (session_id, project, transcript_path, status, started_at, started_at_epoch, "
            f"last_activity_at_epoch) VALUES ('{A}', '/p', '{transcript}', 'active', '', {now}, {now}); END"
        )
    assert watcher.wait() == 0
    assert watcher.rows("SELECT prompt_text FROM user_prompts") == [("Do number 1",)]
    assert watcher.rows("SELECT status FROM sdk_sessions") == [("completed",)]
    assert [reason for *_, reason in watcher.runs()] == ["idle", "idle"]


def test_it_stays_while_a_session_is_active(watcher: WatcherProcess) -> None:
    watcher.environment |= {"CLAUDE_MEM_WATCH_EXIT_AFTER": "0.2", "CLAUDE_MEM_WATCH_SCAN_INTERVAL": "0.1"}
    watcher.write(lines.turn(since_now(0), 1), session=A)
    watcher.start("--until-idle")
    watcher.wait_for_rows("SELECT status FROM sdk_sessions", [("active",)])
    time.sleep(1.0)
    assert watcher.is_alive()


def test_in_the_background(watcher: WatcherProcess) -> None:
    started = watcher.run("watch", "--background")
    assert started.returncode == 0, started
    assert "started (pid " in started.stdout
    ((pid, _, _),) = watcher.runs()
    assert f"already running (pid {pid})" in watcher.run("watch", "--background").stdout
    assert f"stopped (pid {pid})" in watcher.run("watch", "--stop").stdout
    assert "no watcher runs" in watcher.run("watch", "--stop").stdout
    assert "watching" in (watcher.memory / "logs" / "watcher.log").read_text()


def test_in_the_background_with_a_relative_home(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_HOME"] = "mine"
    started = watcher.run("watch", "--background")
    assert "started (pid " in started.stdout
    assert "stopped (pid " in watcher.run("watch", "--stop").stdout
    assert not (watcher.home / "mine" / "logs" / "mine").exists()


def test_subagents_are_followed_with_their_session(watcher: WatcherProcess) -> None:
    watcher.projects.mkdir(parents=True)
    watcher.start()
    transcript = watcher.write(lines.prompt(since_now(0), "Go"), session=A)
    side = transcript.with_suffix("") / "subagents" / "agent-x1.jsonl"
    side.parent.mkdir(parents=True)
    side.write_bytes(lines.tool_use(since_now(50), "deep"))
    watcher.wait_for_rows("SELECT session_id, agent_id, prompt_number FROM tool_uses", [(A, "x1", 1)])


def test_a_project_folder_that_is_renamed_is_found(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_WATCH_DISCOVER_INTERVAL"] = "0.2"
    transcript = watcher.write(lines.prompt(since_now(0), "Go"), session=A)
    watcher.start()
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Go",)])
    moved = transcript.parent.rename(transcript.parent.with_name("moved"))
    watcher.write(lines.prompt(since_now(5), "On"), session=A, project=moved.name)
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts ORDER BY id", [("Go",), ("On",)])


def test_a_locked_database_is_only_a_delay(watcher: WatcherProcess) -> None:
    watcher.projects.mkdir(parents=True)
    watcher.start()
    holder = sqlite3.connect(watcher.memory / "data" / "claude-mem.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    watcher.write(lines.prompt(since_now(0), "Waiting"), session=A)
    time.sleep(1.0)
    holder.execute("ROLLBACK")
    holder.close()
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Waiting",)])
    assert watcher.is_alive()
    wait_until(lambda: "taken in" in watcher.output.read_text())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_watcher_that_hangs_is_told_from_one_that_works(watcher: WatcherProcess) -> None:
    watcher.start()
    assert "watcher       running" in watcher.run("status").stdout
    os.kill(watcher.pid, signal.SIGSTOP)
    with sqlite3.connect(watcher.memory / "data" / "claude-mem.db") as connection:
        connection.execute("UPDATE watchers SET heartbeat_at_epoch = heartbeat_at_epoch - 120000")
    connection.close()
    assert f"stalled (pid {watcher.pid}" in watcher.run("status").stdout
    os.kill(watcher.pid, signal.SIGCONT)
    watcher.kill()
    assert "not running" in watcher.run("status").stdout


IN_TIME = 2.0  # seconds that a watcher may take to end


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_it_in_time_though_the_database_is_locked(watcher: WatcherProcess) -> None:
    watcher.projects.mkdir(parents=True)
    watcher.start()
    with closing(sqlite3.connect(watcher.memory / "data" / "claude-mem.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        watcher.write(lines.prompt(since_now(0), "Waiting"), session=A)
        wait_until(lambda: "locked" in watcher.output.read_text())
        assert watcher.end(signal.SIGTERM, within=IN_TIME) == 0
    assert "Traceback" not in watcher.output.read_text()
    watcher.start()
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Waiting",)])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_ends_it_in_time_in_the_middle_of_a_large_transcript(watcher: WatcherProcess) -> None:
    useless = lines.line(since_now(0), type="mode", filler="x" * 2000)
    path = watcher.write(lines.prompt(since_now(0), "First"), useless * 100_000, session=A)
    watcher.start()
    query = 'SELECT "offset" FROM checkpoints'
    wait_until(lambda: watcher.rows(query))
    assert watcher.end(signal.SIGTERM, within=IN_TIME) == 0
    ((offset,),) = watcher.rows(query)
    assert 0 < offset < path.stat().st_size
    watcher.write(lines.prompt(since_now(1), "Last"), session=A)
    watcher.start()
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts ORDER BY id", [("First",), ("Last",)])


def test_flags_and_others_have_their_turn_while_a_large_transcript_comes_in(watcher: WatcherProcess) -> None:
    useless = lines.line(since_now(0), type="mode", filler="x" * 2000)
    path = watcher.write(useless * 200_000, session=A)
    watcher.start()
    query = f"""SELECT "offset" FROM checkpoints WHERE path = '{path}'"""
    wait_until(lambda: watcher.rows(query))
    watcher.write(lines.turn(since_now(0), 1), session=B)
    watcher.wait_for_rows("SELECT request FROM session_summaries", [("Do number 1",)])
    ((offset,),) = watcher.rows(query)
    assert offset < path.stat().st_size


def test_a_watcher_leaves_once_a_newer_version_has_changed_the_database(watcher: WatcherProcess) -> None:
    watcher.environment["CLAUDE_MEM_WATCH_DISCOVER_INTERVAL"] = "0.2"
    watcher.start()
    with closing(sqlite3.connect(watcher.memory / "data" / "claude-mem.db", timeout=10)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff'")
    assert watcher.wait() == 0
    assert watcher.runs()[0][2] == "another version of claude-mem has taken over"
    finished = watcher.run("watch")
    assert finished.returncode == 1
    assert "upgrade claude-mem" in finished.stderr


def test_what_hooks_are_told_cannot_be_written_and_it_watches_all_the_same(watcher: WatcherProcess) -> None:
    (watcher.memory / "data" / "at-prompt").mkdir(parents=True)  # no file can be opened there
    watcher.start()
    watcher.write(lines.prompt(since_now(0), "Go"), session=A)
    watcher.wait_for_rows("SELECT prompt_text FROM user_prompts", [("Go",)])
    assert "prompts bring nothing up" in watcher.output.read_text()
