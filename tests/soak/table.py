"""Owns the table: one row a fault, and the running of the faults for their share of the time."""

from __future__ import annotations

import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.soak.ledger import Ledger, Rows
from tests.soak.nursery import Nursery

HEADER = "| fault | times injected | lost | duplicated | left behind |\n|---|---|---|---|---|"


@dataclass
class Tally:
    """What came of a fault."""

    injected: int = 0
    lost: int = 0
    duplicated: int = 0
    left: int = 0  # processes that outlived their use
    told: list[str] = field(default_factory=list)  # each of these, by name

    def __iadd__(self, other: Tally) -> Tally:
        self.injected += other.injected
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.left += other.left
        self.told += other.told
        return self

    @property
    def is_clean(self) -> bool:
        """Nothing is lost, nothing twice, nothing left running."""
        return not (self.lost or self.duplicated or self.left or self.told)

    @classmethod
    def of(cls, injected: int, ledger: Ledger, home: Rows, left: Iterable[object] = ()) -> Tally:
        """Settle an account."""
        lost, duplicated, processes = ledger.lost(home), ledger.duplicated(home), [str(one) for one in left]
        told = [
            *(f"lost: {one}" for one in lost),
            *(f"twice: {one}" for one in duplicated),
            *(f"left: {one}" for one in processes),
        ]
        return cls(injected, len(lost), len(duplicated), len(processes), told)


@dataclass
class Place:
    """Where one round of a fault takes place."""

    nursery: Nursery
    folder: Path
    random: random.Random

    def begin(self) -> int:
        """Return when a story begins that is told now (epoch)."""
        from tests.soak import story

        return time.time_ns() // 1_000_000 - story.AGO


@dataclass(frozen=True)
class Fault:
    """One row: how to inject it once or many times, and its share of the whole time."""

    name: str
    round: Callable[[Place], Tally]
    share: float


def run(faults: Iterable[Fault], minutes: float, seed: int) -> dict[str, Tally]:
    """Run every fault for its share of the time, one round at least; what goes on is told on stderr."""
    chosen = list(faults)
    whole = sum(fault.share for fault in chosen)
    found: dict[str, Tally] = {}
    with Nursery() as nursery:
        for fault in chosen:
            found[fault.name] = _run(fault, nursery, minutes * 60 * fault.share / whole, seed)
    return found


def _run(fault: Fault, nursery: Nursery, seconds: float, seed: int) -> Tally:
    tally = Tally()
    begun = time.monotonic()
    rounds = 0
    while rounds == 0 or time.monotonic() - begun < seconds:
        rounds += 1
        name = f"{seed}:{fault.name}:{rounds}"
        with tempfile.TemporaryDirectory(prefix="claude-mem-soak-", ignore_cleanup_errors=True) as folder:
            try:
                tally += fault.round(Place(nursery, Path(folder), random.Random(name)))
            except Exception:  # noqa: BLE001 - what a fault brings down is told, and the others have their turn
                tally += Tally(told=[f"round {name} broke:\n{traceback.format_exc()}"])
            finally:
                for mortal in nursery.living():
                    mortal.kill()
        _say(f"{fault.name}: {asdict(tally) | {'told': len(tally.told)}} after {time.monotonic() - begun:.0f} s")
        for line in tally.told:
            _say(f"    {line}")
        if len(tally.told) > 100:
            break
    return tally


def rows(found: dict[str, Tally]) -> Iterable[str]:
    """Return the table's rows, as Markdown."""
    for name, tally in found.items():
        yield f"| {name} | {tally.injected} | {tally.lost} | {tally.duplicated} | {tally.left} |"


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()
