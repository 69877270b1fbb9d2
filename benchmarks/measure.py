"""Owns measuring: commands in pairs, and a row of the table that comes of it."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One row: what was measured, against what, and how often."""

    name: str
    baseline: str
    ratios: tuple[float, ...]  # measured / baseline, pair by pair
    target: float  # at most this

    def row(self) -> str:
        """Return it as a row of a Markdown table."""
        median = statistics.median(self.ratios)
        spread = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        met = "yes" if median <= self.target else "**no**"
        return f"| {self.name} | {self.baseline} | {median:.2f} | {spread} | ≤ {self.target:g} | {met} |"


HEADER = "| what | baseline | ratio (median) | spread | target | met |\n|---|---|---|---|---|---|"


def cpu_seconds(command: Sequence[str], *, environment: dict[str, str], stdin: bytes = b"", runs: int = 1) -> float:
    """Return the CPU time (user and system, seconds) of a whole process, summed over some runs."""
    before = os.times()
    for _ in range(runs):
        subprocess.run(command, env=environment, input=stdin, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user + after.children_system) - (before.children_user + before.children_system)


def pairs(count: int, measured: Callable[[], float], baseline: Callable[[], float]) -> tuple[float, ...]:
    """Measure in turn, so that a machine whose speed drifts drifts for both; the first pair warms up."""
    measured(), baseline()
    return tuple(measured() / baseline() for _ in range(count))


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment with nothing of the user's in it."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "CLAUDE_MEM_HOME": str(home / ".claude-mem")}
