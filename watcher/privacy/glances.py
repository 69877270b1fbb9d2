"""Owns telling at a glance that no secret follows a word that is in every text about programs: `token`, `_key`.

Of a hundred of them, all but a few are done with here, at half a microsecond each; only there the patterns of
`assignments` are tried. It never says so of a place where those find something.
"""

from __future__ import annotations

import re

NOISY = ("token", "secret", "credential", "_key", "-key", "_auth", "auth_")  # anchors

# What follows such a word in a sentence or in code, and never its value.
_IDLE = frozenset(bytes((one, two)) for one in b"(/}[;*^~#@$+\n" for two in range(256)) | frozenset(
    bytes((32, two)) for two in b"abcdefghijklmnopqrstuvwxyz0123456789([{#/*"
)
_SAID = (b" is ", b" was")
_LINKED = frozenset(bytes((one,)) for one in b"-_.abcdefghijklmnopqrstuvwxyz0123456789")

# What follows is a value, but one of less than eight characters, or of less than twenty without a digit, or a phrase:
# a password alone may be so. A "?" may be any letter or digit that is not ASCII.
_PASSWORDS = (b"pass", b"pwd", b"pswd", b"securestr")
_QUOTE = rb"\\{0,7}[\"'`]"
_QUOTED = rb"(?P<quote>%b)(?:[^\"'`\\\n]{0,7}+(?P=quote)|[^\"'`\\\n0-9?]{0,19}+(?P=quote)|[\w.,:-]{1,40}+ \w)" % _QUOTE
_LETTER = rb"[\w.:,/)\[\]{}-]"
_BARE = (
    rb"(?:(?:%b|\((?=[\w)])){1,7}+(?=[\s<>;|\"'`\\&\x1b]|\Z)|(?:(?!\d)%b|\((?=[\w)])){1,19}+(?=[\s<>;|\"'`\\&\x1b]|\Z))"
    rb"(?!(?<=[brfu])[\"'`\\&])"  # the prefix of a string
    % (_LETTER, _LETTER)
)
_ANNOTATED = rb"\s{0,3}[a-z][\w.\[\], |&?]{0,31}="  # token: str = …
_SLIGHT = re.compile(
    rb"(?![\w.-]*?(?:%b))[\w.-]{0,39}+(?:%b)?+\]?+\)?+[ \t]{0,12}+"
    rb"(?:(?:={1,3}+(?!>)|:(?!=|%b))[ \t]{0,12}+(?:%b|%b|[\r\n])|,(?![ \t]{0,4}(?:%b)?value)[ \t]{0,3}+%b)"
    % (b"|".join(_PASSWORDS), _QUOTE, _ANNOTATED, _QUOTED, _BARE, _QUOTE, _QUOTED.replace(b"quote>", b"other>").replace(b"=quote)", b"=other)"))
)


def is_idle(lowered: bytes, start: int, end: int) -> bool:
    """Say whether no secret follows the noisy word that stands there in a text: as ASCII, in lower case."""
    is_linked = lowered[start - 1 : start] in _LINKED
    if not is_linked and lowered[end : end + 2] in _IDLE and lowered[end : end + 4] not in _SAID:
        return True
    if _SLIGHT.match(lowered, end) is None:
        return False
    return not is_linked or not _is_password(lowered[max(0, start - 80) : start])


def _is_password(before: bytes) -> bool:
    return any(sign in before for sign in _PASSWORDS)
