"""Owns a watcher as a process of its own, in a home of the test's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.claude_cli import wait_until
from tests.rows import rows


class WatcherProcess:
    """`claude-mem watch` in the foreground, started by `start`, ended at the latest with the block."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home = home
        self.memory = home / ".claude-mem"
        self.projects = home / ".claude" / "projects"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "USERPROFILE": str(home),
            "CLAUDE_MEM_AGENT": "extractive",
            "CLAUDE_MEM_AGENT_QUIET": "0",
            **variables,
        }
        self.prefix: list[str] = []  # what runs it: a program that takes something away from it
        self._process: subprocess.Popen[str] | None = None
        self.output = home / "watch.out"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *args: str) -> Self:
        """Start it, and wait until it watches."""
        before = len(self.runs())
        with self.output.open("a") as out:
            self._process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "watcher", "watch", *args],
                env=self.environment,
                stdout=out,
                stderr=out,
                text=True,
                cwd=self.home,
            )
        wait_until(lambda: len(self.runs()) > before or not self.is_alive(), otherwise=self.output.read_text)
        assert len(self.runs()) > before, self.output.read_text()
        return self

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run `claude-mem` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "watcher", *args],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.home,
        )

    def is_alive(self) -> bool:
        """Say whether it runs."""
        return self._process is not None and self._process.poll() is None

    def end(self, number: int = signal.SIGTERM, *, within: float = 20.0) -> int:
        """Send a signal, and return the exit code; `within` so many seconds."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=within)

    def wait(self) -> int:
        """Wait until it leaves by itself; return the exit code."""
        assert self._process is not None
        return self._process.wait(timeout=30)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=20)

    def runs(self) -> list[tuple[Any, ...]]:
        """Return the rows of all watchers that ever ran."""
        return self.rows("SELECT pid, stopped_at_epoch, stop_reason FROM watchers ORDER BY id")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a plain SQLite client sees; nothing while there is no such table."""
        return rows(self.memory / "data" / "claude-mem.db", sql)

    def wait_for_rows(self, sql: str, expected: list[tuple[Any, ...]]) -> None:
        """Wait until a query gives what is expected."""
        wait_until(
            lambda: self.rows(sql) == expected,
            otherwise=lambda: f"{sql} gives {self.rows(sql)}, not {expected}\n{self.output.read_text()}",
        )

    def write(self, *lines: bytes, session: str, project: str = "-home-dev-api") -> Path:
        """Append lines to a session's transcript."""
        path = self.projects / project / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(lines))
        return path
