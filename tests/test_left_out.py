"""With the real Claude Code and the real SDK: what is private, excluded, or another program's leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.claude_cli import transcripts
from tests.messages_api import Kind, MessagesAPI, Reply, Request, ToolCall
from tests.world import ROOT, World, agent_answer

pytestmark = pytest.mark.cli

MARKER = "quincejelly"
PROGRAM = """
import sys
import anyio
from claude_agent_sdk import ClaudeAgentOptions, query

async def main():
    options = ClaudeAgentOptions(cwd=sys.argv[2], allowed_tools=["Bash"], extra_args={"plugin-dir": sys.argv[3]})
    async for message in query(prompt=sys.argv[1], options=options):
        pass

anyio.run(main)
"""


def model(request: Request) -> Reply:
    """Use a tool, then answer, both with what was asked for."""
    messages = json.dumps(request["messages"])
    word = MARKER if MARKER in messages else "bread"
    if "tool_result" in messages:
        return Reply(text=f"It is {word}.")
    return Reply(tool_uses=[ToolCall("Bash", {"command": f"echo {word} > {word}.txt", "description": word})])


def test_nothing_of_what_is_left_out_is_kept_or_sent(tmp_path: Path) -> None:
    with MessagesAPI(model, agent=lambda _request: agent_answer()) as api, World(tmp_path, api) as world:
        clients = tmp_path / "clients" / "acme"
        clients.mkdir(parents=True)
        world.memory.mkdir(mode=0o700, parents=True)
        (world.memory / "config.toml").write_text(f'[privacy]\nexclude = ["{tmp_path}/clients/**"]\n')
        world.say("Bake.")
        world.wait_for_rows("SELECT status FROM sdk_sessions", [("completed",)])
        assert (world.memory / "data" / "excluded").exists()

        world.say(f"<private>Make {MARKER}.</private>")
        world.wait_for_rows("SELECT status FROM sdk_sessions", [("completed",), ("completed",)])
        world.say(f"Make {MARKER}.", folder=clients)
        arguments = [f"Make {MARKER}.", str(world.project), str(ROOT)]
        subprocess.run([sys.executable, "-c", PROGRAM, *arguments], env=world.environment, timeout=60, check=True)
        world.say("Bake again.")
        world.wait_for_rows("SELECT status, count(*) FROM sdk_sessions GROUP BY 1", [("completed", 3)])

        # All five have happened, and those two had our hooks.
        written = {path: path.read_text() for path in transcripts(world.home)}
        assert len(written) == 5
        assert len([text for text in written.values() if MARKER in text]) == 3
        assert len([text for text in written.values() if '"entrypoint":"sdk-py"' in text]) == 1
        assert len([text for text in written.values() if '"entrypoint":"sdk-cli"' in text]) == 4
        assert len([text for text in written.values() if "stop.py" in text]) == 5

        assert world.rows("SELECT prompt_text, is_private FROM user_prompts ORDER BY id") == [
            ("Bake.", 0),
            ("[private]", 1),
            ("Bake again.", 0),
        ]
        uses = [("Bash", "observed"), ("Bash", "skipped"), ("Bash", "observed")]
        world.wait_for_rows("SELECT name, status FROM tool_uses ORDER BY id", uses)
        assert world.rows("SELECT count(*) FROM checkpoints") == [(3,)]
        assert world.rows("SELECT DISTINCT project FROM flags") == [(str(world.project),)]
        assert MARKER not in json.dumps(api.requests_of(Kind.AGENT))
        files = {path: path.read_bytes() for path in world.memory.rglob("*") if path.is_file()}
        assert [path for path, data in files.items() if MARKER.encode() in data] == []
