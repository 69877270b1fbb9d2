"""Owns `claude-mem mcp`: the memory as tools for Claude."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.cli.arguments import folder

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINT = "claude-mem mcp speaks MCP on stdin and stdout, and ends with its input; Claude Code starts it by itself."


def mcp() -> None:
    """Serve the memory to Claude as tools, over MCP on stdin and stdout.

    The tools are search, timeline, get_observations and get_session; they change nothing.

    Claude Code starts it by itself where claude-mem is its plugin. The project is the folder it is started in, unless a
    call names another.

    Examples:
        claude mcp add --scope user claude-mem -- claude-mem mcp
        claude --plugin-dir .
    """
    from watcher.recall.mcp import serve

    # Claude Code sends it at the end of a session. Nothing here needs to be put in order then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stdin.isatty():
        sys.stderr.write(f"{_HINT}\n")
    # Claude Code says where the session was started; what else starts it does so in the project's folder.
    started_in = os.environ.get("CLAUDE_PROJECT_DIR")
    project = folder(Path(started_in) if started_in else None)

    def answer(name: str, arguments: Mapping[str, object]) -> str:
        from watcher import settings as settings_room
        from watcher.recall.answers import Answers
        from watcher.service.events import now

        # Read anew: what is wrong with the settings is told to who asks, and may be mended meanwhile.
        return Answers(settings_room.load().database, project)(name, arguments, now=now())

    serve(answer, sys.stdin.buffer, sys.stdout.buffer)
