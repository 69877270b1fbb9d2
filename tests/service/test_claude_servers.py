"""Whether Claude Code knows our MCP server is read from where Claude Code itself writes it down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from watcher import settings as settings_room
from watcher.service import claude_servers

ADDED = {"mcpServers": {"claude-mem": {"type": "stdio", "command": "claude-mem", "args": ["mcp"]}}}


def is_added(**variables: str) -> bool:
    return claude_servers.is_added(settings_room.load(variables))


def test_in_the_users_home(tmp_path: Path) -> None:
    assert not is_added()
    (tmp_path / ".claude.json").write_text(json.dumps(ADDED))
    assert is_added()


def test_in_a_folder_that_claude_code_is_pointed_at(tmp_path: Path) -> None:
    office = tmp_path / ".claude-office"
    office.mkdir()
    (tmp_path / ".claude.json").write_text(json.dumps(ADDED))
    assert not is_added(CLAUDE_CONFIG_DIR=str(office))
    (office / ".claude.json").write_text(json.dumps(ADDED))
    assert is_added(CLAUDE_CONFIG_DIR=str(office))


@pytest.mark.parametrize(
    "written", ["", "{", "[]", "null", "{}", '{"mcpServers": null}', '{"mcpServers": {"other": {}}}', "\ufeff\x00"]
)
def test_what_says_nothing(tmp_path: Path, written: str) -> None:
    (tmp_path / ".claude.json").write_text(written, encoding="utf-8")
    assert not is_added()


def test_what_to_type_where_a_path_has_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_servers.sys, "executable", "/my apps/python")
    monkeypatch.setattr(claude_servers.sys, "platform", "linux")
    assert claude_servers.adding().endswith("claude-mem -- '/my apps/python' -P -m watcher mcp")
    monkeypatch.setattr(claude_servers.sys, "executable", "C:\\my apps\\python.exe")
    monkeypatch.setattr(claude_servers.sys, "platform", "win32")
    assert claude_servers.adding().endswith('claude-mem -- "C:\\my apps\\python.exe" -P -m watcher mcp')
