"""Owns homes in which Claude Code was at work for a year."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks import transcripts
from benchmarks.measure import progress
from benchmarks.transcripts import Session
from tests.service.watcher_process import WatcherProcess

DAY = 86_400_000  # milliseconds
YEAR = 365 * DAY
PROJECTS = 20
LONGEST = 1800.0  # seconds that a watcher may take until nothing is left to do
AT_ONCE = {"CLAUDE_MEM_WATCH_EXIT_AFTER": "0"}  # leave after the first look at everything
# Leave once nothing is active. Fifty sessions are ended at each look, and usually there is one a second.
HURRY = {"CLAUDE_MEM_WATCH_SCAN_INTERVAL": "0.05", "CLAUDE_MEM_WATCH_EXIT_AFTER": "2"}
TAKEN_IN = 'SELECT count(*), coalesce(sum("offset"), 0) FROM checkpoints'
LEFT = """
SELECT (SELECT count(*) FROM sdk_sessions WHERE status = 'active')
    + (SELECT count(*) FROM tool_uses WHERE status IN ('open', 'pending'))
"""


def write_year(projects: Path, count: int, sizes: tuple[int, int], *, tool_uses: int = 2) -> int:
    """Write so many transcripts over a year, in some projects; return their size in all.

    Each has turns of so many tool uses until it has between `sizes[0]` and `sizes[1]` bytes.
    """
    begun = round(time.time() * 1000) - YEAR
    least, most = sizes
    size = 0
    for number in range(count):
        at = begun + round((number + 0.5) * (YEAR - DAY) / count)
        session = Session(transcripts.session_id(number), project(number), seed=count, begun=at)
        path = transcript(projects, session)
        wanted = least + (most - least) * (number % 11) // 10
        size += transcripts.write(path, session, wanted, tool_uses=tool_uses).size
        os.utime(path, (session.now / 1000, session.now / 1000))
        if number % 2000 == 0:
            progress(f"writing: {number} of {count} transcripts")
    return size


def project(number: int) -> str:
    """Return the folder that session number `number` is at work in."""
    return f"/home/dev/project-{number % PROJECTS:02}"


def transcript(projects: Path, session: Session) -> Path:
    """Return where a session's transcript is."""
    return projects / session.cwd.replace("/", "-") / f"{session.session_id}.jsonl"


def begin_a_year_ago(watcher: WatcherProcess) -> None:
    """Make a memory that begins before all of them: a new one leaves alone what is older than an hour."""
    watcher.start().end()
    with closing(sqlite3.connect(watcher.memory / "data" / "claude-mem.db")) as connection, connection:
        connection.execute("UPDATE watchers SET started_at_epoch = started_at_epoch - ?", (YEAR + DAY,))


def until_idle(environment: Mapping[str, str]) -> None:
    """Run a watcher until it leaves, there being nothing to do."""
    command = [sys.executable, "-m", "watcher", "watch", "--until-idle"]
    home = environment["HOME"]
    subprocess.run(command, env=environment, cwd=home, stdout=subprocess.DEVNULL, check=True, timeout=LONGEST)
