"""Owns telling at a glance that no secret follows a word that is in every text about programs: `token`, `_key`.

Nine of ten of them are done with here, in a microsecond each; only at the others the patterns of `assignments` are
tried. Of a place where those find something it never says so: `tests/privacy/test_glances.py`.
"""

from __future__ import annotations

import re

from watcher.privacy.syntax import BEFORE_A_LISTED, VERBS

NOISY = ("token", "secret", "credential", "_key", "-key", "_auth", "auth_")  # anchors

# All is of a text as ASCII, in lower case: a "?" may be any letter, digit or space that is not ASCII.
_PASSWORDS = (b"pass", b"pwd", b"pswd", b"securestr")
_WEAK = (b"token", b"_key", b"-key")  # of these a secret has digits, unless the name says more
_STRONG = (b"secret", b"credential", b"api", b"access", b"private", b"master", b"account", b"encrypt", b"sign", b"auth")
_TELLING = _PASSWORDS + _STRONG
_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789_-."
_LINKED = frozenset(bytes((one,)) for one in _LETTERS)
_BEFORE = tuple(sign.lower().encode() for sign in (*VERBS, *BEFORE_A_LISTED))
_BEFORE_ENDS = frozenset(sign[-3:] for sign in _BEFORE)  # sooner looked up

# Before 3.11.5, Python takes for matched what a possessive group has only begun to match (gh-106052): so `++` stands
# behind single letters alone here.
_QUOTE = r"\\{0,7}[\"'`]"
_END = r"(?=[\s<>;|\"'`\\&\x1b]|\Z)"  # of a value without quotes
_NO_PREFIX = r"(?!(?<=[brfu])[\"'`\\&])"  # of a string
_LETTER = r"(?:[\w.:,/)\[\]{}-]|\((?=[\w)]))"
_UNNUMBERED = r"(?:[a-z_.:,/)\[\]{}!+*=~#^-]|\((?=[a-z_)]))"
_TYPE = r"\s{0,3}[a-z][\w.\[\], |&?]{0,31}="  # token: str = …
_SET = rf"(?:={{1,3}}+(?!>)|:(?:(?!=|{_TYPE})| ?[a-z][a-z_.\[\]|]{{0,20}}+ ?=(?![=>])))[ \t]{{0,12}}+"


def _quoted(group: str) -> str:
    """Return a pattern of what is too short for all but a password, or of a phrase."""
    end, word = rf"(?:(?P={group})|\n|\Z)", r"[\w.,:-]{1,40}+ \w|[a-z_.,:-]{1,18}+ \\"
    short = rf"[^\"'`\\\n]{{0,7}}+{end}|[^\"'`\\\n0-9?]{{0,19}}+{end}|{word}"
    return rf"(?P<{group}>{_QUOTE})(?!(?P={group}){{2}})(?:{short})"  # not of three, as in Python


_SLIGHT = re.compile(
    (
        r"(?P<name>[\w.-]{0,39}+)(?:"
        # In a sentence or in code, where nothing sets it.
        r"(?P<idle>[(/}\[;*^~#+\n]| (?<!is )(?<!was )(?!is |was )[a-z0-9(\[{#/*]|\Z)"
        rf"|(?=(?P<closing>(?:{_QUOTE})?))(?P=closing)\]?+\)?+[ \t]{{0,12}}+(?:"
        # Set to what is short, or no value is there at all.
        rf"{_SET}(?:{_quoted('q1')}|(?:{_LETTER}{{1,7}}|{_UNNUMBERED}{{1,19}}){_END}{_NO_PREFIX}|[\r\n])"
        rf"|,?+(?![ \t]{{0,4}}(?:{_QUOTE})?value)[ \t]{{0,3}}+{_quoted('q2')}"
        rf"|\([\w.:,/()\[\]{{}}-]*+{_END}"
        r"|(?P<line>,?+[ \t]{0,4}(?:\\{1,7}[rn]|\r?\n))"
        # Nothing parts it from what follows.
        r"|(?P<apart>[)}\];*/(+#]|,(?![ \t]{0,4}(?:[\"'`\\&%\x1b\r\n]|value))"
        r"|\.[\w.:]*+(?:\((?![brfu]{0,4}[\"'`\\&%$@ \t])|[^\w.:(\"'`\\&%$@]))"
        # Set to what has no digit.
        rf"|(?P<weak>{_SET}(?:(?P<q3>{_QUOTE})(?!(?P=q3){{2}})[^\"'`\\\n0-9?]{{0,399}}+(?P=q3)|{_UNNUMBERED}{{1,399}}{_END}{_NO_PREFIX}))"
        r"))"
    ).encode()
)


def is_idle(lowered: bytes, start: int, end: int) -> bool:
    """Say whether no secret follows the noisy word that stands there."""
    match = _SLIGHT.match(lowered, end)
    if match is None:
        return False
    way = match.lastgroup
    before = lowered[start - 1 : start]
    if before not in _LINKED:
        if way == "idle":
            return lowered[start - 3 : start] not in _BEFORE_ENDS or not lowered.endswith(_BEFORE, 0, start)
        name, first = match["name"], start
    else:
        around = lowered[max(0, start - 80) : start]
        first = start - len(around) + len(around.rstrip(_LETTERS))
        name = lowered[first:start] + match["name"]
    if way in ("idle", "apart"):
        is_option = name.startswith(b"-") or lowered[start : start + 1] == b"-"
        is_set = lowered.endswith(_BEFORE, 0, first) or b"login" in lowered[max(0, first - 100) : first]
        return not is_option and not is_set
    if way == "line":
        return b"value" not in lowered[end : end + 300]
    if way == "weak" and lowered[start:end] not in _WEAK:
        return False
    return not name or not any(sign in name for sign in (_TELLING if way == "weak" else _PASSWORDS))
