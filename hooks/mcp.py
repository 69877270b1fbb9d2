"""Runs the MCP server with a Python that has claude-mem. Started by Claude Code with a session, as the plugin says."""

import os
import sys

sys.path.insert(0, __file__[: -len("mcp.py")])  # `-I` leaves a script's own folder out

import hook
import launch


def main() -> int:
    """Run the server, which takes over stdin and stdout; return the exit code."""
    os.umask(0o077)
    if not hook.is_ours(hook.home()):
        sys.stderr.write(f"{hook.home()} is not yours alone to write into; run: claude-mem doctor\n")
        return 1
    for command in launch.commands(["mcp"]):
        code = hook.attempt("mcp", _run, command)
        if code is not None:
            return code
    problem = "no MCP server can be started: claude-mem is not installed; run: claude-mem install"
    hook.log("mcp", problem)
    sys.stderr.write(problem + "\n")
    return 1


def _run(command: list) -> int:
    """Become the server, where a process can."""
    if os.name == "nt":
        import subprocess

        # `exec` would end this process there, and Claude Code take the server for dead.
        return subprocess.call(command, env=launch.environment())
    return os.execve(command[0], command, launch.environment())  # noqa: S606 - no shell is wanted


sys.exit(main())
