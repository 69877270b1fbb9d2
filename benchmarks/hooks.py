"""What a hook costs the user: CPU time of the whole process, against Python's own start."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import count

from benchmarks.measure import BARE_PYTHON, Figure, Pairs, clean_environment, cpu_seconds, pairs, temporary_folder
from watcher import resources, system
from watcher.memory import recollection
from watcher.memory.database import Database

RUNS = 10  # of a process, for one measurement
PAIRS = 7
BASELINE = "`python3 -I -S -c pass`"


def figures() -> Iterator[Figure]:
    """Measure the Stop hook, and SessionStart with a full context."""
    with temporary_folder() as home:
        environment = clean_environment(home)
        database = Database.create(home / ".claude-mem" / "data" / "claude-mem.db")
        with database.write() as connection:
            recollection.put_context(connection, "/project", "x" * 10_000, now=0)
        stop = hook_pairs("stop.py", environment)
        yield Figure("Stop hook, CPU of the process", stop.against(BASELINE), stop.ratios, 2.2)
        # The watcher's lock is held, so that the hook sees one running.
        with system.lock(home / ".claude-mem" / "data" / "watcher.lock"):
            start = hook_pairs("session_start.py", environment)
        yield Figure(
            "SessionStart hook with a full context, CPU of the process", start.against(BASELINE), start.ratios, 3
        )
        database.close()


def hook_pairs(script: str, environment: dict[str, str], *, project: str = "/project", count: int = PAIRS) -> Pairs:
    """Measure a hook in turn with a Python that does nothing."""

    def bare() -> float:
        return cpu_seconds(BARE_PYTHON, environment=environment, runs=RUNS)

    return pairs(count, lambda: hook_seconds(script, environment, project=project), bare)


_numbers = count()


def hook_seconds(script: str, environment: dict[str, str], *, project: str) -> float:
    """Return the CPU time of a hook's process, a mean of some runs, each with an event of its own."""
    command = [sys.executable, "-I", "-S", str(resources.hooks() / script)]
    runs = (cpu_seconds(command, environment=environment, stdin=_event(next(_numbers), project)) for _ in range(RUNS))
    return sum(runs) / RUNS


def _event(number: int, project: str) -> bytes:
    event = {"session_id": f"s{number}", "cwd": project, "source": "startup", "last_assistant_message": "x" * 2000}
    return json.dumps(event).encode()
