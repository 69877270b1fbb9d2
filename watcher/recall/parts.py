"""Owns how a context's room is shared by its parts: a share that is sure, and what others leave over.

Each part is sure of its share of the room, however much the others have to say. What a part does not need goes to the
others, in their order. Only whole items are taken, the first ones first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watcher.recall.lines import shortened
from watcher.recall.units import units

LEAST = 60  # UTF-16 units: less of an item says nothing


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a context: its items in the order of their worth, told at full length, and shorter and shorter."""

    name: str
    weight: int  # of its share beside the others
    heading: str
    lengths: tuple[tuple[str, ...], ...]

    @property
    def claimed(self) -> int:
        """UTF-16 units of all it has to say."""
        return _cost(self.heading, self.lengths[0])


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a part. All numbers are UTF-16 units."""

    name: str
    claimed: int
    share: int  # what it is sure of
    given: int  # what it could have had
    used: int
    heading: str
    shown: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def text(self) -> str:
        """The part as it stands in the context, with the breaks before it; empty where nothing is shown."""
        return "\n\n" + "\n".join((self.heading, *self.shown)) if self.shown else ""


def share_out(parts: Sequence[Part], room: int) -> list[Filled]:
    """Fill so many UTF-16 units."""
    room = max(0, room)
    whole = sum(part.weight for part in parts)
    shares = [room * part.weight // whole for part in parts]
    held = [min(part.claimed, share) for part, share in zip(parts, shares, strict=True)]
    filled: dict[int, Filled] = {}
    # Twice, as what a later part leaves over may be of use to one before it.
    for number, part in [*enumerate(parts)] * 2:
        given = min(part.claimed, held[number] + room - sum(held))
        before = filled[number].given if number in filled else 0
        filled[number] = replace(_fill(part, shares[number], given), given=max(given, before))
        held[number] = filled[number].used
    return [filled[number] for number in range(len(parts))]


def _fill(part: Part, share: int, given: int) -> Filled:
    items = next((items for items in part.lengths if _cost(part.heading, items) <= given), part.lengths[-1])
    count = len(items)
    while count and _cost(part.heading, items[:count]) > given:
        count -= 1
    shown, left_out = items[:count], items[count:]
    room = given - _cost(part.heading, ()) - 1
    if not count and items and room >= LEAST:
        shown, left_out = (shortened(items[0], room),), items[1:]
    used = _cost(part.heading, shown) if shown else 0
    return Filled(part.name, part.claimed, share, given, used, part.heading, shown, left_out)


def _cost(heading: str, items: Sequence[str]) -> int:
    """Return what a part with these items takes, with the two breaks before its heading."""
    return 2 + units(heading) + sum(1 + units(item) for item in items) if items else units(heading) + 2
