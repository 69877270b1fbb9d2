"""The plugin's MCP server is run by the best Python there is, in the session's folder, its stdin and stdout with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.hooks.conftest import TIMEOUT, World
from watcher import resources

ECHO = "cat; exit 3"


def run(world: World) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [world.python, "-W", "error", "-I", "-S", str(world.plugin / "hooks" / "mcp.py")],
        input=b"asked",
        capture_output=True,
        env=world.environment(),
        cwd=world.user_home,
        timeout=TIMEOUT,
        check=False,
    )


def in_plugin(world: World) -> Path:
    return world.plugin / ".venv" / "bin" / "python"


def test_it_becomes_the_server(world: World) -> None:
    world.extra |= {"PYTHONPATH": "/project/src", "PYTHONHOME": "/nowhere", "CLAUDE_PROJECT_DIR": "/project"}
    python = world.install_launcher(in_plugin(world), ECHO)
    world.home.mkdir()
    done = run(world)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"asked", b"")
    command, folder, *environment = world.wait_started()
    assert command == f"{python} -P -m watcher mcp"
    assert folder == str(world.user_home)
    assert "CLAUDE_PROJECT_DIR=/project" in environment
    assert not [line for line in environment if line.startswith(("PYTHONPATH", "PYTHONHOME"))]


def test_a_python_that_does_not_run_is_passed_over(world: World) -> None:
    in_plugin(world).parent.mkdir(parents=True)
    in_plugin(world).write_text("no program", encoding="utf-8")
    python = world.install_launcher(world.user_home / "venv" / "bin" / "python", ECHO)
    world.name_launcher(python)
    assert run(world).returncode == 3
    assert world.wait_started()[0] == f"{python} -P -m watcher mcp"
    assert "mcp PermissionError" in world.log


def test_where_none_is_installed_it_says_what_to_type(world: World) -> None:
    done = run(world)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().strip().endswith("claude-mem is not installed; run: claude-mem install")
    assert "claude-mem is not installed" in world.log


def test_the_plugin_runs_it_as_it_runs_hooks() -> None:
    manifest = json.loads((resources.plugin_root() / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
    script = "${CLAUDE_PLUGIN_ROOT}/hooks/mcp.py"
    assert manifest["mcpServers"] == {"claude-mem": {"command": "python3", "args": ["-I", "-S", script]}}
    assert (resources.hooks() / "mcp.py").is_file()
