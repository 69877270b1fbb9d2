"""Owns the world in which the model's agent is tested: a home of its own, and no process left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.claude_cli import clean_environment
from watcher.agent.base import Batch, ToolUse, Turn
from watcher.agent.claude import ClaudeAgent
from watcher.settings import AgentSettings

USE = ToolUse("toolu_1", "Bash", '{"command": "make test"}', "5 passed")
TURN = Turn(1, ("Fix the login.",), (USE,), closing_text="Fixed.")
BATCH = Batch("/home/me/shop", (TURN,))

MakeAgent = Callable[..., ClaudeAgent]


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run; one that is dead and that nobody has waited for does not."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    path = tmp_path / "home"
    (path / ".claude").mkdir(parents=True)
    return path


@pytest.fixture
def make_agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeAgent]:
    """Make an agent that knows only `home` and one API; whatever it started has to be gone afterwards.

    The SDK hands this process's own environment on, so that is what has to be clean.
    """
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    agents: list[ClaudeAgent] = []

    def make(api_url: str = "http://127.0.0.1:9", **settings: object) -> ClaudeAgent:
        for name in list(os.environ):
            if name.startswith(("CLAUDE", "ANTHROPIC")):
                monkeypatch.delenv(name)
        for name, value in clean_environment(home, api_url).items():
            monkeypatch.setenv(name, value)
        chosen = AgentSettings(**({"timeout": 30.0} | settings))  # type: ignore[arg-type]
        agents.append(ClaudeAgent(chosen, home / ".claude-mem" / "agent", home / ".claude"))
        return agents[-1]

    yield make
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    for agent in agents:
        agent.close()
    for child in left:
        child.kill()
    assert left == []


@pytest.fixture
def scripted_cli(tmp_path: Path) -> Callable[[str], str]:
    """Make a CLI of a few lines of Python; `send`, `lines` and `answer_initialize` are theirs to use."""

    def make(script: str) -> str:
        path = tmp_path / "claude"
        path.write_text(f"#!{sys.executable}\n{_PRELUDE}\n{script}", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


_PRELUDE = """
import json, os, sys
from pathlib import Path

here = Path(__file__).parent
lines = (json.loads(line) for line in iter(sys.stdin.readline, ""))

def send(message):
    print(json.dumps(message), flush=True)

def answer_initialize(**server):
    request = next(lines)
    response = {"subtype": "success", "request_id": request["request_id"], "response": server}
    send({"type": "control_response", "response": response})
"""
