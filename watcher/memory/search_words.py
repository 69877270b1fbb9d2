"""Owns what was typed to be looked for, and how that is said to FTS5, so that no character of it is an operator."""

from __future__ import annotations

import re
from typing import NamedTuple

from watcher.memory.identifiers import parts
from watcher.memory.search_filters import clean

WORDS = 32  # looked for at most
PREFIX_BYTES = 3  # of the last word, so that it stands for all that begin so: shorter ones stand for too many
_TERM = re.compile(r'"([^"]+)"(\*?)|([^\s"]+)')  # a quotation mark without another is none


class Term(NamedTuple):
    """One word, or words that must stand side by side."""

    text: str
    is_prefix: bool  # its last word is only how that begins

    @property
    def query(self) -> str:
        """It as FTS5 is to look for it: a string in which nothing has a meaning of its own."""
        return _quoted(self.text, is_prefix=self.is_prefix)

    @property
    def query_apart(self) -> str:
        """It taken apart, as `search_index` has the parts of identifiers too."""
        return _quoted(parts(self.text) or self.text, is_prefix=self.is_prefix)


def terms(text: str) -> list[Term]:
    """Return what is to be looked for: words, "words side by side", and beginnings*.

    The last word stands for all that begin so, unless it is short or in quotation marks.
    """
    found = [_term(phrase, star, word) for phrase, star, word in _TERM.findall(clean(text))[:WORDS]]
    if found and text.rstrip()[-1:] != '"' and len(found[-1].text.encode()) >= PREFIX_BYTES:
        found[-1] = found[-1]._replace(is_prefix=True)
    return found


def all_of(wanted: list[Term]) -> str:
    """Return the query for rows in which all of it stands: identifiers whole, or taken apart."""
    whole = " ".join(term.query for term in wanted)
    apart = " ".join(term.query_apart for term in wanted)
    return f"({whole}) OR ({apart})" if apart != whole else whole


def _term(phrase: str, star: str, word: str) -> Term:
    if phrase:
        return Term(phrase, bool(star))
    beginning = word.rstrip("*")
    return Term(beginning or word, bool(beginning) and beginning != word)


def _quoted(text: str, *, is_prefix: bool) -> str:
    return '"{}"'.format(text.replace('"', '""')) + (" *" if is_prefix else "")
