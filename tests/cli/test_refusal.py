"""No command reads or writes a home that others could have written."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tests.conftest import FIXTURES
from watcher.cli import COMMANDS, app
from watcher.memory.database import Database
from watcher.permissions import OpenToOthersError
from watcher.settings import Settings

ARGUMENTS = {
    "search": ["parser"],
    "timeline": ["S1"],
    "show": ["S1"],
    "replay": [str(FIXTURES / "ordinary")],
    "import": ["--dry-run"],
    "retry": [],
    "uninstall": ["--dry-run"],
}
ELSEWHERE = {"doctor", "mcp"}  # which tell it in their own way: see tests/test_permissions.py, and below


@pytest.mark.skipif(sys.platform == "win32", reason="there the user's profile keeps others out")
@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ELSEWHERE])
def test_every_command_refuses(name: str, database: Database, settings: Settings) -> None:
    settings.home.chmod(0o770)
    result = CliRunner().invoke(app, [name, *ARGUMENTS.get(name, [])])
    assert isinstance(result.exception, OpenToOthersError), result.output


@pytest.mark.skipif(sys.platform == "win32", reason="there the user's profile keeps others out")
def test_claude_is_told_why_it_gets_no_answer(database: Database, settings: Settings) -> None:
    settings.home.chmod(0o770)
    call = {"name": "search", "arguments": {"query": "parser"}}
    asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    command = [sys.executable, "-m", "watcher", "mcp"]
    environment = {**os.environ, "CLAUDE_MEM_HOME": str(settings.home)}
    done = subprocess.run(
        command, input=f"{asked}\n", env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "other users can write into" in done.stdout
