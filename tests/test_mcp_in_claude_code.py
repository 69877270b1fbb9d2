"""Claude asks the memory itself: the real CLI, the plugin's MCP server, and a watcher; only the model is scripted."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.claude_cli import run_cli
from tests.messages_api import Kind, MessagesAPI, Reply, Request, ToolCall
from tests.world import PLUGIN, World, is_about
from watcher.privacy import plain

pytestmark = pytest.mark.cli

WORK = "Write the greeting into test.txt."
RECALL = "Who greeted whom?"
SEARCH = "mcp__plugin_mem_claude-mem__search"  # as Claude Code 2.1.330 calls the plugin's
ADDED = "mcp__claude-mem__search"  # as it calls it where a user added the server


class Asking(World):
    """A world whose user's model is at hand."""

    def __init__(self, folder: Path, api: MessagesAPI, model: Model) -> None:
        super().__init__(folder, api)
        self.model = model
        self.environment["CLAUDE_MEM_AGENT"] = "extractive"


class Model:
    """The user's model: it works, and asks the memory with the tool of some name."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self.tool = SEARCH
        self.arguments = {"query": "test.txt", "type": "observations"}

    def __call__(self, request: Request) -> Reply:
        is_answered = "tool_result" in json.dumps(request["messages"])
        if is_about(request, RECALL):
            asked = ToolCall(self.tool, self.arguments)
            return Reply(text="I have looked.") if is_answered else Reply(tool_uses=[asked])
        written = ToolCall("Write", {"file_path": str(self._project / "test.txt"), "content": "hello\n"})
        return Reply(text="It is written.") if is_answered else Reply(tool_uses=[written])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Asking]:
    """A world in which one session has written a file, and a watcher with the extractive agent has remembered it."""
    model = Model(tmp_path / "project")
    with MessagesAPI(model) as api, Asking(tmp_path, api, model) as made:
        made.say(WORK)
        made.wait_for_rows("SELECT title FROM observations", [("test.txt: new (1 line)",)])
        yield made


def recall(world: Asking, tool: str, arguments: dict[str, Any] | None = None, **options: Any) -> str:
    """Have a session ask the memory; return what the model was answered."""
    world.model.tool = tool
    world.model.arguments = arguments or world.model.arguments
    world.say(RECALL, "--allowedTools", tool, **options)
    last = world.api.requests_of(Kind.MAIN)[-1]["messages"]
    (result,) = [
        block
        for message in last
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    assert not result.get("is_error"), result
    content = result["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


def test_claude_finds_what_an_earlier_session_did(world: Asking) -> None:
    """The plugin's server, in the session's folder; the model is told of it in its first request, at no tool's cost."""
    text = recall(world, SEARCH)
    start, marked, head, row, end = text.splitlines()
    assert (start, marked, end) == (plain.OPENING, plain.MARK, plain.CLOSING)
    assert head.startswith(f"In {world.project}. ")
    assert row.startswith("#1 ")
    assert row.endswith("feature: test.txt: new (1 line)")
    first = next(request for request in world.api.requests_of(Kind.MAIN) if is_about(request, RECALL))
    assert is_about(first, "Three steps, the cheap one first")
    assert is_about(first, SEARCH)  # by name: its schema is loaded when it is wanted
    # What the memory answered is no news to it.
    world.wait_for_rows("SELECT count(*) FROM sdk_sessions WHERE status = 'completed'", [(2,)])
    assert world.rows("SELECT name FROM tool_uses WHERE status != 'skipped'") == [("Write",)]
    assert world.rows("SELECT count(*) FROM observations") == [(1,)]
    # No server outlives its session.
    assert [command for _, command in world.processes() if "mcp" in command] == []


def test_an_added_server_does_the_same_without_the_plugin(world: Asking) -> None:
    """By the very line that `install` says; then it says it no more, and `uninstall` says how to take it away."""
    said = world.claude_mem("install")
    (line,) = [line.strip() for line in said.splitlines() if "claude mcp add" in line]
    assert run_line(world, line).startswith("Added stdio MCP server claude-mem")
    assert "claude mcp add" not in world.claude_mem("install")
    assert "#1 " in recall(world, ADDED, plugin=())
    world.wait_for_rows("SELECT count(*) FROM sdk_sessions WHERE status = 'completed'", [(2,)])
    assert world.rows("SELECT count(*) FROM observations") == [(1,)]
    assert "claude mcp remove --scope user claude-mem" in world.claude_mem("uninstall")
    assert run_line(world, "claude mcp remove --scope user claude-mem").startswith("Removed MCP server claude-mem")
    assert "claude mcp" not in world.claude_mem("uninstall")


def test_what_claude_looks_up_in_its_shell_stands_in_a_frame(world: Asking) -> None:
    """Claude Code (2.1.330) has CLAUDECODE in each shell of its own; a user's has not."""
    text = recall(world, "Bash", arguments={"command": f"{sys.executable} -P -m watcher search test.txt"})
    assert text.startswith(f"{plain.OPENING}\n{plain.MARK}\n")
    assert text.endswith(plain.CLOSING)
    assert plain.OPENING not in world.claude_mem("search", "test.txt")


def run_line(world: Asking, line: str) -> str:
    """Type a line that begins with `claude`; return what it says."""
    command, *args = shlex.split(line)
    assert command == "claude"
    done = run_cli(*args, environment=world.environment, cwd=world.project)
    assert done.code == 0, done
    return done.stdout


def test_the_names_are_the_plugins() -> None:
    manifest = json.loads((Path(PLUGIN[1]) / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
    (server,) = manifest["mcpServers"]
    assert f"mcp__plugin_{manifest['name']}_{server}__search" == SEARCH
