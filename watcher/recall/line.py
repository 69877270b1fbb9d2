"""Owns the one line that stands for a whole session where sessions are listed: what it was about → what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST = 160  # characters
_ARROW = " → "

_FENCE = re.compile(r"(?ms)^[ \t]*```.*?(?:^[ \t]*```[ \t]*$|\Z)")
# A heading and a table go with all their words, of the others only the mark.
_MARKS = re.compile(r"(?m)^[ \t]*(?:#{1,6}[ \t].*|\|.*|[-*•+][ \t]+|\d{1,2}[.)][ \t]+|>[ \t]+)")
# An abbreviation or a file name has no space after its dot, or a small letter.
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]*`]*\s+(?=[\"'(`*]*[^a-z\s])|(?<=[。！？])\s*|\n\s*\n")
_LEAST_WORDS = 3  # "Go on" and "Yes, please" say nothing of what a session is about
_LEAST_WITHOUT_SPACES = 6  # characters of a script without spaces between words


def session_line(title: str, requests: Sequence[str], outcome: str, *, most: int = MOST) -> str:
    """Return one line of at most `most` characters for a session; empty where nothing at all is known of it.

    Args:
        title: the title that Claude Code gave it; empty where it gave none.
        requests: what was asked in it, the first first; may be prompts or the `request` fields of its summaries.
        outcome: the last thing that was completed, else learned, in it; empty where nothing was.
        most: characters, 40 at least.
    """
    what = _plain(title) or _first_worth_telling(requests)
    came_to = next(iter(_sentences(outcome)), "")
    if not what or not came_to or came_to == what:
        return _cut(what or came_to, most)
    # What is short leaves its room to the other; the outcome of a long request keeps a third.
    room = most - len(_ARROW)
    told = _cut(what.rstrip(".。: "), max(room - len(came_to), room * 2 // 3))
    return f"{told}{_ARROW}{_cut(came_to, room - len(told))}"


def _first_worth_telling(requests: Sequence[str]) -> str:
    """Return the first sentence that says what is wanted; the very first one where none says much."""
    said = [sentence for request in requests for sentence in _sentences(request)]
    return next(filter(_says_something, said), next(filter(None, [*said, *map(_plain, requests)]), ""))


def _says_something(text: str) -> bool:
    words = text.split()
    if text.startswith("/") or not words:
        return False
    has_spaces = text.isascii() or len(words) > 1
    return len(words) >= _LEAST_WORDS if has_spaces else len(text) >= _LEAST_WITHOUT_SPACES


def _sentences(text: str) -> list[str]:
    """Return what a text says, sentence by sentence, without code blocks, headings, tables and Markdown's marks."""
    prose = _MARKS.sub("\n\n", _FENCE.sub("\n\n", text)).replace("**", "")
    return [plain for part in _SENTENCE_END.split(prose) if (plain := _plain(part))]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
