"""Owns which detectors there are, and finding what they find: all anchors in one pass, then each where one stands.

An automaton (Aho-Corasick) looks for some hundreds of literals at once, at 300 MB a second; most texts hold few, and
only there a pattern is tried. Measured on the corpus in `tests/attacks` and on installed code: detect-secrets 1.5 finds
0.91 and sees a secret in every other line (0.1 MB a second), credsweeper 1.19 finds 0.63 with 24 false alarms a MB
(0.7 MB a second), betterleaks 2.0 finds 0.44 with 2 (19 MB a second, and 55 MB of it to install). So the table is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from watcher.privacy import assignments, blocks, glances, places, sentences, variables, views
from watcher.privacy.syntax import JOIN, Span, begins_word
from watcher.privacy.tokens import TOKENS, Token

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

Find = Callable[[str, int, int], Span | None]  # of a text, and where in it an anchor stands

Way = Callable[[str], list[Span]]  # another reading of a text, and what is found in that


class Table(NamedTuple):
    """All anchors, and by the number of each what is tried there."""

    automaton: BytesAhoCorasick
    finds: tuple[tuple[tuple[bool, Find], ...], ...]  # whether it is of a token, and how it is found
    ways: dict[int, Way]  # by the number of an anchor: how a text that holds it is to be read as well
    noisy: frozenset[int]  # the numbers of anchors that are words of every text about programs


@cache
def table() -> Table:
    """Return the table; built once, when first it is needed."""
    from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

    by_anchor: dict[str, list[tuple[bool, Find]]] = {}
    for token in TOKENS:
        by_anchor.setdefault(token.anchor.lower(), []).append((True, _token(token)))
    for anchor in ("eyj",):
        by_anchor.setdefault(anchor, []).append((True, _jwt))
    for anchor in blocks.ARMOURS:
        by_anchor.setdefault(anchor, []).append((True, blocks.find_key))
    for place in places.PLACES:
        for anchor in place.anchors:
            by_anchor.setdefault(anchor, []).append((False, _place(place)))
    for anchor in assignments.KEYWORDS:
        by_anchor.setdefault(anchor, []).append((False, assignments.find))
    for anchor in sentences.ANCHORS:
        by_anchor.setdefault(anchor, []).append((False, sentences.find))
    for anchor in variables.ANCHORS:
        by_anchor.setdefault(anchor, []).append((False, variables.find))
    ways = {
        **dict.fromkeys(blocks.hidden(), _hidden),
        **dict.fromkeys(views.ENCODED, _decoded),
        **dict.fromkeys(views.ESCAPED, _unescaped),
    }
    for anchor in ways:
        by_anchor.setdefault(anchor, [])
    anchors = list(by_anchor)
    automaton = BytesAhoCorasick(
        [anchor.encode() for anchor in anchors], matchkind=MatchKind.Standard, implementation=Implementation.DFA
    )
    return Table(
        automaton,
        tuple(tuple(by_anchor[anchor]) for anchor in anchors),
        {number: ways[anchor] for number, anchor in enumerate(anchors) if anchor in ways},
        frozenset(anchors.index(anchor) for anchor in glances.NOISY),
    )


def find(text: str) -> list[Span]:
    """Return where secrets stand in a text, in order and apart."""
    spans, ways = _written(text)
    for way in ways:
        spans += way(text)
    return _apart(spans) if spans else spans


def _written(text: str) -> tuple[list[Span], set[Way]]:
    """Return the secrets that stand in a text as it is written, and in which other ways it is to be read."""
    # As ASCII, a letter is a byte: what is found in the one is where it is in the other, and nothing is counted.
    lowered = text.encode("ascii", "replace").lower()
    automaton, finds, read, noisy = table()
    spans: list[Span] = []
    ways: set[Way] = set()
    found_start = found_end = token_start = token_end = 0
    for number, start, end in automaton.find_matches_as_indexes(lowered, overlapping=True):
        if number in noisy and glances.is_idle(lowered, start, end):
            continue
        for is_token, one in finds[number]:
            # Within what was found there is nothing more to find, but that a token may reach further than a value.
            # Before it there may be: `curl` finds what stands behind its options, and in those are others.
            is_within = token_start <= start < token_end if is_token else found_start <= start < found_end
            if not is_within and (span := one(text, start, end)):
                spans.append(span)
                if span.end > found_end:
                    found_start, found_end = span.start, span.end
                if is_token and span.end > token_end:
                    token_start, token_end = span.start, span.end
        if number in read:
            ways.add(read[number])
    if _hidden not in ways and blocks.has_long_run(lowered):
        ways.add(_hidden)
    return spans, ways


def _hidden(text: str) -> list[Span]:
    return [Span(start, end, "base64") for start, end, said in blocks.runs(text) if _written(said)[0]]


def _decoded(text: str) -> list[Span]:
    return _in_view(views.decoded(text))


def _unescaped(text: str) -> list[Span]:
    return _in_view(views.unescaped(text))


def _in_view(view: views.View) -> list[Span]:
    found, ways = _written(view.text)
    found += _hidden(view.text) if _hidden in ways else []
    return [Span(view.origin(one.start, is_end=False), view.origin(one.end, is_end=True), one.kind) for one in found]


def _apart(spans: list[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one: of the kind that says most."""
    spans.sort(key=lambda span: (span.start, -span.end))
    found: list[Span] = []
    for span in spans:
        if found and span.start < found[-1].end:
            last = found[-1]
            kind = min(last.kind, span.kind, key=_vagueness)
            found[-1] = Span(last.start, max(last.end, span.end), kind)
        else:
            found.append(span)
    return found


_VAGUE = (
    "base64",
    "key",
    "secret",
    "token",
    "api-key",
    "password",
    "authorization",
    "bearer-token",
    "url-token",
    "cookie",
)


def _vagueness(kind: str) -> int:
    return len(_VAGUE) - _VAGUE.index(kind) if kind in _VAGUE else 0


def _token(token: Token) -> Find:
    patterns: tuple[re.Pattern[str], re.Pattern[str]] | None = None  # compiled when first needed: there are hundreds

    def find(text: str, start: int, _end: int) -> Span | None:
        nonlocal patterns
        if token.is_word and not begins_word(text, start):
            return None
        if patterns is None:
            patterns = _compiled(token)
        before, pattern = patterns
        match = pattern.match(text, start)
        lead = before.search(text, max(0, start - _REACH), start) if match and token.lead else None
        if match is None or (token.lead and lead is None) or "EXAMPLE" in match.group():  # as in AWS's own pages
            return None
        return Span(lead.start() if lead else start, match.end(), token.kind)

    return find


_REACH = 200  # characters before an anchor


def _compiled(token: Token) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the patterns of what precedes an anchor, and of all from there on."""
    letter = f"[{token.body}]"
    if "+" in token.body or "=" in token.body or "/" in token.body:
        letter = rf"(?:{letter}|%2[BbFf]|%3[Dd]|\\/)"
    tail = token.tail or (r"(?![A-Za-z0-9])" if token.is_word else "")
    body = rf"(?:(?:{JOIN})?{letter}){{{token.least},{token.most}}}"
    lead = token.lead.replace("{J}", f"(?:{JOIN})?")
    return re.compile(rf"(?:{lead})\Z"), re.compile(f"{re.escape(token.anchor)}{body}{tail}")


_JWT = re.compile(
    rf"eyJ(?:(?:{JOIN})?[A-Za-z0-9_=-]){{10,3000}}(?:{JOIN})?(?:\.(?:(?:{JOIN})?[A-Za-z0-9_=+/-]){{4,6000}}){{1,4}}"
)


def _jwt(text: str, start: int, _end: int) -> Span | None:
    if not begins_word(text, start):
        return None
    match = _JWT.match(text, start)
    return Span(start, match.end(), "jwt") if match else None


def _place(place: places.Place) -> Find:
    pattern: re.Pattern[str] | None = None

    def find(text: str, start: int, end: int) -> Span | None:
        nonlocal pattern
        if place.kind == "authorization" and (
            (not begins_word(text, start) and text[start - 1] != "-") or text.endswith("::", 0, start)
        ):
            return None
        if pattern is None:
            pattern = re.compile(place.pattern, re.IGNORECASE)
        match = (
            pattern.search(text, max(0, start - place.lead), end + 6000) if place.lead else pattern.match(text, start)
        )
        if match is None or not places.is_one(place.kind, match["secret"]):
            return None
        return Span(*match.span("secret"), place.kind)

    return find
