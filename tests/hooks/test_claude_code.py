"""The hooks under the real Claude Code: set up by `install` and as a plugin at once, and each thing happens once."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.claude_cli import clean_environment, run_print, seed_home
from tests.messages_api import Kind, MessagesAPI, Reply, text_of
from watcher import resources, system
from watcher import settings as settings_room
from watcher.memory.database import Database
from watcher.privacy import hook_events
from watcher.service.install import install
from watcher.settings import Settings

CONTEXT = "# What was done before\n\nThe größte bug was fixed with a 🔧."
ANSWER = "All is well."


def rows(settings: Settings, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(settings.database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")]


@pytest.mark.cli
def test_hooks_set_up_twice_act_once(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    project.mkdir()
    seed_home(home, trusted=[project])
    settings = settings_room.load(
        {"CLAUDE_MEM_HOME": str(home / ".claude-mem"), "CLAUDE_CONFIG_DIR": str(home / ".claude")}
    )
    install(settings)
    with Database.existing(settings.database).write() as connection:
        connection.exec_driver_sql("INSERT INTO contexts VALUES (?, ?, 1)", (str(project), CONTEXT))
    # The lock says that a watcher runs: none is started, and what the hooks wrote stays as they wrote it.
    with system.lock(settings.lock), MessagesAPI([Reply(text=ANSWER)]) as api:
        done = run_print(
            "Is all well?",
            environment=clean_environment(home, api.url),
            cwd=project,
            args=("--plugin-dir", str(resources.plugin_root())),
        )
        assert (done.code, done.stdout.strip()) == (0, ANSWER), done.stderr
        (request,) = api.requests_of(Kind.MAIN)
    assert text_of(request).count(CONTEXT) == 1

    finalize, cleanup = rows(settings, "flags")
    (session,) = rows(settings, "sdk_sessions")
    (delivery,) = rows(settings, "deliveries")
    assert (finalize["kind"], cleanup["kind"]) == ("finalize", "cleanup")
    assert {row["session_id"] for row in (finalize, cleanup, session, delivery)} == {session["session_id"]}
    assert {row["project"] for row in (finalize, cleanup, session, delivery)} == {str(project)}
    assert json.loads(finalize["event"])["closing_digest"] == hook_events.digest(ANSWER)
    assert json.loads(cleanup["event"])["reason"] == "other"
    assert Path(session["transcript_path"]).stem == session["session_id"]
    assert Path(session["transcript_path"]).is_file()
    assert not (settings.logs / "hooks.log").exists()

    # Both set-ups did run: the transcript's own account of the turn's end lists two Stop hooks.
    lines = [json.loads(line) for line in Path(session["transcript_path"]).read_bytes().split(b"\n") if line]
    (summary,) = (line for line in lines if line.get("subtype") == "stop_hook_summary")
    commands = json.dumps(summary["hookInfos"])
    assert commands.count("stop.py") == 2
    assert sys.executable in commands
