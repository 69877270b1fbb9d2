"""Owns what tests share: a home of their own, a memory in it, and the count of tests that ran the real CLI."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher import settings as settings_room
from watcher.memory.database import Database
from watcher.settings import Settings

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test see the home, the Claude Code or the memory of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("CLAUDE", "ANTHROPIC", "AI_AGENT")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a memory in the test's own home: the agent needs no model, and whichever it is, is asked at once."""
    variables = {"CLAUDE_MEM_AGENT": "extractive", "CLAUDE_MEM_AGENT_QUIET": "0"}
    return settings_room.load({"CLAUDE_MEM_HOME": str(tmp_path / ".claude-mem"), **variables})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """An empty memory."""
    made = Database.create(settings.database)
    yield made
    made.close()


def pytest_configure() -> None:
    """Take Ctrl-C as ever: a shell that runs the suite in the background has it, and all it starts, ignore that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the reports of tests that run the real CLI."""
    for item in items:
        if item.get_closest_marker("cli"):
            item.user_properties.append(("real CLI", True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran the real Claude Code CLI: a suite without them would prove little."""

    def count(*outcomes: str) -> int:
        reports = [report for outcome in outcomes for report in terminalreporter.stats.get(outcome, [])]
        return sum(("real CLI", True) in report.user_properties for report in reports)

    ran, skipped = count("passed", "failed"), count("skipped")
    terminalreporter.write_line(f"real Claude Code CLI: {ran} tests ran, {skipped} skipped")
