"""Owns taking the steps of a story in a home: as Claude Code appends, and as its hooks write rows."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import deque
from contextlib import closing

from tests.soak.fuse import ROOT
from tests.soak.nursery import Home
from tests.soak.story import Prompted, Raised, Step, Story, Write
from watcher.memory.database import iso
from watcher.memory.models import FlagKind

_SCRIPTS = {FlagKind.FINALIZE: "stop.py", FlagKind.CLEANUP: "session_end.py"}
_RECORD = """
INSERT INTO sdk_sessions (
    session_id, project, cwd, transcript_path, status,
    started_at, started_at_epoch, last_activity_at_epoch, last_prompt_at_epoch
)
VALUES (:session_id, :cwd, :cwd, :path, 'active', :iso, :at, :at, :at)
ON CONFLICT (session_id) DO UPDATE SET
    status = 'active', completed_at = NULL, completed_at_epoch = NULL, end_reason = NULL,
    last_activity_at_epoch = max(last_activity_at_epoch, excluded.last_activity_at_epoch),
    last_prompt_at_epoch = max(last_prompt_at_epoch, excluded.last_prompt_at_epoch),
    project = coalesce(nullif(project, ''), excluded.project),
    cwd = coalesce(nullif(cwd, ''), excluded.cwd),
    transcript_path = coalesce(nullif(transcript_path, ''), excluded.transcript_path)
"""
_RAISE = "INSERT INTO flags (session_id, kind, project, event, raised_at_epoch) VALUES (?, ?, ?, ?, ?)"
# A hook as Claude Code runs it, but that it takes the time of the story for now.
_HOOK = "import runpy, time; time.time = lambda: {at} / 1000; runpy.run_path({script!r}, run_name='__main__')"


class Writer:
    """Takes a story's steps, one after the other."""

    def __init__(self, home: Home, story: Story) -> None:
        self._home = home
        self._story = story
        self._taken = 0
        self._rows: deque[Prompted | Raised] = deque()  # that wait for the database to be made

    @property
    def left(self) -> int:
        """The steps that are not taken yet."""
        return len(self._story.steps) - self._taken + len(self._rows)

    def step(self, *, rows: bool = True) -> None:
        """Take the next step and, where `rows` are wanted, those that had to wait for a database."""
        if self._taken < len(self._story.steps):
            step = self._story.steps[self._taken]
            self._taken += 1
            self._take(step)
        while rows and self._rows and self._put(self._rows[0]):
            self._rows.popleft()

    def sizes(self) -> dict[str, int]:
        """Return how many bytes of each transcript are whole lines."""
        return {
            str(path): path.read_bytes().rfind(b"\n") + 1 for path in sorted(self._home.projects.glob("**/*.jsonl"))
        }

    def _take(self, step: Step) -> None:
        if isinstance(step, Write):
            path = self._home.projects / step.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab", buffering=0) as file:
                file.write(step.data)
        else:
            self._rows.append(step)

    def _put(self, step: Prompted | Raised) -> bool:
        """Write a hook's row; False where there is no database for it yet.

        A hook would give up then, for good; nothing depends on its row. Here it is kept, so that two runs differ in
        nothing but the fault.
        """
        path = str(self._home.projects / step.path)
        if isinstance(step, Raised) and step.by_hook and self._home.rows("SELECT 1 FROM flags LIMIT 1"):
            return self._run_hook(step, path)
        if not self._home.database.exists():
            return False
        with closing(sqlite3.connect(self._home.database, timeout=30, isolation_level=None)) as connection:
            try:
                if isinstance(step, Prompted):
                    values = {"session_id": step.session_id, "cwd": step.cwd, "path": path, "at": step.at}
                    connection.execute(_RECORD, {**values, "iso": iso(step.at)})
                else:
                    event = json.dumps({**step.event, "transcript_path": path})
                    project = step.event.get("cwd", "")
                    connection.execute(_RAISE, (step.session_id, step.kind, project, event, step.at))
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return False
                raise
        return True

    def _run_hook(self, step: Raised, path: str) -> bool:
        script = str(ROOT / "hooks" / _SCRIPTS[step.kind])
        event = json.dumps({**step.event, "transcript_path": path}).encode()
        command = [sys.executable, "-I", "-S", "-c", _HOOK.format(at=step.at, script=script)]
        done = subprocess.run(command, env=self._home.environment, input=event, capture_output=True, check=True)
        assert done.stderr == b"", done.stderr
        return True
