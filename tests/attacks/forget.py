"""What was forgotten, on every way on which it might come back: no byte of it is to be in the memory then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.attacks.outcome import Outcome
from tests.service.forgotten_world import WAYS, WHATS, made, thinking


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Try each way one after the other in a memory in which something was forgotten."""
    through: dict[str, list[str]] = {way: [] for way in WAYS}
    for number, (what, (ids, wanted, word, left)) in enumerate(WHATS.items()):
        world = made(folder / str(number))
        world.forget(*ids, **wanted)
        for way, take in WAYS.items():
            take(world)
            if world.leaks(word):
                through[way].append(f"{what}: {', '.join(world.leaks(word))}")
            if tuple(world.prompts()) != left:
                through[way].append(f"{what}: {world.prompts()} is left, not {list(left)}")
        world.close()
    for way, found in through.items():
        yield Outcome(f"forgotten, then {way}", len(WHATS), tuple(found))
    # No observation is there yet that could be named.
    named = {what: one for what, one in WHATS.items() if what != "an observation"}
    late = []
    for number, (what, (ids, wanted, word, left)) in enumerate(named.items()):
        world = thinking(folder / f"late-{number}", *ids, **wanted)
        world.take_in()
        if world.leaks(word) or tuple(world.prompts()) != left:
            late.append(f"{what}: {', '.join(world.leaks(word))}; {world.prompts()} is left")
        world.close()
    yield Outcome("forgotten while the agent thought about it", len(named), tuple(late))
