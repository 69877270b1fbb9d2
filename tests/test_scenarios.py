"""Four ways in which a session or a watcher ends badly, with the real CLI: nothing is lost, nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.claude_cli import ALLOW_TOOLS, CLITimeoutError, Interactive, end_tree, started_print, wait_until
from tests.messages_api import Kind, MessagesAPI, Reply, Request, ToolCall, text_of
from tests.world import PLUGIN, World, agent_answer, is_about

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL, SIGSTOP nor pseudo-terminal"),
]

PROMPT = "Run the long test suite."
QUICK = ("Run the quick checks.", "Run them once more.")
RUNNING = "SELECT name, status FROM tool_uses"


def model(request: Request) -> Reply:
    """Run one command a prompt, that takes for ever where the test is long, else none that takes any time."""
    said = str(request["messages"])
    if said.count("'tool_result'") >= max(1, sum(prompt in said for prompt in QUICK)):
        return Reply(text="It passed.")
    command = "while true; do sleep 1; done" if PROMPT in str(request) else "true"
    return Reply(text="Running it.", tool_uses=[ToolCall("Bash", {"command": command})])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    def agent(request: Request) -> Reply:
        return agent_answer(turns=text_of(request).count("<turn n="))

    with MessagesAPI(model, agent=agent) as api, World(tmp_path, api) as made:
        made.environment |= {"CLAUDE_MEM_WATCH_SCAN_INTERVAL": "0.2", "CLAUDE_MEM_WATCH_EXIT_AFTER": "1"}
        yield made


def test_a_claude_code_that_was_killed_leaves_a_session_that_ends(world: World) -> None:
    """Zombie: no Stop, no SessionEnd. The process is gone, so the session is over, and then the watcher leaves."""
    with started_print(
        PROMPT, environment=world.environment, cwd=world.project, args=(*PLUGIN, *ALLOW_TOOLS)
    ) as claude:
        world.wait_for_rows(RUNNING, [("Bash", "open")])
        end_tree(claude.pid)
    world.wait_for_rows("SELECT status, end_reason FROM sdk_sessions", [("completed", "process gone")])
    world.wait_for_rows("SELECT source FROM session_summaries", [("agent",)])
    assert world.rows(RUNNING) == [("Bash", "observed")]
    assert world.rows("SELECT count(*) FROM flags") == [(0,)]
    wait_until(lambda: not world.processes(), otherwise=lambda: f"still there: {world.processes()}")
    assert world.rows("SELECT stop_reason FROM watchers") == [("idle",)]


def test_a_session_that_was_interrupted_has_its_summary(world: World) -> None:
    """SessionEnd without Stop: Ctrl-C twice, in the middle of a command."""
    with Interactive(environment=world.environment, cwd=world.project, args=(*PLUGIN, *ALLOW_TOOLS)) as claude:
        claude.wait_ready()
        claude.type_line(PROMPT)
        world.wait_for_rows(RUNNING, [("Bash", "open")])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:  # the first interrupts the command, two more in a row leave
            with suppress(OSError):  # it is gone
                claude.press("ctrl-c")
            # Not at once again: one too many, as the terminal is itself again, is for the hook that begins.
            with suppress(CLITimeoutError):
                wait_until(lambda: not psutil.pid_exists(claude.pid) or world.rows("SELECT 1 FROM flags"), timeout=0.5)
                break
        claude.wait_exit()
    world.wait_for_rows("SELECT status, end_reason FROM sdk_sessions", [("completed", "prompt_input_exit")])
    world.wait_for_rows("SELECT kind, outcome FROM flags", [("cleanup", "completed")])
    world.wait_for_rows("SELECT source FROM session_summaries", [("agent",)])
    assert world.rows(RUNNING) == [("Bash", "observed")]


def test_turns_that_follow_each_other_closely_are_one_request(world: World) -> None:
    """With the real CLI as the user's and as the agent's: turns wait for quiet, but not beyond the end."""
    world.environment["CLAUDE_MEM_AGENT_QUIET"] = "600"
    with Interactive(environment=world.environment, cwd=world.project, args=(*PLUGIN, *ALLOW_TOOLS)) as claude:
        claude.wait_ready()
        for number, prompt in enumerate(QUICK, start=1):
            claude.type_line(prompt)
            world.wait_for_rows("SELECT source FROM session_summaries", [("provisional",)] * number)
        assert world.api.requests_of(Kind.AGENT) == []
        assert QUICK[1] in world.claude_mem("context")
        claude.exit()
    world.wait_for_rows(
        "SELECT prompt_number, source FROM session_summaries ORDER BY prompt_number", [(1, "agent"), (2, "agent")]
    )
    (request,) = world.api.requests_of(Kind.AGENT)
    assert all(is_about(request, prompt) for prompt in QUICK)
    assert world.rows("SELECT status FROM tool_uses") == [("observed",)] * 2


def test_what_a_killed_watcher_left_behind_blocks_nothing(world: World) -> None:
    """Stale lock and pid: also where the pid is another process's by now."""
    world.environment["CLAUDE_MEM_WATCH_EXIT_AFTER"] = "600"
    world.say("One")
    world.wait_for_rows("SELECT count(*) FROM watchers", [(1,)])
    (pid,) = world.watchers()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not world.watchers())
    assert (world.memory / "data" / "watcher.lock").exists()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        try:
            world.write_rows(f"UPDATE watchers SET pid = {stranger.pid}")
            assert "running (pid" not in world.claude_mem("status")
            world.say("Two")
            world.wait_for_rows("SELECT count(*) FROM session_summaries WHERE source = 'agent'", [(2,)])
            assert stranger.poll() is None
        finally:
            stranger.kill()
    assert len(world.watchers()) == 1
    world.wait_for_rows("SELECT DISTINCT status FROM sdk_sessions", [("completed",)])


@contextmanager
def slow_start(world: World) -> Iterator[list[int]]:
    """Stop the watcher as soon as it begins, and let it go on after the block."""
    stopped: list[int] = []
    is_over = threading.Event()

    def stop() -> None:
        while not stopped and not is_over.is_set():
            for pid in world.watchers():
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield stopped
    finally:
        is_over.set()
        thread.join()
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_the_first_tool_use_of_a_session_whose_watcher_starts_slowly_is_there(world: World) -> None:
    with slow_start(world) as stopped:
        world.say("One")
        assert stopped
        assert world.rows("SELECT count(*) FROM tool_uses") in ([], [(0,)])
    world.wait_for_rows("SELECT source FROM session_summaries", [("agent",)])
    assert world.rows(RUNNING) == [("Bash", "observed")]
    world.wait_for_rows("SELECT status FROM sdk_sessions", [("completed",)])
