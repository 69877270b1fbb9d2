"""Owns fuzzing for as long as it is let: the targets in turn, some seconds each, and what was found.

Hypothesis makes cases up, and makes a case that fails small. What it came by is kept in `.fuzz`, so that the next
campaign begins with it. A target that failed is not tried again: the same failure would hide all others.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.fuzz import Made, Target, crashes

DATABASE = Path(__file__).parent.parent.parent / ".fuzz"
ROUND = 5.0  # seconds of a target before it is the next one's turn
SHRINKING = 20.0  # seconds that a case which fails is made smaller for
SOME = 200  # cases that Hypothesis makes up in one go
GROWTH = 4  # times: by so much a case is made larger, until its work takes long enough to be measured
LONG = 0.3  # seconds
STEEP = 9.0  # a time that grows with the square grows by 16, one that grows with the size by 4
SIZES = 8  # steps of growth at most
TIMED = 25  # of so many cases one is timed


@dataclass
class Progress:
    """How a target does."""

    target: Target
    examples: int = 0
    seconds: float = 0.0
    crash: Path | None = None  # the file of the case that failed
    problem: str = ""  # how it failed


class TooSlowError(AssertionError):
    """The work on a case grows faster than the case."""


def run(
    targets: list[Target],
    minutes: float,
    folder: Path,
    tell: Callable[[Progress], None],
    keep_in: Path | None = None,
    database: Path | None = None,
) -> list[Progress]:
    """Try targets, whose own folders lie in `folder`; `tell` hears of each after its turn.

    A case that took too long once is only tried here: how long anything takes is nothing for the suite to say.
    """
    keep_in, database = keep_in or crashes.FOLDER, database or DATABASE
    all_of_them = [Progress(target) for target in targets]
    for one in all_of_them:
        _play_again(one, folder / one.target.name, keep_in)
    end = time.monotonic() + 60 * minutes
    while (left := [one for one in all_of_them if one.crash is None]) and (time.monotonic() < end):
        for one in left:
            until = min(time.monotonic() + ROUND, max(end, time.monotonic() + ROUND / 10))
            _play(one, folder / one.target.name, until, keep_in, database)
            tell(one)
    return all_of_them


def _play_again(progress: Progress, folder: Path, kept_in: Path) -> None:
    """Try the cases at which a target failed once."""
    folder.mkdir(exist_ok=True)
    for path in crashes.kept(progress.target.name, kept_in):
        try:
            progress.target.check(crashes.read(path), folder)
            check_growth(progress.target, crashes.read(path))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is there again
            progress.crash, progress.problem = path, _told(error)


def _told(error: Exception) -> str:
    return "".join(traceback.format_exception(error, limit=-4))


def _play(progress: Progress, folder: Path, until: float, keep_in: Path, database: Path) -> None:
    """Try a target until a time, or until it fails."""
    target, begun = progress.target, time.monotonic()
    failed: list[tuple[Any, Exception]] = []  # each smaller than the one before
    enough = float("inf")

    @settings(
        max_examples=SOME,
        deadline=None,
        database=DirectoryBasedExampleDatabase(database),
        phases=(Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(target.cases)
    def tried(made: Made) -> None:
        nonlocal enough
        if time.monotonic() > enough:
            raise _SmallEnoughError
        if not failed and time.monotonic() > until:
            return
        progress.examples += 1
        try:
            target.check(made.case, folder)
            if progress.examples % TIMED == 0 or (failed and target.work):
                check_growth(target, made.case)
        except Exception as error:
            enough = min(enough, time.monotonic() + SHRINKING)
            failed.append((made.case, error))
            raise

    try:
        while time.monotonic() < until:
            tried()
    except (Exception, _SmallEnoughError):  # noqa: BLE001 - whatever it is, it is what was looked for
        case, error = failed[-1]
        progress.crash = crashes.keep(target.name, case, keep_in)
        progress.problem = _told(error)
    progress.seconds += time.monotonic() - begun


class _SmallEnoughError(BaseException):
    """A case was made smaller for long enough; no failure, so that Hypothesis goes no further."""


def check_growth(target: Target, case: Any) -> None:
    """See that the work on a case grows like the case.

    Raises:
        TooSlowError: it grows faster, and takes long.
    """
    if target.work is None or target.grown is None:
        return
    before = 0.0
    for size in _sizes():
        large = target.grown(case, size)
        took = min(_timed(target.work, large) for _ in range(2))
        if took > LONG:
            if before and took / before > STEEP:
                raise TooSlowError(f"{size} times as large, {took:.2f} s; a {GROWTH}th of that, {before:.2f} s")
            return
        before = took


def _sizes() -> Iterator[int]:
    return (GROWTH**power for power in range(SIZES))


def _timed(work: Callable[[Any], object], case: Any) -> float:
    begun = time.process_time()
    work(case)
    return time.process_time() - begun
