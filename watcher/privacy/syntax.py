"""Owns how texts are written around a secret: quotes, gaps and line ends, plain or escaped once or more.

A secret in a transcript stands in JSON, in JSON in JSON, in a shell's quotes, in a URL or HTML, in colours. Instead of
undoing all that, the patterns of this folder are made of pieces that know it. Every repetition in them is bounded.
"""

from __future__ import annotations

import re
from typing import NamedTuple

COLOUR = r"(?:\x1b|\\{1,4}u001[bB]|\\{1,4}x1[bB]|\\{1,4}033|%1[bB])(?:\[|%5[bB])[0-9;]{0,12}(?:%3[bB]\d)?[mK]"
QUOTE = r"(?:\\{0,7}[\"'`]|&(?:quot|#x27|#39|apos);|%2[27])"
GAP = rf"(?:[ \t]|%20|%09|\\{{1,7}}t|&nbsp;|{COLOUR})"
NEWLINE = r"(?:\r?\n|\\{1,7}r\\{1,7}n|\\{1,7}n|(?:%0D)?%0A)"
# What tools write before each line: its number, where it stands, a mark of a diff, the name of a container, a time.
LINE = (
    r"(?:[^\n\"'=]{1,60}(?: - | \| )|[^\s\"'=]{1,80}:\d{1,6}:"
    r"|[ \t]{0,8}\d{1,6}(?:→|\\{1,4}u2192|%E2%86%92|\t|\\{1,4}t|%09|[:|-])"
    r"|[+>-]|&gt;|%2B|%3E)"
)
# A line end that a backslash hides.
CONTINUED = r"(?<!\\)(?:\\\r?\n|\\{3}(?:r\\)?n|\\{6}(?:r\\\\)?n|\\{12}(?:r\\{4})?n|%5C(?:%0D)?%0A)"
# Where a text goes on: in the next string literal, or behind the line end that a backslash hides.
JOIN = (
    rf"(?:{QUOTE}{GAP}{{0,4}}(?:[+.]|%2B)?{GAP}{{0,4}}(?:{NEWLINE}{LINE}?{GAP}{{0,12}}(?:(?:[+.]|%2B){GAP}{{0,4}})?)?{QUOTE}"
    rf"|{CONTINUED}{LINE}?{GAP}{{0,12}})"
)

# Before a name and a gap, or before a name whose value stands in the next line.
VERBS = ("set ", "setx ", "ENV ", "ARG ", "setenv ", "config:set ", "-gx ", "-x ", "-Ux ", "-xg ")
BEFORE_A_LISTED = ("name: ", 'name: "', "name: '")

# What may stand before a word and yet ends in a letter or a digit: an escape, a colour.
_BEFORE_A_WORD = re.compile(rf"(?:\\[nrtbfv0]|%[0-9A-Fa-f]{{2}}|\\u[0-9a-fA-F]{{4}}|\\x[0-9a-fA-F]{{2}}|{COLOUR})\Z")


class Span(NamedTuple):
    """Where a secret stands in a text, and which."""

    start: int
    end: int
    kind: str


def begins_word(text: str, at: int) -> bool:
    """Say whether what stands somewhere is no part of the word before it."""
    if at == 0:
        return True
    before = text[at - 1]
    if not before.isascii() or not (before.isalnum() or before in "_-"):
        return True
    if before == "-" and (at == 1 or text[at - 2] in "\r\n" or text[at - 3 : at - 1] == "\\n"):
        return True  # a line that a diff takes away
    if before in "_-" or (before not in "mK" and "\\" not in (near := text[max(0, at - 6) : at]) and "%" not in near):
        return False  # most words: no escape ends there, nor a colour
    return _BEFORE_A_WORD.search(text, max(0, at - 20), at) is not None
