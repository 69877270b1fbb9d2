"""Owns secrets that their name tells: `password = "…"`, `"client_secret": "…"`, `API_KEY=…`, `--token …`.

Most of what is so named in code is no secret but says where one comes from: a call, a variable, a type, a blank to be
filled in: see `values`.
"""

from __future__ import annotations

import re

from watcher.privacy.syntax import (
    BEFORE_A_LISTED,
    COLOUR,
    CONTINUED,
    GAP,
    LINE,
    NEWLINE,
    QUOTE,
    VERBS,
    Span,
    begins_word,
)
from watcher.privacy.values import OF_WHAT, Assigned, is_about, is_password, is_secret

# Literals of names, in lower case.
KEYWORDS = (
    *("passw", "pwd", "passphrase", "pswd", "_pass", "-pass", "dbpass", "userpass", "pass=", "pass:", '"pass', "'pass"),
    *(
        "secret",
        "token",
        "credential",
        "apikey",
        "api_key",
        "api-key",
        "api key",
        "accesskey",
        "access_key",
        "access-key",
    ),
    *("privatekey", "private_key", "private-key", "encryptionkey", "accountkey", "masterkey", "signingkey", "authkey"),
    *("appkey", "_key", "-key", "_auth", '"auth', "auth_", "securestring"),
    *("pw", "psk"),
    *(
        f"{link}pat{sign}"
        for link in "_-"
        for sign in ("=", ":", " ", "'", '"', "\\", "<", ">", "]", "|", ",", "%", "\r", "\n")
    ),
)
_SHORT = ("pw", "psk", "pat")  # other words have these letters, too
_OF_WHAT = re.compile(rf"(?:{OF_WHAT})\Z", re.IGNORECASE)
_GOES_ON = re.compile(r"[\w.-]")

# Without a gap before it, an equals sign may be the padding of base64, as in a secret of Kubernetes.
_ANNOTATION = r":\s{0,3}(?:[A-Za-z][\w.\[\], |&]{0,30}?[ \t]|[A-Za-z]{2,10})=(?![=>])"
_SEPARATOR = (
    rf"{_ANNOTATION}|=>|:=|<-|\|{{1,2}}=?|\?\?|={{1,3}}|![=]{{1,2}}|:(?!:)|%3[dD]|%3[aA]|\\{{1,4}}u003[dD]|&gt;(?!&lt;)|>"
    rf"|,?{GAP}{{0,4}}(?:{NEWLINE}(?:{COLOUR})?{LINE}?{GAP}{{0,20}})?{QUOTE}?value{QUOTE}?{GAP}{{0,3}}(?:[:=]|%3[aAdD])"
)
_MAKES = (
    r"(?:[\w.:]{0,30}(?:[Ss]tr(?:ing)?|Some|from|new|of|bytes|Secret\w{0,10}|Password|Key|Token|b64decode|literal))"
)
_CALL = rf"(?:[brfuBRFU@$]{{1,2}}(?={QUOTE}))|(?:{_MAKES}\((?={GAP}{{0,2}}{QUOTE}))"
_ASSIGNED = re.compile(
    rf"(?P<rest>[A-Za-z0-9_.\-]{{0,40}})"
    rf"(?P<closed>{QUOTE}?\]?\)?){GAP}{{0,12}}"
    rf"(?P<separator>{_SEPARATOR}|(?:,|%2C)(?={GAP}{{0,3}}{QUOTE})|(?:is|was)(?=\s)|{GAP}|)"
    rf"(?:{GAP}{{0,12}}(?:(?:[|>]|%7C|%3E|&gt;)-?{NEWLINE}|{CONTINUED})(?:{COLOUR})?{LINE}?)?"
    rf"{GAP}{{0,12}}(?:{_CALL}){{0,2}}",
    re.IGNORECASE,
)
_VALUES = {  # by how it is quoted: the value, and what ends it
    '"': re.compile(r"((?:[^\"\\\n]|\\[^\n]){1,4000})(?:\"|$)", re.MULTILINE),
    "'": re.compile(r"((?:[^'\\\n]|\\[^\n]){1,4000})(?:'|$)", re.MULTILINE),
    "`": re.compile(r"([^`\\\n]{1,4000})(?:`|$)", re.MULTILINE),
    '\\"': re.compile(r"((?:[^\"\\\n]|\\\\\\\"|\\\\[^\"]){1,4000}?)(?:\\\"|\"|$)", re.MULTILINE),
}
_ESCAPED = re.compile(r"([^\"'`\\\n&]{1,4000})")
_ENCODED = re.compile(r"((?:[^\"'`\\\n&%\s]|%(?!2[276]|0[AaDd]|20|3[cCeE])[0-9A-Fa-f]{2}){1,4000})")
_QUOTE = re.compile(QUOTE)
_TRIPLE = re.compile(
    rf"(?:\\{{0,2}}{NEWLINE}{LINE}?{GAP}{{0,20}})?([^\s\\]{{4,4000}}?)(?:[\"'`]{{3}}|\\|\s|$)"
)  # Python, TOML
_BARE = re.compile(r"[^\s\"'`\\<>;&|\x1b]{1,4000}")
_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_JUDGED = 400  # characters of a value that say whether it is a secret
_SHORTEST = 4  # characters of a password
_LONGEST_NAME = 60  # characters before the keyword
# Most names stand in the midst of a sentence: at a glance, does what parts a name from its value follow?
_GLANCE = re.compile(r"[A-Za-z0-9_.\-]{0,40}[ \t]{0,12}(?:[:=|!?,<>&%\\\"'`\])\x1b]|is |was |[\r\n])")
_LOGIN = re.compile(r"\blogin[ \t]+\S+(?:\r?\n|\s|\\r|\\n)[^\n]{0,60}\Z")

_TRAILING = ".,:;!?)]}"


def find(text: str, start: int, end: int) -> Span | None:
    """Return the secret whose name has its keyword there, where one is."""
    if not text[end - 1].isalnum():
        end -= 2 if text[end - 2] == " " else 1  # the keyword takes in what parts it from its value
    first = _name_start(text, start, end)
    match = _ASSIGNED.match(text, end) if first is not None else None
    if first is None or match is None:
        return None
    at, separator = match.end(), match["separator"]
    quote = _QUOTE.match(text, at)
    value = _value(text, quote.end(), quote.group()) if quote else _BARE.match(text, at)
    if value is None or value.end() - value.start() < _SHORTEST:
        return None
    name = text[first:end]
    # A gap alone parts them in some languages; in a sentence, what is quoted behind a word is a word as well.
    is_set_so = quote is not None and any(c.isdigit() for c in value.group())
    is_parted = separator.strip() or is_set_so or _may_follow_a_gap(text, first, name, is_quoted=bool(quote))
    if not is_parted:
        return None
    if separator in (",", "%2C") and not (match["closed"] and _is_first(text, first)):
        return None
    return _judged(name, match, value, is_quoted=bool(quote))


def _name_start(text: str, start: int, end: int) -> int | None:
    """Return where a name begins that has its keyword there; None where at a glance no value follows."""
    word = text[start:end].strip("_-").lower()
    if word in _SHORT and not _is_word(text, end - len(word), end):
        return None
    glance = _GLANCE.match(text, end)
    if glance is None:
        letter = text[start - 1 : start]
        if letter not in _NAME_LETTERS and not text.endswith(VERBS, 0, start) and text[end - 1] not in "wWgG":
            return None  # of what a gap may follow only "passw" and "securestring" stand by themselves
    first = start
    is_whole = word in _SHORT and begins_word(text, start)  # no part of the name is what an escape ends with
    while not is_whole and first and start - first < _LONGEST_NAME and text[first - 1] in _NAME_LETTERS:
        first -= 1
    if text.endswith(("::", "[redacted: "), 0, first):
        return None  # a type; what stands for a secret
    if glance is None:
        return first if _may_follow_a_gap(text, first, text[first:end], is_quoted=True) else None
    is_of_a_list = text[glance.end() - 1] not in "\r\n" or text.endswith(BEFORE_A_LISTED, 0, first)
    return first if is_of_a_list else None


def _is_word(text: str, start: int, end: int) -> bool:
    """Say whether a name ends there, and its last word begins where said."""
    if _GOES_ON.match(text, end):
        return False
    is_hump = text[start].isupper() and text[start - 1 : start].islower() and text[start + 1].islower()
    return (
        is_hump
        or _OF_WHAT.search(text, max(0, start - 10), start) is not None
        or text[start - 1 : start] in ("_", "-")
        or begins_word(text, start)
    )


def _is_first(text: str, first: int) -> bool:
    """Say whether a name is the first argument of a call, or an option: else what follows is the next of a list."""
    return text[first] == "-" or text[max(0, first - 10) : first].rstrip("\"'`\\").endswith("(")


def _value(text: str, at: int, quote: str) -> re.Match[str] | None:
    if quote[-1] in "\"'" and text.startswith(quote * 2, at):
        return _TRIPLE.match(text, at + 2 * len(quote))
    if quote in _VALUES:
        return _VALUES[quote].match(text, at)
    if quote.startswith("%"):
        return _ENCODED.match(text, at)
    return _ESCAPED.match(text, at)


def _may_follow_a_gap(text: str, first: int, name: str, *, is_quoted: bool) -> bool:
    """Say whether after this name a gap is enough: of a flag, of what sets a variable, of .netrc, of SQL."""
    if name.startswith("-"):
        return True
    if text.endswith(VERBS, 0, first):
        return True
    if is_quoted and (name.startswith("PASSWORD"[: len(name)]) or name.lower().endswith("securestring")):
        return True
    before = text[max(0, first - 100) : first]
    return "login" in before and _LOGIN.search(before) is not None


def _judged(name: str, match: re.Match[str], value: re.Match[str], *, is_quoted: bool) -> Span | None:
    """Return the value as a secret, where it is one."""
    rest, separator = match["rest"], match["separator"]
    full = name + rest
    if is_about(name, rest) or (value.end() - value.start() < 8 and not is_password(full)):
        return None
    group = 1 if value.re.groups else 0
    written = value.group(group)
    if not is_quoted:
        written = written.rstrip(_TRAILING)
    is_tight = "=" in separator and not match.group().endswith((" ", "\t"))
    if len(written) >= 8 and _letters(written) in _letters(full):  # a constant that is named after its value
        return None
    if not is_secret(Assigned(full, written[:_JUDGED], is_quoted, is_tight)):
        return None
    start = value.start(group)
    return Span(start, start + len(written), kind_of(full))


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def kind_of(name: str) -> str:
    """Return which kind of secret a name tells."""
    name = name.lower()
    for sign, kind in _KINDS:
        if sign in name:
            return kind
    return "secret"


_KINDS = (
    ("aws_secret", "aws-secret-key"),
    ("passphrase", "passphrase"),
    ("pass", "password"),
    ("pwd", "password"),
    ("pswd", "password"),
    ("pw", "password"),
    ("psk", "pre-shared-key"),
    ("securestring", "password"),
    ("client_secret", "client-secret"),
    ("clientsecret", "client-secret"),
    ("token", "token"),
    ("secret", "secret"),
    ("api", "api-key"),
    ("accountkey", "azure-account-key"),
    ("sharedaccesskey", "azure-shared-key"),
    ("auth", "token"),
    ("_pat", "token"),
    ("key", "key"),
)
