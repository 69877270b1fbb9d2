"""Owns passwords that a sentence tells: "the password for staging is …", "use … as the password".

In a sentence most words are none: only what is quoted, or has a digit or a sign among its letters, is taken for one.
"""

from __future__ import annotations

import re

from watcher.privacy.assignments import kind_of
from watcher.privacy.syntax import QUOTE, Span, begins_word
from watcher.privacy.values import Assigned, is_secret

ANCHORS = (
    *("password", "passwort", "passwd", "passphrase", "passcode", "kennwort", "mot de passe", "contrase"),
    *("pw is", "pw for", "pw ist", "token for", "secret for", "key for"),
)
_SECRET = rf"(?:\*\*)?(?P<quote>{QUOTE}?)(?P<secret>[^\s\"'`\\<>\x1b]{{4,200}})"
_NAME = (
    r"(?P<name>password|passwort|passwd|passphrase|passcode|kennwort|mot de passe|contrase(?:ñ|n|\\u00f1)a|pw|token"
    r"|secret|key)"
)
_OF = (
    r"[ \t]{1,2}(?:for|of|on|in|at|from|to|für|fuer|f\\{1,4}u00fcr|von|vom|des|der|pour|de|du|para)"
    r"(?:[ \t]{1,2}\S{0,59}[^\s.,;:!?]){1,6}?"
)
_IS = (
    r"[ \t]{1,2}(?:is|was|ist|war|lautet|est|es|equals|should be|must be|will be)"
    r"(?:[ \t]{1,2}(?:now|still|currently|just|simply|jetzt|set to))?:?"
)
_TOLD, _TOLD_OF, _TOLD_TO, _TOLD_WITH = (
    re.compile(f"{_NAME}{link}[ \t]{{1,3}}{_SECRET}", re.IGNORECASE)
    for link in (rf"(?:[ \t]{{0,2}}(?:[:=]|->|→)|{_IS})", f"{_OF}(?::|{_IS})", r"[ \t]{1,2}(?:to|auf)", "")
)
_BEFORE = re.compile(
    rf"(?:\A|(?<=[\s(:=\"'`>])|(?<=\dm)|(?<=\\n)){_SECRET}(?P=quote)(?:\*\*)?[ \t]{{1,2}}(?:as|is|was|als|ist)"
    r"[ \t]{1,2}(?:(?!and\b|or\b|but\b|in\b)[a-zäöü'-]{1,20}[ \t]{1,2}){0,3}\Z",
    re.IGNORECASE,
)
_OF_SOMETHING = re.compile(  # a word that a password goes before: it is then not the password that is spoken of
    r"s?[ \t-]{1,2}(?:hash|encod|encrypt|algorithm|digest|kdf|field|manager|polic|grant|type|format|name|file|leak"
    r"|fix|chang|reset|prompt|stor|scheme|provider|check|valid|length|rule|issue|bug|page|form|input|id\b)",
    re.IGNORECASE,
)
_BY_VERB = re.compile(
    r"(?:\A|\W)(?:set|change|changed|reset|update|updated|rotate|rotated)[ \t][^\n.]{0,50}\Z", re.IGNORECASE
)
_WITH = re.compile(
    r"(?:\A|\W)(?:with|using|use|mit)[ \t]{1,2}(?:(?:the|a|this|dem)[ \t]{1,2})?(?:[\w-]{1,20}[ \t])?\Z", re.IGNORECASE
)
# A letter and a digit, or a sign among letters: no word of a sentence has those, but for terms and measures.
_UNLIKE_A_WORD = re.compile(r"(?=.*\d)(?=.*[A-Za-z])|[A-Za-z].*[!@#$%^&*+=?~].*\w")
_TERM = re.compile(
    r"(?:sha|md|base|utf|rfc|pkcs|pbkdf|aes|iso|http|tls|ssl|ssha|ipv|oauth|scrypt|bcrypt|argon|python|version|v|sec|pep)"
    r"[-_/]?v?\d{1,4}(?:sum|crypt|hash|hashed)?(?:[-_.:/]\w{0,10})*\Z"
    r"|argon\d\w*|cve-.*|[a-z]*#\d.*|[0-9a-f]{7,8}\Z|\d+[-_]?(?:%|x|[kmg]i?b|m?s|h|d|st|nd|rd|th|bits?|bytes?|chars?|characters?|digits?|days?|hours?|minutes?|min|times)\b.*|.*(?:\(|\)|://|\w@\w|->|::)|(?-i:[a-z_][a-z0-9_-]*(?:\.[a-z_][a-z0-9_-]*)+)\Z",
    re.IGNORECASE,
)
_REACH = 260  # characters before the anchor
_TRAILING = ".,:;!?)]}*"


def find(text: str, start: int, end: int) -> Span | None:
    """Return the password that a sentence tells whose word for it stands there, behind that word or before it."""
    if not begins_word(text, start):
        return None
    before = text[max(0, start - 80) : start]
    for told in (
        _TOLD.match(text, start),
        _TOLD_TO.match(text, start) if _BY_VERB.search(before) else None,
        _TOLD_OF.match(text, start),
        _TOLD_WITH.match(text, start) if _WITH.search(before) else None,
    ):
        if told and (span := _judged(told["name"], told)):
            return span
    return _told_before(text, start, text[start:end])


def _told_before(text: str, start: int, word: str) -> Span | None:
    near = text[max(0, start - 60) : start].lower()
    if not any(link in near for link in (" as ", " is ", " was ", " als ", " ist ")):
        return None
    told = _BEFORE.search(text, max(0, start - _REACH), start)
    return _judged(word, told) if told and not _OF_SOMETHING.match(text, start + len(word)) else None


def _judged(name: str, told: re.Match[str]) -> Span | None:
    secret, is_quoted = told["secret"], bool(told["quote"])
    if not is_quoted:
        secret = secret.rstrip(_TRAILING)
    if not is_quoted and (not _UNLIKE_A_WORD.match(secret) or _TERM.match(secret)):
        return None
    name = name if name.lower() in ("token", "secret", "key", "passphrase") else "password"
    if not is_secret(Assigned(name, secret, is_quoted=True, is_tight=False)):
        return None
    return Span(told.start("secret"), told.start("secret") + len(secret), kind_of(name))
