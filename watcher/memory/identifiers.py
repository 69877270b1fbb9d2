"""Owns taking identifiers apart, so that getUserName is found by "user name", and TS2345 by 2345.

FTS5's tokenizer already parts words at every mark, so snake_case, paths and dotted names need nothing. What it cannot
see is where capitals and digits begin. So whoever writes a row stores the parts of such identifiers beside it, in a
column that the index reads like any other: a trigger that called a function of Python's could not be run by any other
SQLite client, and one in SQL alone would go through every text letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LENGTH = 200  # characters of an identifier at most: longer ones are data
SIZE = 20_000  # characters that are kept of a row
BORDERS = 2  # between letters and digits in one word at most: where there are more it is a hash

_UPPER, _LOWER = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"
_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(f"[{_UPPER}]+(?![{_LOWER}])|[{_UPPER}]?[{_LOWER}]+|[0-9]+|[^{_UPPER}{_LOWER}0-9]+")
_BORDER = re.compile(
    f"[{_LOWER}][{_UPPER}]|[{_UPPER}][{_UPPER}][{_LOWER}]|[0-9][{_UPPER}{_LOWER}]|[{_UPPER}{_LOWER}][0-9]"
)
_DIGITS = re.compile(r"[0-9]+")


def parts(text: str) -> str:
    """Return an identifier or path as its parts, with spaces between; empty where FTS5 parts it by itself."""
    if len(text) > LENGTH or not _BORDER.search(text):
        return ""
    words = _WORD.findall(text)
    taken_apart = [" ".join(_parts_of_word(word)) for word in words]
    return " ".join(taken_apart) if taken_apart != words else ""


def all_parts(texts: Iterable[str]) -> str:
    """Return the parts of all identifiers in some texts, one a line, each once."""
    found = dict.fromkeys(line for text in texts for chunk in text.split() if (line := parts(chunk)))
    return "\n".join(found)[:SIZE]


def _parts_of_word(word: str) -> list[str]:
    runs = len(_DIGITS.findall(word))
    borders = 2 * runs - word[:1].isdecimal() - word[-1:].isdecimal()
    return [word] if borders > BORDERS else _PART.findall(word)
