"""Owns a user's whole world in a temporary folder: a home, a project, the real CLI, this checkout as its plugin.

The watcher in it is whichever one the hooks start. Leaving the world ends it, and fails the test where a process
of the test is left.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psutil

from tests.claude_cli import ALLOW_TOOLS, Finished, clean_environment, run_print, seed_home, wait_until
from tests.messages_api import MessagesAPI, Reply, Request
from tests.rows import rows

ROOT = Path(__file__).parent.parent
PLUGIN = ("--plugin-dir", str(ROOT))

AGENT_SUMMARY = {
    "request": "Write test.txt and read it back",
    "investigated": "the folder, which was empty",
    "learned": "the marmalade protocol needs a trailing newline",
    "completed": "test.txt was written and read back",
    "next_steps": "teach the parser about umlauts",
    "notes": "nothing failed",
}


def agent_answer(delay: float = 0.0, turns: int = 1) -> Reply:
    """Return what the memory agent's model says: an observation, and a summary of six fields of each turn."""
    fields = "\n".join(f"<{name}>{text}</{name}>" for name, text in AGENT_SUMMARY.items())
    observation = (
        "<observation><type>feature</type><title>test.txt holds the greeting</title>"
        "<narrative>It was written, then read.</narrative><tool_uses>1</tool_uses></observation>"
    )
    return Reply(text=observation + f"\n<summary>{fields}</summary>" * turns, delay=delay)


class World:
    """A user with a home, a project and Claude Code."""

    def __init__(self, folder: Path, api: MessagesAPI) -> None:
        self.home = folder / "home"
        self.memory = self.home / ".claude-mem"
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        self.folder = folder
        self.api = api
        seed_home(self.home, trusted=[self.project])
        # PATH must find no claude-mem of the machine, so that the hooks start this checkout's.
        self.environment = clean_environment(self.home, api.url, CLAUDE_MEM_AGENT_QUIET="0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.watchers():
            psutil.Process(pid).terminate()
        wait_until(lambda: not self.processes(), otherwise=lambda: f"processes left: {self.processes()}")

    def say(self, prompt: str, *args: str, plugin: Sequence[str] = PLUGIN, folder: Path | None = None) -> Finished:
        """Run `claude -p` in the project, or another folder, with this checkout as its plugin."""
        where = folder or self.project
        finished = run_print(prompt, environment=self.environment, cwd=where, args=(*plugin, *ALLOW_TOOLS, *args))
        assert finished.code == 0, finished
        return finished

    def claude_mem(self, *args: str, code: int = 0) -> str:
        """Run `claude-mem`, and return what it prints."""
        command = [sys.executable, "-m", "watcher", *args]
        finished = subprocess.run(
            command, cwd=self.project, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert finished.returncode == code, finished
        return finished.stdout

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a plain SQLite client sees; nothing while there is no database."""
        return rows(self.memory / "data" / "claude-mem.db", sql)

    def write_rows(self, sql: str) -> None:
        """Change rows, as a damaged or older world would have them."""
        with closing(sqlite3.connect(self.memory / "data" / "claude-mem.db", timeout=10)) as connection, connection:
            connection.execute(sql)

    def wait_for_rows(self, sql: str, expected: list[tuple[Any, ...]], timeout: float = 30.0) -> None:
        """Wait until a query gives what is expected."""
        wait_until(
            lambda: self.rows(sql) == expected,
            timeout=timeout,
            otherwise=lambda: f"{sql} gives {self.rows(sql)}, not {expected}\n{self.logs()}",
        )

    def watchers(self) -> list[int]:
        """Return the pids of the watchers that run in this world."""
        return [pid for pid, command in self.processes() if "watch" in command]

    def processes(self) -> list[tuple[int, list[str]]]:
        """Return every process that was started in this world, by its HOME."""
        found = []
        for process in psutil.process_iter(["pid", "status"]):
            if process.info["status"] == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            try:
                if process.environ().get("HOME") == str(self.home):
                    found.append((process.pid, process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def logs(self) -> str:
        """Return what watcher and hooks have written to their logs."""
        return "\n".join(path.read_text() for path in sorted((self.memory / "logs").glob("*.log")))

    def settings_with_hooks(self) -> dict[str, Any]:
        """Return Claude Code's settings as they are now."""
        path = self.home / ".claude" / "settings.json"
        settings: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return settings


def is_about(request: Request, text: str) -> bool:
    """Say whether a text stands anywhere in a request."""
    return text in json.dumps(request, ensure_ascii=False)
