"""Owns reading a line too long to hold: the same JSON in bounded memory, with the middle of its long strings left out.

A tool that writes or prints 100 MB makes a line of more than that; what a memory needs of it, its ids, its names, how
its texts begin and end, is all still there afterwards. What is no JSON stays none, and is found broken later.
"""

from __future__ import annotations

import re

KEEP = 16 << 10  # bytes kept of either end of a long string
LIMIT = 4 << 20  # bytes made of a line: one of millions of short strings is cut off there, and so is broken
# Bytes looked at in one go: a pattern remembers each escape it has passed, at 70 bytes. It could be told not to, but
# what tells it so goes wrong in Python before 3.11.5.
BLOCK = 64 << 10
TORN = 12  # bytes, of the longest character: two escapes

_INSIDE = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)  # of a string, up to its end or to half an escape
_WHOLE = re.compile(rb"[^\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u]|u(?=.{4}))[^\\]*)*", re.DOTALL)  # up to half an escape

_SHORT = re.compile(rb'(?:[^"\0]*"[^"\\]{0,1000}")+')  # short strings and what is before each, all at once
_LEFT_OUT = re.compile(r"\n\[… \d+ bytes left out …\]\n")  # what stands in a string instead, once it is decoded
_SECOND_HALF = re.compile(rb"\\u[dD][c-fC-F]")  # of a character that is escaped in two halves


def beginning(text: str) -> str:
    """Return a text of a shortened line up to where something was left out, which may be what the rest is about."""
    left_out = _LEFT_OUT.search(text)
    return text[: left_out.end()] if left_out else text


class Shortened:
    """A line that is fed in pieces, none of which holds a newline."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._unread = b""  # of a string, at the end of a piece
        self._string: _Ends | None = None  # the string that the next piece goes on with

    def feed(self, piece: bytes) -> None:
        """Take the next piece in."""
        for start in range(0, len(piece), BLOCK):
            data = self._unread + piece[start : start + BLOCK]
            self._unread = b""
            at = 0
            while at < len(data) and self._size < LIMIT:
                at = self._outside(data, at) if self._string is None else self._inside(data, at, self._string)

    def line(self) -> bytes:
        """Return what was made of the line."""
        rest = self._string.text() if self._string is not None else b""
        return b"".join([*self._parts, rest, self._unread])[:LIMIT]

    def _outside(self, data: bytes, at: int) -> int:
        """Take what stands between two long strings; return where that ends."""
        if found := _SHORT.match(data, at):
            self._put(found[0])
            return found.end()
        end = data.find(b'"', at) + 1 or len(data)
        # A NUL is never JSON here: a writer that went on at its old offset leaves a hole of them.
        self._put(data[at:end].replace(b"\0", b""))
        if data[end - 1 : end] == b'"':
            self._string = _Ends()
        return end

    def _inside(self, data: bytes, at: int, string: _Ends) -> int:
        """Take what there is of a string; return where that ends."""
        found = _INSIDE.match(data, at)
        end = found.end() if found else at
        if data[end : end + 1] != b'"':  # what may be half an escape or a character waits for the next piece
            end = at + _boundary(data[at:], len(data) - at - TORN)
            string.add(data[at:end])
            self._unread = data[end:]
            return len(data)
        string.add(data[at:end])
        self._put(string.text() + b'"')
        self._string = None
        return end + 1

    def _put(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)


class _Ends:
    """The two ends of a string. Neither is cut within an escape or a character."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""
        self._length = 0

    def add(self, text: bytes) -> None:
        """Take the next part of the string in."""
        self._length += len(text)
        if not self._tail:
            cut = _boundary(text, KEEP - len(self._head))
            self._head += text[:cut]
            text = text[cut:]
        self._tail += text
        if len(self._tail) > KEEP:
            self._tail = self._tail[_boundary(self._tail, len(self._tail) - KEEP) :]

    def text(self) -> bytes:
        """Return both ends, and between them how much was left out, where something was."""
        left_out = self._length - len(self._head) - len(self._tail)
        between = rb"\n[\u2026 %d bytes left out \u2026]\n" % left_out if left_out else b""
        return self._head + between + self._tail


def _boundary(text: bytes, most: int) -> int:
    """Return where, at `most` or a few bytes before it, a string can be cut."""
    found = _WHOLE.match(text, 0, max(0, most))
    cut = found.end() if found else 0
    if _SECOND_HALF.match(text, cut):
        cut -= 6
    for _ in range(3):  # bytes that go on a character of UTF-8
        if 0 < cut < len(text) and text[cut] & 0xC0 == 0x80:
            cut -= 1
    return cut
