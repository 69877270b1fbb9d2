"""What it costs to start `claude-mem`: CPU time of the whole process, against Python's own start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import homes, transcripts
from benchmarks.measure import Figure, clean_environment, cpu_seconds, pairs, progress, temporary_folder
from benchmarks.transcripts import Session

RUNS = 3  # of a process, for one measurement
PAIRS = 7
COMMANDS = (("--help",), ("status",), ("search", "parser"))


def figures() -> Iterator[Figure]:
    """Measure some commands on a small memory."""
    with temporary_folder() as home:
        environment = clean_environment(home) | {"CLAUDE_MEM_AGENT": "extractive"}
        path = home / f"{transcripts.session_id(1)}.jsonl"
        session = Session(path.stem, homes.project(1), seed=1, begun=round(time.time() * 1000) - 600_000)
        transcripts.write(path, session, 1_000_000)
        subprocess.run([*command("replay"), str(path)], env=environment, stdout=subprocess.DEVNULL, check=True)
        for arguments in COMMANDS:
            name = f"`claude-mem {arguments[0]}`, CPU of the process"
            if not is_there(arguments[0], environment):
                yield Figure(name, "", (), 8)
                continue
            started = partial(cpu_seconds, environment=environment, runs=RUNS)
            both = pairs(
                PAIRS,
                # Where no watcher runs, status ends with 1: it is what it costs that is asked.
                partial(started, command(*arguments), may_fail=True),
                partial(started, [sys.executable, "-c", "pass"]),
            )
            progress(f"commands: {arguments[0]}")
            yield Figure(name, both.against("`python3 -c pass`"), both.ratios, 8)


def command(*arguments: str) -> list[str]:
    """Return how `claude-mem` is run here: by its script, as users do."""
    script = Path(sys.executable).with_name("claude-mem")
    return [*([str(script)] if script.is_file() else [sys.executable, "-m", "watcher"]), *arguments]


def is_there(name: str, environment: dict[str, str]) -> bool:
    """Say whether there is such a command."""
    if name.startswith("-"):
        return True
    return subprocess.run([*command(name), "--help"], env=environment, capture_output=True, check=False).returncode == 0
