"""The plugin's manifests, and what Claude Code itself says of them."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.claude_cli import clean_environment, run_cli
from tests.hooks.conftest import EVENTS
from watcher import __version__, resources
from watcher.service.claude_settings import SCRIPTS

ROOT = resources.plugin_root()
NOWHERE = "http://127.0.0.1:9"  # no request is needed
SHARED_BUDGET = 1.5  # seconds that Claude Code gives all SessionEnd hooks of a plugin together


def manifest(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def test_each_event_has_its_script() -> None:
    """Run without a shell; the timeouts are in seconds. No hook for tool uses: the transcript has them."""
    declared = manifest("hooks/hooks.json")["hooks"]
    assert set(declared) == {event["hook_event_name"] for event in EVENTS.values()}
    for script, event in EVENTS.items():
        ((hook,),) = (group["hooks"] for group in declared[event["hook_event_name"]])
        assert (hook["type"], hook["command"]) == ("command", "python3")
        assert hook["args"] == ["-I", "-S", f"${{CLAUDE_PLUGIN_ROOT}}/hooks/{script}"]
        assert 2 < hook["timeout"] <= 10
        assert "async" not in hook
    assert set(EVENTS) == SCRIPTS


def test_waiting_for_a_lock_fits_into_what_session_end_has() -> None:
    tree = ast.parse((resources.hooks() / "hook.py").read_text(encoding="utf-8"))
    (busy_timeout,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BUSY_TIMEOUT"
    )
    assert busy_timeout < SHARED_BUDGET - 0.5


def test_manifests_agree() -> None:
    plugin, marketplace = manifest(".claude-plugin/plugin.json"), manifest(".claude-plugin/marketplace.json")
    assert plugin["version"] == __version__
    assert [(offer["name"], offer["source"]) for offer in marketplace["plugins"]] == [(plugin["name"], "./")]


@pytest.mark.cli
def test_claude_code_takes_the_plugin(tmp_path: Path) -> None:
    """It finds `hooks/hooks.json` undeclared. It refuses third parties' plugins whose names begin with `claude-`."""
    environment = clean_environment(tmp_path / "home", NOWHERE)
    done = run_cli("plugin", "validate", str(ROOT), environment=environment, cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.code == 0, said
    assert "Validation passed" in said
    for script in EVENTS:
        assert f"hooks/{script}" in said


@pytest.mark.cli
def test_claude_code_installs_the_plugin(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path / "home", NOWHERE)
    name = f"{manifest('.claude-plugin/plugin.json')['name']}@{manifest('.claude-plugin/marketplace.json')['name']}"
    # Installing copies the whole folder, a virtual environment too: so only what the plugin is made of.
    checkout = tmp_path / "checkout"
    for part in (".claude-plugin", "hooks"):
        for path in (ROOT / part).glob("*.*"):
            copy = checkout / part / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    for command in (("marketplace", "add", str(checkout)), ("install", name)):
        done = run_cli("plugin", *command, environment=environment, cwd=tmp_path)
        assert done.code == 0, done
    listed = run_cli("plugin", "list", environment=environment, cwd=tmp_path).stdout
    assert name in listed
    assert "enabled" in listed
