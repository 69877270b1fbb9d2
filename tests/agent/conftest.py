"""Owns the world in which the model's agent is tested: a home of its own, and no process left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.claude_cli import clean_environment
from watcher.agent.base import Agent, Batch, ToolUse, Turn
from watcher.agent.claude import ClaudeAgent
from watcher.agent.proxy import AgentProxy
from watcher.settings import AgentSettings

USE = ToolUse("toolu_1", "Bash", '{"command": "make test"}', "5 passed")
TURN = Turn(1, ("Fix the login.",), (USE,), closing_text="Fixed.")
BATCH = Batch("/home/me/shop", (TURN,))

MakeAgent = Callable[..., ClaudeAgent]
MakeEither = Callable[..., ClaudeAgent | AgentProxy]
MakeProxy = Callable[..., AgentProxy]


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
    """Make an agent that asks from this process, and leaves nothing running between two batches."""
    yield from _making(ClaudeAgent, home, monkeypatch)


@pytest.fixture
def make_proxy(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeProxy]:
    """Make an agent that asks from a process of its own, and leaves nothing running once it is closed."""
    yield from _making(AgentProxy, home, monkeypatch)


@pytest.fixture(params=[ClaudeAgent, AgentProxy], ids=["here", "apart"])
def make_either(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeEither]:
    """Make an agent of both ways in turn."""
    yield from _making(request.param, home, monkeypatch)


def _making(kind: Callable[..., Agent], home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Make agents that know only `home` and one API; whatever they started has to be gone afterwards.

    This process's own environment is handed on, so that is what has to be clean.
    """
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    agents: list[Agent] = []

    def make(api_url: str = "http://127.0.0.1:9", **settings: object) -> Agent:
        for name in list(os.environ):
            if name.startswith(("CLAUDE", "ANTHROPIC")):
                monkeypatch.delenv(name)
        for name, value in clean_environment(home, api_url).items():
            monkeypatch.setenv(name, value)
        chosen = AgentSettings(**({"timeout": 30.0} | settings))  # type: ignore[arg-type]
        agents.append(kind(chosen, home / ".claude-mem" / "agent", home / ".claude"))
        return agents[-1]

    def left() -> list[psutil.Process]:
        return [child for child in psutil.Process().children(recursive=True) if child.pid not in before]

    yield make
    left_open = left() if kind is ClaudeAgent else []
    for agent in agents:
        agent.close()
    left_closed = left()
    for child in left_closed:
        child.kill()
    assert left_open == []
    assert left_closed == []


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
from typing import Any

here = Path(__file__).parent
lines = (json.loads(line) for line in iter(sys.stdin.readline, ""))

def send(message):
    print(json.dumps(message), flush=True)

def answer_initialize(**server):
    request = next(lines)
    response = {"subtype": "success", "request_id": request["request_id"], "response": server}
    send({"type": "control_response", "response": response})
"""
