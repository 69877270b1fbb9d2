"""Owns how what was stored is written into a context: on one line, bounded, and such that it stays an item of it."""

from __future__ import annotations

from datetime import UTC, datetime

from watcher.privacy import plain
from watcher.recall.units import units

_JOINERS = "\u200c\u200d\ufe0e\ufe0f"


def one_line(text: str) -> str:
    """Return a text without breaks and what cannot be seen; a tag in it neither opens nor closes one around it."""
    return plain.without_tags(plain.one_line(text))


def cut(text: str, most: int) -> str:
    """Return a text on one line, of at most `most` UTF-16 units: cut at the end of a word where it is too long."""
    line = one_line(text)
    return line if units(line) <= most else shortened(line, most)


def shortened(line: str, most: int) -> str:
    """Return the beginning of a line, with an ellipsis in at most `most` UTF-16 units."""
    kept = line.encode("utf-16-le")[: 2 * max(0, most - 1)].decode("utf-16-le", "ignore")
    end = kept.rfind(" ")
    # Some scripts have no spaces, and a long path is one word.
    if end > len(kept) // 2 and not line.startswith(kept + " "):
        kept = kept[:end]
    return kept.rstrip(_JOINERS + " ,;:(-–—→") + "…"


def when(epoch: int) -> str:
    """Return a time in UTC: whose zone the next reader lives in is not known when this is written."""
    return datetime.fromtimestamp(epoch / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def file_names(paths: tuple[str, ...], title: str, most: int = 2) -> str:
    """Return what some files are called, in brackets; those that the title names stand there already."""
    names = [cut(path.replace("\\", "/").rsplit("/", 1)[-1], 60) for path in paths]
    names = [name for name in dict.fromkeys(names) if name not in title]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return f" ({', '.join(names[:most] + more)})" if names else ""
