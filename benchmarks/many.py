"""What it costs to take in ten thousand transcripts from nothing, and to find that nothing of them is new."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import homes
from benchmarks.measure import MEGABYTE, Figure, cpu_of_children, duration, progress, temporary_folder
from tests.rows import rows
from tests.service.watcher_process import WatcherProcess

MANY, FEW = 10_000, 1_000  # transcripts
SIZES = (70_000, 250_000)  # bytes, so that they have 200 kB on average
PAIRS = 3
ENOUGH = 240.0  # seconds after which no other pair is begun
LONGEST = 900.0  # seconds
POLL = 0.02  # seconds
SECOND_RUNS = 3


@dataclass(frozen=True)
class _Run:
    """What taking all in took, in seconds a megabyte."""

    wall: float
    cpu: float


def figures() -> Iterator[Figure]:
    """Measure 2 GB beside a tenth of it, each from nothing; then a watcher that finds nothing new."""
    with temporary_folder() as folder:
        sizes = {count: homes.write_year(folder / str(count), count, SIZES) for count in (FEW, MANY)}
        runs: dict[int, list[_Run]] = {count: [] for count in sizes}
        second: tuple[float, ...] = ()
        until = time.monotonic() + ENOUGH
        for number in range(PAIRS):
            if time.monotonic() > until:
                break
            for count, size in sizes.items():
                home = folder / f"home-{count}-{number}"
                runs[count].append(_take_in(home, folder / str(count), count, size))
                told = duration(runs[count][-1].wall * size / MEGABYTE)
                progress(f"many: {count} transcripts in {told}, pair {number + 1} of {PAIRS}")
        second = tuple(_look_again(home))
        what = f"{MANY:,} transcripts, {sizes[MANY] / 1e9:.1f} GB, taken in from nothing by a watcher"
        for name in ("wall", "CPU"):
            few, many = ([getattr(run, name.lower()) for run in runs[count]] for count in (FEW, MANY))
            baseline = f"a tenth of them: {duration(sum(few) / len(few) * 1000)} a GB"
            ratios = tuple(one / other for one, other in zip(many, few, strict=True))
            yield Figure(f"{what}: {name} a byte", baseline, ratios, 1.3)
        again = "The same again with nothing new, CPU of a `claude-mem watch` from its start until it has nothing to do"
        yield Figure(again, "", second, 1, "s")


def _take_in(home: Path, projects: Path, count: int, size: int) -> _Run:
    """Have a watcher take all in, into a memory of its own; return what it took per megabyte."""
    (home / ".claude").mkdir(parents=True)
    (home / ".claude" / "projects").symlink_to(projects)
    with WatcherProcess(home) as watcher:
        homes.begin_a_year_ago(watcher)
        begun, before = time.monotonic(), cpu_of_children()
        watcher.start()
        while watcher.rows(homes.TAKEN_IN) != [(count, size)]:
            if time.monotonic() - begun > LONGEST or not watcher.is_alive():
                said = watcher.output.read_text()[-4000:]
                raise SystemExit(f"not all taken in: {watcher.rows(homes.TAKEN_IN)}\n{said}")
            time.sleep(POLL)
        wall = time.monotonic() - begun
        watcher.end()
    return _Run(wall * MEGABYTE / size, (cpu_of_children() - before) * MEGABYTE / size)


def _look_again(home: Path) -> Iterator[float]:
    """Let what was taken in be ended and digested; then start watchers that find nothing, and yield their CPU time."""
    environment = WatcherProcess(home).environment
    progress("many: ending and digesting what was taken in")
    homes.until_idle(environment | homes.HURRY)
    assert rows(home / ".claude-mem" / "data" / "claude-mem.db", homes.LEFT) == [(0,)]
    for _ in range(SECOND_RUNS):
        before = cpu_of_children()
        homes.until_idle(environment | homes.AT_ONCE | {"CLAUDE_MEM_AGENT": "claude"})
        yield cpu_of_children() - before
