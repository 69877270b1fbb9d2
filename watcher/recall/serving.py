"""Owns the MCP server as a process: which project it is of, and where its answers come from."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping

from watcher.recall.mcp import serve

_HINT = "claude-mem mcp speaks MCP on stdin and stdout, and ends with its input; Claude Code starts it by itself."


def main() -> None:
    """Serve the memory of the project that this is started in, until there is no more input."""
    # Claude Code sends it at the end of a session. Nothing here needs to be put in order then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stdin.isatty():
        sys.stderr.write(f"{_HINT}\n")
    # Claude Code says where the session was started; what else starts it does so in the project's folder.
    started_in = os.path.abspath(os.environ.get("CLAUDE_PROJECT_DIR") or os.getcwd())  # noqa: PTH100, PTH109 - slow to import
    project = os.fsencode(started_in).decode("utf-8", "replace")

    def answer(name: str, arguments: Mapping[str, object]) -> str:
        from watcher import settings as settings_room
        from watcher.recall.answers import Answers

        # Read anew: what is wrong with the settings is told to who asks, and may be mended meanwhile.
        database = settings_room.load().database
        return Answers(database, project)(name, arguments, now=time.time_ns() // 1_000_000)

    serve(answer, sys.stdin.buffer, sys.stdout.buffer)
