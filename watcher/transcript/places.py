"""Owns finding the line of a transcript in which an entry stands: for a human who wants to read on there."""

from __future__ import annotations

import mmap
from pathlib import Path

_CHUNK = 1 << 24  # bytes whose newlines are counted at once


def of_subagent(path: Path, agent_id: str) -> Path:
    """Return the transcript of a session's subagent: Claude Code keeps it in a folder beside the session's own."""
    return path.with_suffix("") / "subagents" / f"agent-{agent_id}.jsonl"


def lines(path: Path, ids: list[str]) -> dict[str, int]:
    """Return the number (from 1) of the first line in which each id stands as a JSON text, of those that are found.

    That line is the entry itself: a result, and whatever else names the id, is written after it. Bounded in memory,
    however large the file is; one that cannot be read, or is gone, holds none.
    """
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                return {}
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                at = {one: whole.find(b'"' + one.encode() + b'"') for one in ids}
                return _numbers(whole, {one: offset for one, offset in at.items() if offset >= 0})
    except OSError:
        return {}


def _numbers(whole: mmap.mmap, at: dict[str, int]) -> dict[str, int]:
    """Return the numbers of the lines at some offsets."""
    numbers: dict[str, int] = {}
    line, reached = 1, 0
    for one, offset in sorted(at.items(), key=lambda found: found[1]):
        while reached < offset:
            end = min(offset, reached + _CHUNK)
            line += whole[reached:end].count(b"\n")
            reached = end
        numbers[one] = line
    return numbers
