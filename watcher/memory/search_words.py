"""Owns what was typed to be looked for, and how that is said to FTS5, so that no character of it is an operator."""

from __future__ import annotations

import re
from typing import NamedTuple

from watcher.memory.identifiers import parts
from watcher.memory.search_filters import clean

WORDS = 32  # looked for at most
PREFIX_BYTES = 3  # of the last word, so that it stands for all that begin so: shorter ones stand for too many
ALTERNATIVES = 12  # of which some must stand in a row, where no row has all
_TERM = re.compile(r'"([^"]+)"(\*?)|([^\s"]+)')  # a quotation mark without another is none
_PLAIN = re.compile(r"[a-z]{4,}|[A-Z][a-z]{3,}")
# Words that stand in nearly every text, of a question as much as of what is remembered.
_FILLING = frozenset(
    "a about an and are as at be been by can could did do does for from get had has have how i in is it its me my no "  # noqa: SIM905
    "not of on or our out so than that the their them then there these this those to too us was we were what when "
    "where which who whom whose why will with would you your".split()
)


class Term(NamedTuple):
    """One word, or words that must stand side by side."""

    text: str
    is_prefix: bool = False  # its last word is only how that begins
    is_exact: bool = False  # in quotation marks

    @property
    def query(self) -> str:
        """It as FTS5 is to look for it: a string in which nothing has a meaning of its own."""
        return _quoted(self.text, is_prefix=self.is_prefix)

    @property
    def query_apart(self) -> str:
        """It taken apart, as the index has the parts of identifiers too; of a plain word, all that begin like it."""
        if self.is_exact:
            return self.query
        if _PLAIN.fullmatch(self.text):
            return _quoted(_singular(self.text), is_prefix=True)
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
    """Return the query for rows in which all of it stands: as it was typed, which counts more, or alike."""
    whole = " ".join(term.query for term in wanted)
    apart = " ".join(term.query_apart for term in wanted)
    return f"({whole}) OR ({apart})" if apart != whole else whole


def any_of(wanted: list[Term]) -> list[str]:
    """Return a query for each of the words, to find rows in which some stand; not for those that say nothing."""
    telling = [term for term in wanted if term.text.lower() not in _FILLING] or wanted
    return list(dict.fromkeys(all_of([term]) for term in telling))[:ALTERNATIVES]


def _term(phrase: str, star: str, word: str) -> Term:
    if phrase:
        return Term(phrase, is_prefix=bool(star), is_exact=True)
    beginning = word.rstrip("*")
    return Term(beginning or word, bool(beginning) and beginning != word)


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _quoted(text: str, *, is_prefix: bool) -> str:
    return '"{}"'.format(text.replace('"', '""')) + (" *" if is_prefix else "")
