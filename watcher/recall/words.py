"""Owns the comparing of short texts by their words, without a model: whether one says what another says.

Case, accents and the commonest endings (English, German) make no difference. What names something counts most:
identifiers, file names, versions. Where a script has no spaces, each pair of characters is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

_NAME_WEIGHT, _WORD_WEIGHT = 3, 1
_ALIKE = 0.75  # of the words of two texts, so that they say the same

_ACCENTS = re.compile("[\u0300-\u036f\u3099\u309a]")
_TOKEN = re.compile(r"\w(?:[\w./\\]*\w)?")
_IS_NAME = re.compile(r"\w[._/\\]\w|[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]")
_PIECES = re.compile(r"[._/\\]+|(?<=[a-z\d])(?=[A-Z])")
_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+")
# Prefixes after which German puts "ge" or "zu": eingebaut and einzubauen are einbauen.
_INNER = re.compile(r"^(ab|an|auf|aus|durch|ein|fest|her|hinzu|los|mit|nach|uber|um|vor|weg|zu)(?:ge|zu)(?=\w{3})")
_GE = re.compile(r"^ge(?=\w{4,}(?:t|en)$)")
_ENDING = re.compile(r"(?<=\w{4})(?:ungen|ung|ten|tet|te|en|er|e|t)$|(?<=\w{3})(?:ing|ed|es|s)$")
# Words that name nothing, as they stand here without case and accents: English, German, some of others.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """
        about after again all also and any are been before but can could did does done for from had has have how
        into its just make more must need needs next not now only our out over should some step steps still such
        than that the their them then there this until use uses want was way when where which while will with
        would you your
        aus bei das dem den der des die dies ein eine einem einen einer etwas fur ich ist jetzt mit muss mussen
        nach nachste nachsten nachster nicht noch oder sei sich sie sind sobald soll sollen sollte und vom von
        vor werden wird zum zur
        avec con dans las les los para por pour que una une
        """,
    )
)


@lru_cache(maxsize=512)  # a project's texts are compared anew with each turn
def words(text: str) -> Mapping[str, int]:
    """Return the words that say something, in a form that can be compared, each with its weight."""
    plain = text if text.isascii() else _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    found: dict[str, int] = {}
    for token in _TOKEN.findall(plain):
        if _IS_NAME.search(token):
            found[re.split(r"[/\\]", token)[-1].casefold()] = _NAME_WEIGHT
            continue
        if run := _NO_SPACES.search(token):
            pairs = run[0]
            found.update(dict.fromkeys((pairs[n : n + 2] for n in range(max(1, len(pairs) - 1))), _WORD_WEIGHT))
            continue
        word = token.casefold()
        if word.isdigit():
            found[word] = _NAME_WEIGHT
        elif len(word) > 2 and word not in _STOP:
            found[_stem(word)] = _WORD_WEIGHT
    return found


@lru_cache(maxsize=512)
def evidence(text: str) -> frozenset[str]:
    """Return the words of a text and of the names in it: who speaks of `parser.py` speaks of the parser."""
    plain = text if text.isascii() else _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    names = (token for token in _TOKEN.findall(plain) if _IS_NAME.search(token))
    pieces = {piece for name in names for piece in _pieces(name)}
    return frozenset(words(text)) | pieces


def covered(text: str, by: str) -> float:
    """Return how much of what a text names stands in another, from 0 to 1.

    None of it does where it has names or numbers, and the other has none of these.
    """
    wanted, there = words(text), evidence(by)
    found = {word: weight for word, weight in wanted.items() if word in there or _is_spelt_out(word, weight, there)}
    if _NAME_WEIGHT in wanted.values() and _NAME_WEIGHT not in found.values():
        return 0.0
    return sum(found.values()) / sum(wanted.values()) if wanted else 0.0


def alike(one: str, other: str) -> bool:
    """Say whether two titles say the same; a name or a number in only one of them makes them two things."""
    if one == other:
        return True
    mine, theirs = words(one), words(other)
    shared = len(mine.keys() & theirs.keys())
    if not shared or shared < _ALIKE * (len(mine) + len(theirs) - shared):
        return False
    return all(_NAME_WEIGHT not in (mine.get(word), theirs.get(word)) for word in mine.keys() ^ theirs.keys())


def _pieces(name: str) -> set[str]:
    """Return the words that a name is made of."""
    return {_stem(piece.casefold()) for piece in _PIECES.split(name) if len(piece) > 2}


def _is_spelt_out(word: str, weight: int, there: frozenset[str]) -> bool:
    """Say whether a name of several words is there as words: `retry_limit` as the limit of a retry."""
    return weight == _NAME_WEIGHT and len(pieces := _pieces(word)) > 1 and pieces <= there


def _stem(word: str) -> str:
    word = _GE.sub("", _INNER.sub(r"\1", word))
    while (shorter := _ENDING.sub("", word)) != word:
        word = shorter
    return word
