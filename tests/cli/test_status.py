"""`claude-mem status` at one glance: how the watcher is, what it says is wrong, what was given up; and `retry`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.claude_cli import wait_until
from tests.conftest import FIXTURES
from tests.service.watcher_process import WatcherProcess
from watcher.service import events


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    with WatcherProcess(tmp_path) as made:
        assert made.run("replay", str(FIXTURES / "ordinary")).returncode == 0
        yield made


def execute(watcher: WatcherProcess, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(watcher.memory / "data" / "claude-mem.db", timeout=10)) as connection:
        connection.execute(sql, values)
        connection.commit()


def hang(watcher: WatcherProcess, sql: str) -> None:
    """Have the watcher hang, and change something that it would put right; while it hangs it must hold no lock."""
    with closing(sqlite3.connect(watcher.memory / "data" / "claude-mem.db", timeout=10)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        os.kill(watcher.pid, signal.SIGSTOP)
        wait_until(lambda: psutil.Process(watcher.pid).status() == psutil.STATUS_STOPPED)
        connection.execute(sql)
        connection.commit()


def state(watcher: WatcherProcess) -> tuple[str, bool]:
    told = json.loads(watcher.run("status", "--json").stdout)["watcher"]
    return told["state"], told["running"]


def give_up(watcher: WatcherProcess) -> None:
    """Have it look as if the agent had failed at two tool uses, of one of which nothing is kept, and a summary."""
    execute(watcher, "UPDATE tool_uses SET status = 'failed', attempts = 5 WHERE id <= 2")
    execute(watcher, "UPDATE tool_uses SET input = '{}', output = '' WHERE id = 1")
    execute(watcher, "UPDATE session_summaries SET source = 'provisional', attempts = 5 WHERE id = 1")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_watcher_that_is_alive_stalled_or_dead(watcher: WatcherProcess) -> None:
    assert state(watcher) == ("none", False)
    watcher.start()
    assert state(watcher) == ("alive", True)
    assert "watching by events" in watcher.run("status").stdout
    hang(watcher, "UPDATE watchers SET heartbeat_at_epoch = heartbeat_at_epoch - 120000")
    assert state(watcher) == ("stalled", True)
    os.kill(watcher.pid, signal.SIGCONT)
    watcher.kill()
    assert state(watcher) == ("dead", False)
    told = watcher.run("status").stdout
    assert f"not running: killed (pid {watcher.pid}" in told
    assert "nothing is lost" in told


def test_each_condition_is_told_with_what_to_type(watcher: WatcherProcess) -> None:
    now = events.now()
    into = "INSERT INTO conditions VALUES (?, ?, ?, ?, ?, ?)"
    until = now + 2 * 60_000 + 30_000
    execute(watcher, into, "agent", "login", "not logged in", "run claude and type /login", now - 5 * 60_000, until)
    execute(watcher, into, "watching", "polling", "too many folders", "", now - 1000, None)
    told = watcher.run("status").stdout
    expected = "login since 5 min: not logged in; next try in 2 min. Try: run claude and type /login"
    assert f"agent         {expected}\n" in told
    assert "watching      polling since" in told
    conditions = json.loads(watcher.run("status", "--json").stdout)["conditions"]
    assert [(one["name"], one["state"]) for one in conditions] == [("agent", "login"), ("watching", "polling")]


def test_settings_with_which_no_watcher_starts_are_told_with_what_to_type(watcher: WatcherProcess) -> None:
    assert json.loads(watcher.run("status", "--json").stdout)["settings_error"] is None
    assert "not running; the next session or prompt starts it" in watcher.run("status").stdout
    (watcher.memory / "config.toml").write_text('[privacy]\nexclude = ["dev"]\n')
    told = watcher.run("status").stdout
    assert "not running; none can start before the settings below are mended" in told
    assert "settings      [privacy] exclude: 'dev' is no whole path (settings are in " in told
    assert "Try: write whole paths: exclude = " in told
    found = json.loads(watcher.run("status", "--json").stdout)["settings_error"]
    assert found["text"] == "[privacy] exclude: 'dev' is no whole path"
    assert watcher.run("watch", "--until-idle").returncode == 2  # as a hook would start one


def test_settings_that_a_running_watcher_cannot_heed_are_told(watcher: WatcherProcess) -> None:
    watcher.start()
    (watcher.memory / "config.toml").write_text('[privacy]\nexclude = ["dev"]\n')
    refused = "settings      refused since "
    wait_until(lambda: refused in watcher.run("status").stdout)
    told = watcher.run("status").stdout
    assert "the settings stay as they were. Try: write whole paths" in told
    assert "settings      [privacy]" not in told
    found = {one["link"]: one for one in json.loads(watcher.run("doctor", "--json").stdout)}
    assert found["conditions"]["state"] == "wrong"
    assert "'dev' is no whole path" in found["conditions"]["text"]
    (watcher.memory / "config.toml").write_text("")
    wait_until(lambda: refused not in watcher.run("status").stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_polling_is_told_of_a_watcher_that_runs(watcher: WatcherProcess) -> None:
    watcher.start()
    hang(watcher, "INSERT INTO conditions VALUES ('watching', 'polling', 'too many', '', 1, NULL)")
    assert "watching by polling" in watcher.run("status").stdout
    assert json.loads(watcher.run("status", "--json").stdout)["watcher"]["watching_by"] == "polling"


def test_what_is_broken_or_given_up_is_counted(watcher: WatcherProcess) -> None:
    give_up(watcher)
    into = "INSERT INTO broken_lines (path, offset, length, line_hash, head, reason, seen_at_epoch) VALUES "
    execute(watcher, into + "('/a.jsonl', 1, 1, '', x'00', 'not JSON', 1)")
    told = watcher.run("status").stdout
    assert "given up      1 tool use and 1 summary; try: claude-mem retry" in told
    assert "2 failed tool uses; 0 summaries to do" in told
    assert "1 broken line (claude-mem doctor says where)" in told
    assert json.loads(watcher.run("status", "--json").stdout)["given_up"] == {
        "tool_uses": 1,
        "forgotten": 1,
        "summaries": 1,
    }


def test_what_was_asked_of_the_agent_today(watcher: WatcherProcess) -> None:
    assert "today" not in watcher.run("status").stdout
    assert json.loads(watcher.run("status", "--json").stdout)["today"] is None
    into = """INSERT INTO agent_requests (session_id, project, agent, model, outcome, turns, tool_uses, input_tokens,
        output_tokens, cost_usd, created_at, created_at_epoch) VALUES ('s', '/p', 'claude', 'm', 'answered', 1, 1, ?,
        20, 0.125, '', ?)"""
    now = events.now()
    execute(watcher, into, 1000, now - 2 * 86_400_000)
    assert "today         0 of 500 requests, 0 tokens in, 0 out, $0.00 of $10.00" in watcher.run("status").stdout
    execute(watcher, into, 1000, now + 1000)  # at midnight too it is of the day on which it is looked for
    execute(watcher, into, 234, now + 1000)
    assert "today         2 of 500 requests, 1,234 tokens in, 40 out, $0.25 of $10.00" in watcher.run("status").stdout
    assert json.loads(watcher.run("status", "--json").stdout)["today"] == {
        "requests": 2,
        "tool_uses": 2,
        "input_tokens": 1234,
        "output_tokens": 40,
        "cost_usd": 0.25,
    }


def test_retry_says_how_many_and_what_is_next(watcher: WatcherProcess) -> None:
    assert "nothing to try again" in watcher.run("retry").stdout
    give_up(watcher)
    told = watcher.run("retry").stdout
    assert "1 tool use failed for good" in told
    assert "1 tool use and 1 summary wait for the agent again" in told
    assert "Next: claude-mem watch --background" in told
    assert json.loads(watcher.run("retry", "--json").stdout) == {"tool_uses": 0, "summaries": 0, "forgotten": 1}
    assert "given up" not in watcher.run("status").stdout


def test_a_running_watcher_has_what_is_retried_observed(watcher: WatcherProcess) -> None:
    give_up(watcher)
    watcher.start()
    assert "The watcher asks it by itself" in watcher.run("retry").stdout
    watcher.wait_for_rows("SELECT status FROM tool_uses WHERE id = 1", [("observed",)])
    watcher.wait_for_rows("SELECT source FROM session_summaries WHERE id = 1", [("agent",)])
    wait_until(lambda: "0 pending, 1 failed" in watcher.run("status").stdout)


def test_retry_without_a_memory_says_what_to_type(tmp_path: Path) -> None:
    finished = WatcherProcess(tmp_path).run("retry")
    assert finished.returncode == 1
    assert "Try: claude-mem install" in finished.stderr
