"""Whatever comes in by a door: one target a door, with what has to hold whatever was made up for it.

A target is a module in `targets`: `CASES` makes cases up, `check(case, folder)` fails where something does not hold.
The suite tries some of each, the same ones every time, and every case that ever failed: those are kept in
`fixtures/crashes`. `make fuzz` tries others for as long as it is let. A target that also has `work(case)` and
`grown(case, times)` is held by that, too, to take a time that grows like the case does.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis.strategies import SearchStrategy

TARGETS = tuple(sorted(path.stem for path in (Path(__file__).parent / "targets").glob("[a-z]*.py")))
SHOWN = 1_000  # characters of a case in a message
EXAMPLES = 100  # of a target that does not say how many the suite tries


class Made:
    """A case as Hypothesis has it: written out, it is bounded, for that is done with each."""

    def __init__(self, case: Any) -> None:
        self.case = case

    def __repr__(self) -> str:
        text = ascii(self.case)
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}… {len(text)} characters"


class Target(NamedTuple):
    """One door."""

    name: str
    cases: SearchStrategy[Made]  # each a Python literal: one that fails is kept as that
    check: Callable[[Any, Path], None]  # given a case, and a folder that it may keep things in from case to case
    examples: int = EXAMPLES
    seeds: tuple[Any, ...] = ()  # cases that chance comes by too rarely
    work: Callable[[Any], object] | None = None
    grown: Callable[[Any, int], Any] | None = None


def load(name: str) -> Target:
    """Return one target by its name."""
    module = importlib.import_module(f"tests.fuzz.targets.{name}")
    found: dict[str, Any] = {
        key.lower(): getattr(module, key)
        for key in ("CASES", "EXAMPLES", "SEEDS", "check", "work", "grown")
        if hasattr(module, key)
    }
    found["cases"] = found["cases"].map(Made)
    return Target(name, **found)
