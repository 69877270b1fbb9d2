"""Owns how much of each text a request shows: its room in bytes, shared by weight, and texts cut to their shares.

Sizes are those in the body that is sent: UTF-8 in a JSON string, with what was observed escaped (see `escape`). So a
request has its bound whatever stands in the texts: a tool's output may be all quotes, or all emoji.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from watcher.privacy.plain import plain
from watcher.privacy.redaction import redact

GAP = " […] "
LEAST = 24  # bytes; less than this says nothing


@dataclass(frozen=True, slots=True)
class Want:
    """A text that wants room."""

    size: int  # bytes, of all of it
    weight: float  # how much it counts beside others


def escape(text: str) -> str:
    """Return observed text such that it can stand inside an element."""
    # A ">" alone closes nothing, and code is full of them.
    return plain(text).replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")


def size(text: str) -> int:
    """Return how many bytes a text has in a request's body."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - 2


def shares(wants: Sequence[Want], room: int) -> list[int]:
    """Return how many bytes each may have for all to fit: small ones get what they want, large ones share the rest."""
    given = [want.size for want in wants]
    left, weight = float(max(0, room)), sum(want.weight for want in wants)
    order = sorted(range(len(wants)), key=lambda index: wants[index].size / wants[index].weight)
    for position, index in enumerate(order):
        level = left / weight
        if wants[index].size > level * wants[index].weight:
            for other in order[position:]:
                given[other] = int(level * wants[other].weight)
            break
        left -= wants[index].size
        weight -= wants[index].weight
    return given


def cut(text: str, most: int, *, head: float = 2 / 3) -> str:
    """Return a text escaped, and cut in its middle to `most` bytes; `head` is how much of that goes to its beginning.

    What something is stands at the start, how it ended at the end. Nothing is returned where nothing can be told.
    """
    if (seen := plain(text)) != text:
        text = redact(seen)  # what an older version has kept may hold a secret that was parted so
    # No character takes less than a byte.
    if len(text) <= most and size(whole := escape(text)) <= most:
        return whole
    if most < LEAST:
        return ""
    room = most - size(GAP)
    first = _fitting(text, round(room * head), from_end=False)
    last = _fitting(text, room - round(room * head), from_end=True)
    return f"{escape(text[:first])}{GAP}{escape(text[len(text) - last :])}"


def _fitting(text: str, most: int, *, from_end: bool) -> int:
    """Return how many of a text's first, or last, characters have room in so many bytes."""
    low, high = 0, min(most, len(text))
    while low < high:
        middle = (low + high + 1) // 2
        part = text[len(text) - middle :] if from_end else text[:middle]
        low, high = (middle, high) if size(escape(part)) <= most else (low, middle - 1)
    return low
