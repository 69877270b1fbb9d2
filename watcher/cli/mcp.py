"""Owns `claude-mem mcp`: the memory as tools for Claude."""

from __future__ import annotations


def mcp() -> None:
    """Serve the memory to Claude as tools, over MCP on stdin and stdout.

    The tools are search, timeline, get_observations and get_session; they change nothing.

    Claude Code starts it by itself where claude-mem is its plugin. The project is the folder it is started in, unless a
    call names another.

    Examples:
        claude mcp add --scope user claude-mem -- claude-mem mcp
        claude --plugin-dir .
    """
    from watcher.recall.serving import main

    main()
