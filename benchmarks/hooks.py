"""What a hook costs the user: CPU time of the whole process, against Python's own start."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Figure, clean_environment, cpu_seconds, pairs
from watcher import resources, system
from watcher.memory import recollection
from watcher.memory.database import Database

RUNS = 20  # of a process, for one measurement
PAIRS = 7


def figures() -> Iterator[Figure]:
    """Measure the Stop hook, and SessionStart with a full context."""
    home = Path(tempfile.mkdtemp(prefix="claude-mem-bench-"))
    try:
        environment = clean_environment(home)
        database = Database.create(home / ".claude-mem" / "data" / "claude-mem.db")
        with database.write() as connection:
            recollection.put_context(connection, "/project", "x" * 10_000, now=0)
        yield Figure("Stop hook, CPU", "`python3 -I -S -c pass`", _hook("stop.py", environment), 2.2)
        # The watcher's lock is held, so that the hook sees one running.
        with system.lock(home / ".claude-mem" / "data" / "watcher.lock"):
            ratios = _hook("session_start.py", environment)
        yield Figure("SessionStart hook with a full context, CPU", "`python3 -I -S -c pass`", ratios, 3.0)
        database.close()
    finally:
        shutil.rmtree(home)


def _hook(script: str, environment: dict[str, str]) -> tuple[float, ...]:
    command = [sys.executable, "-I", "-S", str(resources.hooks() / script)]
    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    count = iter(range(1_000_000))

    def run() -> float:
        return sum(cpu_seconds(command, environment=environment, stdin=_event(next(count))) for _ in range(RUNS))

    return pairs(PAIRS, run, lambda: cpu_seconds(bare, environment=environment, runs=RUNS))


def _event(number: int) -> bytes:
    event = {"session_id": f"s{number}", "cwd": "/project", "source": "startup", "last_assistant_message": "x" * 2000}
    return json.dumps(event).encode()
