"""What the agent's process costs: the first batch, for which it is started, and those that follow.

Run by itself, `python -m benchmarks.agent`, it is the process that the other one measures in a clean environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.measure import Figure, cpu_of_children, progress, temporary_folder
from tests.claude_cli import clean_environment
from tests.messages_api import MessagesAPI, Reply, last_user_text
from tests.soak import scripted
from watcher import agent, settings
from watcher.agent.base import Batch, ToolUse, Turn

ROUNDS = 5
BATCHES = 4
LONGEST = 120.0  # seconds


def figures() -> Iterator[Figure]:
    """Measure `digest` of the agent that asks a model, the model answering at once; for information."""
    found: list[list[tuple[float, float]]] = []
    with MessagesAPI(agent=lambda request: Reply(scripted.answer(last_user_text(request)))) as api:
        for number in range(ROUNDS):
            with temporary_folder() as home:
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.agent"],
                    env=clean_environment(home, api.url),
                    stdout=subprocess.PIPE,
                    check=True,
                    timeout=LONGEST,
                )
            found.append(json.loads(done.stdout))
            progress(f"agent: round {number + 1} of {ROUNDS}")
    for index, name in ((0, "wall"), (1, "CPU of all processes")):
        first = tuple(batches[0][index] for batches in found)
        later = tuple(sum(batch[index] for batch in batches[1:]) / (len(batches) - 1) for batches in found)
        yield Figure(f"The agent's first batch, {name}", "a model that answers at once", first, None, "s")
        yield Figure(f"Each of the {BATCHES - 1} following, {name}", "the same", later, None, "s")


def main() -> None:
    """Have some batches digested, and print how long each took: wall and CPU time, in seconds."""
    told = settings.load()
    took = []
    before, begun = _cpu(), time.perf_counter()
    chosen = agent.create(
        told.agent, told.home / "agent", told.claude_dir
    )  # the first batch pays for what this imports
    for number in range(BATCHES):
        uses = tuple(ToolUse(f"toolu_{number}_{index}", "Bash", '{"command": "make"}', "done") for index in range(20))
        chosen.digest(Batch(str(Path.cwd()), (Turn(number, (f"Do {number}",), uses, closing_text="Done."),)))
        took.append((time.perf_counter() - begun, _cpu() - before))
        before, begun = _cpu(), time.perf_counter()
    chosen.close()
    print(json.dumps(took))


def _cpu() -> float:
    """Return the CPU time of this process and of all it started."""
    used = time.process_time() + cpu_of_children()
    for process in psutil.Process().children(recursive=True):
        try:
            used += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return used


if __name__ == "__main__":
    main()
