"""Owns other readings of a text: URL-encoded and escaped for HTML, with the way back from each letter to its place.

Escapes of strings are known to the patterns themselves, as every second text holds some; these are rare enough to be
undone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2}){1,400}")
_ESCAPED = re.compile(r"&(?:quot|apos|amp|lt|gt|nbsp|#\d{1,4}|#x[0-9a-fA-F]{1,4});")
ENCODED = ("%20", "%22", "%27", "%3d", "%3a", "%3c", "%7b", "%24")  # of which one makes that reading worth its while
ESCAPED = ("&quot;", "&#39;", "&#x27;", "&#34;", "&gt;", "&amp;")


class View(NamedTuple):
    """A text as it reads without its escapes."""

    text: str
    pieces: tuple[tuple[int, int, int], ...]  # where each begins there, where here, and by how much it is longer here

    def origin(self, at: int, *, is_end: bool) -> int:
        """Return where in the written text a place of this one is; what is escaped belongs to a span as a whole."""
        there = 0
        for begin, written, length in self.pieces:
            if at < begin or (at == begin and not is_end):
                break
            there = written + (at - begin if not length else length if at > begin else 0)
        return there


def decoded(text: str) -> View:
    """Return how a text reads that is URL-encoded, or a part of which is."""
    return _undone(text, _ENCODED, unquote)


def unescaped(text: str) -> View:
    """Return how a text reads that is escaped for HTML, or a part of which is."""
    return _undone(text, _ESCAPED, html.unescape)


def _undone(text: str, escape: re.Pattern[str], undo: Callable[[str], str]) -> View:
    pieces = []
    said: list[str] = []
    here = at = 0
    for match in escape.finditer(text):
        if match.start() > at:
            pieces.append((here, at, 0))
            said.append(text[at : match.start()])
            here += match.start() - at
        letters = undo(match.group())
        pieces.append((here, match.start(), match.end() - match.start()))
        said.append(letters)
        here += len(letters)
        at = match.end()
    pieces.append((here, at, 0))
    said.append(text[at:])
    return View("".join(said), tuple(pieces))
