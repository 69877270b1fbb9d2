"""Owns starting watchers that cost a tenth of a second each, and the homes in which they live."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import psutil

from tests.rows import rows
from tests.soak.fuse import ROOT, Fuse

POLL = 0.01  # seconds
LONGEST_END = 20.0  # seconds


class Home:
    """A user's home in a temporary folder: Claude Code's projects, a memory, the log of its watchers."""

    def __init__(self, folder: Path, **settings: object) -> None:
        """Take settings as their variables' endings: `watch_scan_interval=0.2`."""
        self.folder = folder
        self.projects = folder / ".claude" / "projects"
        self.memory = folder / ".claude-mem"
        self.database = self.memory / "data" / "claude-mem.db"
        self.projects.mkdir(parents=True)
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "USERPROFILE": str(folder),
            **{f"CLAUDE_MEM_{name.upper()}": str(value) for name, value in settings.items()},
        }

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a plain SQLite client sees; nothing while there is no such table."""
        return rows(self.database, sql)

    def log(self) -> str:
        """Return what its watchers have printed."""
        path = self.folder / "watch.out"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def troubles(self) -> list[str]:
        """Return what its watchers have complained of, the last first."""
        lines = self.log().splitlines()
        return [line for line in reversed(lines) if "  trouble  " in line or "crashed" in line][:40]

    def burnt(self) -> list[str]:
        """Return the lines at which watchers have killed themselves, one a kill."""
        path = self.folder / "burnt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def processes(self) -> list[int]:
        """Return the processes that were started in this home: the agents' (a forked watcher is its nursery's)."""
        found = []
        for process in psutil.process_iter(["status"]):
            try:
                if process.info["status"] != psutil.STATUS_ZOMBIE and process.environ().get("HOME") == str(self.folder):
                    found.append(process.pid)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


class Mortal:
    """A forked watcher."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self._status: int | None = None

    def is_alive(self) -> bool:
        """Say whether it runs."""
        if self._status is None:
            self._status = self._nursery.ask({"poll": self.pid})["status"]
        return self._status is None

    def send(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        if self.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.send(signal.SIGKILL)
        self.wait()

    def end(self) -> int:
        """Ask it to end; return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout: float = LONGEST_END) -> int:
        """Wait for its end; return its exit code, negative where a signal ended it."""
        deadline = time.monotonic() + timeout
        while self.is_alive():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                self._status = self._nursery.ask({"wait": self.pid})["status"]
                raise AssertionError(f"the watcher did not end within {timeout} s")
            time.sleep(POLL)
        assert self._status is not None
        return os.waitstatus_to_exitcode(self._status)


class Nursery:
    """The process that watchers are forked from, while its `with` block is open."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.mortal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        )
        self._mortals: list[Mortal] = []
        return self

    def __exit__(self, *_: object) -> None:
        for mortal in self.living():
            mortal.kill()
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(LONGEST_END)

    def start(
        self,
        home: Home,
        *argv: str,
        fuse: Fuse | None = None,
        thinks: float | None = 0.04,  # seconds that the agent in its process takes at most; None: the settings' agent
        clock: Path | None = None,
    ) -> Mortal:
        """Start `claude-mem watch` in a home."""
        wanted = {
            "argv": argv or ["watch"],
            "environment": home.environment,
            "folder": str(home.folder),
            "fuse": asdict(fuse) if fuse else None,
            "thinks": thinks,
            "clock": str(clock) if clock else None,
        }
        mortal = Mortal(self, self.ask({"start": wanted})["pid"])
        self._mortals = [*self.living(), mortal]
        return mortal

    def living(self) -> list[Mortal]:
        """Return the watchers that run."""
        return [mortal for mortal in self._mortals if mortal.is_alive()]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Have the process do something."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer
