"""Owns how long a text is to Claude Code."""

from __future__ import annotations


def units(text: str) -> int:
    """Return a text's length as Claude Code counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
