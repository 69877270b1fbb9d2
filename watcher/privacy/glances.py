"""Owns telling at a glance that no secret follows a word that is in every text about programs: `token`, `_key`.

Nine of ten of them are done with here, in less than a microsecond each; only at the others the patterns of
`assignments` are tried. Of a place where those find something it never says so: `tests/privacy/test_glances.py`.
"""

from __future__ import annotations

import re

from watcher.privacy.syntax import BEFORE_A_LISTED, VERBS

NOISY = ("token", "secret", "credential", "_key", "-key", "_auth", "auth_")  # anchors

# All patterns are of a text as ASCII, in lower case: a "?" may be any letter, digit or space that is not ASCII.
_PASSWORDS = (b"pass", b"pwd", b"pswd", b"securestr")
_WEAK = (b"token", b"_key", b"-key")  # of these a secret has digits, unless the name says more
_STRONG = (b"secret", b"credential", b"api", b"access", b"private", b"master", b"account", b"encrypt", b"sign", b"auth")
_TELLING = _PASSWORDS + _STRONG
_LINKED = frozenset(bytes((one,)) for one in b"-_.abcdefghijklmnopqrstuvwxyz0123456789")
_BEFORE = tuple(sign.lower().encode() for sign in (*VERBS, *BEFORE_A_LISTED))

# Before 3.11.5, Python takes for matched what a possessive group has only begun to match (gh-106052): so `++` stands
# behind single letters alone here.
_QUOTE = r"\\{0,7}[\"'`]"
_ENDS = r"(?=[\s<>;|\"'`\\&\x1b]|\Z)(?!(?<=[brfu])[\"'`\\&])"  # of a value without quotes, and of no prefix of a string
_LETTER = r"(?:[\w.:,/)\[\]{}-]|\((?=[\w)]))"
_UNNUMBERED = r"(?:[a-z_.:,/)\[\]{}!+*=~#^-]|\((?=[a-z_)]))"
_ANNOTATED = r"\s{0,3}[a-z][\w.\[\], |&?]{0,31}="  # token: str = …


def _quoted(group: str) -> str:
    """Return a pattern of what is too short for all but a password, or of a phrase."""
    short = rf"[^\"'`\\\n]{{0,7}}+(?P={group})|[^\"'`\\\n0-9?]{{0,19}}+(?P={group})|[\w.,:-]{{1,40}}+ \w"
    return rf"(?P<{group}>{_QUOTE})(?!(?P={group}){{2}})(?:{short})"  # not of three, as in Python


_SET = rf"(?:={{1,3}}+(?!>)|:(?!=|{_ANNOTATED}))[ \t]{{0,12}}+"
_SLIGHT = re.compile(
    (
        r"(?P<name>[\w.-]{0,39}+)(?:"
        # in a sentence or in code, where nothing sets it
        r"(?P<idle>(?<!is)(?<!was)(?:[(/}\[;*^~#@$+\n]| (?!is |was)[a-z0-9(\[{#/*]))"
        rf"|(?=(?P<closing>(?:{_QUOTE})?))(?P=closing)\]?+\)?+[ \t]{{0,12}}+(?:"
        rf"{_SET}(?:{_quoted('q1')}|{_LETTER}{{1,7}}{_ENDS}|{_UNNUMBERED}{{1,19}}{_ENDS}|[\r\n])"
        rf"|,?+(?![ \t]{{0,4}}(?:{_QUOTE})?value)[ \t]{{0,3}}+{_quoted('q2')}"
        rf"|\([\w.:,/()\[\]{{}}-]*+(?=[\s<>;|\"'`\\&\x1b]|\Z)"
        # what is longer, and has no digit
        rf"|(?P<weak>{_SET}(?:(?P<q3>{_QUOTE})(?!(?P=q3){{2}})[^\"'`\\\n0-9?]{{0,399}}+(?P=q3)|{_UNNUMBERED}{{1,399}}{_ENDS}))"
        r"))"
    ).encode()
)


def is_idle(lowered: bytes, start: int, end: int) -> bool:
    """Say whether no secret follows the noisy word that stands there."""
    match = _SLIGHT.match(lowered, end)
    if match is None:
        return False
    before = lowered[start - 1 : start]
    is_linked = before in _LINKED
    way, name = match.lastgroup, match["name"]
    if way == "idle":
        return not is_linked and not (before and before in b" \"'" and lowered.endswith(_BEFORE, 0, start))
    if is_linked:
        around = lowered[max(0, start - 80) : start]
        name += around[max(around.rfind(b" "), around.rfind(b'"')) + 1 :]
    if way == "weak":
        return lowered[start:end] in _WEAK and not (name and any(sign in name for sign in _TELLING))
    return not (name and any(sign in name for sign in _PASSWORDS))
