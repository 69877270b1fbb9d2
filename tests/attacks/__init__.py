"""Attacks on the memory, and secrets that must not get into it: what was tried, and what got through.

Each module here holds attacks of some kinds, and says what came of them as `outcomes(folder)`. `make attacks` prints
them all as one table; `test_attacks` holds that nothing gets through that is not named with its reason.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.attacks.outcome import Outcome

MODULES: tuple[str, ...] = ("secrets", "private", "hook_texts", "doors", "hostile", "forget")


def load(name: str) -> Callable[[Path], Iterable[Outcome]]:
    """Return what tries the attacks of one module, in an empty folder that it may use."""
    outcomes: Callable[[Path], Iterable[Outcome]] = importlib.import_module(f"tests.attacks.{name}").outcomes
    return outcomes
