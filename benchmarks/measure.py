"""Owns measuring: commands in pairs, the clean place they run in, and a row of the table that comes of it."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000
HEADER = "| what | baseline | figure | spread | target | met |\n|---|---|---|---|---|---|"
BARE_PYTHON = (sys.executable, "-I", "-S", "-c", "pass")
_BEGUN = time.monotonic()


@dataclass(frozen=True)
class Figure:
    """One row: what was measured, against what, and each measurement; none where there is nothing to measure."""

    name: str
    baseline: str
    values: tuple[float, ...]
    target: float | None  # at most this; None: for information
    unit: str = "times"
    is_least: bool = False  # the target is the least that it may be

    @property
    def median(self) -> float:
        """The figure itself."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool:
        """Say whether it is within its target; what is not there is not."""
        if not self.values or self.target is None:
            return bool(self.values)
        return self.median >= self.target if self.is_least else self.median <= self.target

    def row(self) -> str:
        """Return it as a row of a Markdown table."""
        figure = f"{number(self.median)} {self.unit}".rstrip() if self.values else "not there"
        spread = f"{number(min(self.values))} to {number(max(self.values))}" if len(self.values) > 1 else ""
        target = "" if self.target is None else f"{'≥' if self.is_least else '≤'} {self.target:g}"
        met = "" if self.target is None else "yes" if self.is_met else "**no**"
        return f"| {self.name} | {self.baseline} | {figure} | {spread} | {target} | {met} |"


@dataclass(frozen=True)
class Pairs:
    """What was measured in turn with its baseline, pair by pair."""

    measured: tuple[float, ...]
    baseline: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Each against the baseline beside it."""
        return tuple(one / other for one, other in zip(self.measured, self.baseline, strict=True))

    def against(self, what: str) -> str:
        """Return the baseline as the table tells it: what it is, and how long it took."""
        return f"{what}: {duration(statistics.median(self.baseline))}"


def pairs(count: int, measured: Callable[[], float], baseline: Callable[[], float]) -> Pairs:
    """Measure in turn, so that a machine whose speed drifts drifts for both; the first pair warms up."""
    measured(), baseline()
    both = [(measured(), baseline()) for _ in range(count)]
    return Pairs(tuple(one for one, _ in both), tuple(other for _, other in both))


def cpu_seconds(
    command: Sequence[str], *, environment: dict[str, str], stdin: bytes = b"", runs: int = 1, may_fail: bool = False
) -> float:
    """Return the CPU time (user and system, seconds) of a whole process and what it waited for, a mean of some runs."""
    before = cpu_of_children()
    for _ in range(runs):
        subprocess.run(command, env=environment, input=stdin, stdout=subprocess.DEVNULL, check=not may_fail)
    return (cpu_of_children() - before) / runs


def cpu_of_children() -> float:
    """Return the CPU time of all processes that have ended so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wall_seconds(act: Callable[[], object]) -> float:
    """Return how long something takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def memory(pid: int) -> tuple[float, float]:
    """Return the peak of a process so far, and its proportional share of memory now, in MB.

    Where the system does not tell, both are what it holds now.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        held = psutil.Process(pid).memory_info().rss / MEGABYTE
        return held, held
    return _kilobytes(status, "VmHWM:") * 1024 / MEGABYTE, _kilobytes(rollup, "Pss:") * 1024 / MEGABYTE


def _kilobytes(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def number(value: float) -> str:
    """Return a number with as many digits as are worth something."""
    return f"{value:.0f}" if value >= 100 or value == round(value) else f"{value:.{1 if value >= 10 else 2}f}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    return f"{number(seconds)} s" if seconds >= 1 else f"{number(seconds * 1000)} ms"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="claude-mem-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment with nothing of the user's in it."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "CLAUDE_MEM_HOME": str(home / ".claude-mem")}


def progress(text: str) -> None:
    """Say on stderr how far it is."""
    sys.stderr.write(f"[{time.monotonic() - _BEGUN:5.0f} s] {text}\n")


def machine() -> str:
    """Return when and on what this is measured."""
    gigabytes = psutil.virtual_memory().total / GIGABYTE
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"Measured on {time.strftime('%Y-%m-%d')} on {platform.system()} with {os.cpu_count()} "
        f"cores, {gigabytes:.0f} GB of memory and {python}."
    )
