"""Owns the world of a hook in tests: its Python, its own copy of the plugin, a temporary home."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from watcher import resources, system
from watcher.memory.database import Database

QUIET = b'{"continue": true, "suppressOutput": true}'
PROJECT = "/home/me/api"
OLDEST = "python3.9"
TIMEOUT = 20.0  # seconds; only a hook that hangs takes so long

EVENTS: dict[str, dict[str, Any]] = {
    "session_start.py": {"hook_event_name": "SessionStart", "source": "startup"},
    "user_prompt_submit.py": {"hook_event_name": "UserPromptSubmit", "prompt": "Fix the bug."},
    "stop.py": {"hook_event_name": "Stop", "stop_hook_active": False, "last_assistant_message": "Fixed."},
    "session_end.py": {"hook_event_name": "SessionEnd", "reason": "other"},
}


def payload(script: str, session_id: str = "s-1", **more: object) -> bytes:
    """What Claude Code writes to a hook's stdin."""
    said = {"session_id": session_id, "transcript_path": "/home/me/.claude/projects/-api/s-1.jsonl", "cwd": PROJECT}
    return json.dumps({**said, **EVENTS[script], **more}).encode()


def epoch() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class World:
    """Where hooks run, and what they leave behind."""

    python: str
    home: Path
    plugin: Path
    user_home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.home / "data" / "claude-mem.db"

    @property
    def log(self) -> str:
        path = self.home / "logs" / "hooks.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def environment(self) -> dict[str, str]:
        """Nothing of the test's own environment, so that no CLAUDE_* variable of it comes along."""
        return {"PATH": os.defpath, "HOME": str(self.user_home), "CLAUDE_MEM_HOME": str(self.home), **self.extra}

    def command(self, script: str) -> list[str]:
        """As Claude Code runs a hook, but what the next Python may refuse is refused by this one already."""
        return [self.python, "-W", "error", "-I", "-S", str(self.plugin / "hooks" / script)]

    @contextmanager
    def started(self, script: str) -> Iterator[subprocess.Popen[bytes]]:
        """A hook under way, its stdin still open; gone after the block."""
        with subprocess.Popen(
            self.command(script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
            cwd=self.user_home,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, script: str, event: bytes | None = None, *, timeout: float = TIMEOUT) -> bytes:
        """Run a hook to its end and return what it printed. Whatever happens, it ends well and without a word."""
        with self.started(script) as process:
            stdout, stderr = process.communicate(payload(script) if event is None else event, timeout)
        assert (process.returncode, stderr) == (0, b"")
        return stdout

    def run_both(self, script: str, event: bytes) -> list[bytes]:
        """Run a hook that is set up twice: two processes at once, with the same stdin. Return what they printed."""
        with self.started(script) as one, self.started(script) as other:
            for process in (one, other):
                assert process.stdin is not None
                process.stdin.write(event)
                process.stdin.flush()
            printed = [process.communicate(timeout=TIMEOUT) for process in (one, other)]
        assert [stderr for _, stderr in printed] == [b"", b""]
        return [stdout for stdout, _ in printed]

    def create_database(self) -> None:
        Database.create(self.database).close()

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values)]

    def put_context(self, text: str, project: str = PROJECT) -> None:
        self.execute("INSERT OR REPLACE INTO contexts VALUES (?, ?, ?)", (project, text, epoch()))

    def raise_flag(self, project: str = PROJECT, *, ago: int = 0) -> None:
        """Leave a flag raised some milliseconds ago."""
        self.execute(
            "INSERT INTO flags (session_id, kind, project, event, raised_at_epoch) "
            "VALUES ('s-0', 'cleanup', ?, '{}', ?)",
            (project, epoch() - ago),
        )

    @contextmanager
    def running_watcher(self) -> Iterator[None]:
        """Hold the lock that a watcher holds."""
        (self.home / "data").mkdir(parents=True, exist_ok=True)
        with system.lock(self.home / "data" / "watcher.lock"):
            yield

    def edit(self, script: str, old: str, new: str) -> None:
        """Change this world's own copy of a script."""
        path = self.plugin / "hooks" / script
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")

    def install_launcher(self, path: Path, script: str) -> Path:
        """Put an executable there which runs a shell script and says so by a file `started` in the home."""
        path.parent.mkdir(parents=True, exist_ok=True)
        told = '{ echo "$0 $*"; pwd; env; } > "$CLAUDE_MEM_HOME/started.new"; mv "$CLAUDE_MEM_HOME/started.new" '
        path.write_text(f'#!/bin/sh\n{told} "$CLAUDE_MEM_HOME/started"\n{script}\n', encoding="utf-8")
        path.chmod(0o755)
        return path

    def name_launcher(self, path: Path) -> None:
        """Write the file that tells the hooks which Python has claude-mem installed."""
        (self.home / "data").mkdir(parents=True, exist_ok=True)
        (self.home / "data" / "launcher").write_text(f"{path}\n", encoding="utf-8")

    def wait_started(self) -> list[str]:
        """Wait until a launcher ran; return its command, its working folder and its environment, a line each."""
        path = self.home / "started"
        deadline = time.monotonic() + TIMEOUT
        while not path.exists():
            assert time.monotonic() < deadline, f"no watcher was started\n{self.log}"
            time.sleep(0.02)
        return path.read_text(encoding="utf-8").splitlines()


def _python(name: str, environment: Mapping[str, str]) -> str:
    """The path of an interpreter that works, empty where there is none (a version manager's stub may be there)."""
    path = shutil.which(name, path=environment.get("PATH"))
    if path is None:
        return ""
    asked = [path, "-c", "import sys; print(sys.executable)"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _pythons() -> dict[str, str]:
    """Return the Pythons that run the hooks: the tests' own and, where there is one, the oldest that is supported.

    It is looked for where pyenv keeps those that are on no PATH, then on PATH. Ruff holds the hooks to its syntax too.
    """
    found = {"this": sys.executable}
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    path = os.pathsep.join([*(str(folder) for folder in sorted(kept.glob("3.9.*/bin"))), os.environ["PATH"]])
    if oldest := _python(OLDEST, {"PATH": path}):
        found[OLDEST] = oldest
    return found


PYTHONS = _pythons()


@pytest.fixture(scope="session", params=list(PYTHONS))
def python(request: pytest.FixtureRequest) -> str:
    """One of the Pythons that run the hooks."""
    return PYTHONS[request.param]


@pytest.fixture
def world(python: str, tmp_path: Path) -> World:
    """A world without a memory, and without anything that could start a watcher."""
    plugin = tmp_path / "plugin"
    shutil.copytree(resources.hooks(), plugin / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    user_home = tmp_path / "user"
    user_home.mkdir()
    return World(python, tmp_path / "memory", plugin, user_home)


@pytest.fixture
def memory(world: World) -> World:
    """A world with an empty memory."""
    world.create_database()
    return world


@pytest.fixture
def watched(memory: World) -> Iterator[World]:
    """A world with an empty memory that a watcher serves."""
    with memory.running_watcher():
        yield memory
