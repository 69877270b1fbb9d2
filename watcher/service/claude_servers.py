"""Owns what Claude Code knows of our MCP server beside the plugin, and the lines that change it.

It keeps the servers that a user added in `.claude.json`, which every session of it rewrites all the time, and reads
none from `settings.json` (observed of 2.1.330). So nothing is written there by us: `claude mcp` does that.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from watcher.settings import Settings

NAME = "claude-mem"
ADD = ("claude", "mcp", "add", "--scope", "user", NAME, "--")
REMOVE = ("claude", "mcp", "remove", "--scope", "user", NAME)


def is_added(settings: Settings) -> bool:
    """Say whether the user has added the server for all projects; what cannot be read says nothing."""
    at_home = settings.claude_dir == Path.home() / ".claude"
    path = (settings.claude_dir.parent if at_home else settings.claude_dir) / ".claude.json"
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    servers = known.get("mcpServers") if isinstance(known, dict) else None
    return isinstance(servers, dict) and NAME in servers


def adding() -> str:
    """Return what to type so that every session has the server, run by the Python that runs this."""
    return _typed([*ADD, sys.executable, "-P", "-m", "watcher", "mcp"])


def removing() -> str:
    """Return what to type to take it away again."""
    return _typed([*REMOVE])


def _typed(command: list[str]) -> str:
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)
