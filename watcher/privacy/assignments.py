"""Owns secrets that their name tells: `password = "…"`, `"client_secret": "…"`, `API_KEY=…`, `--token …`.

Most of what is so named in code is no secret but says where one comes from: a call, a variable, a type, a blank to be
filled in. A value is judged by how it is written, more strictly the less its name says.
"""

from __future__ import annotations

import re

from watcher.privacy.syntax import COLOUR, GAP, LINE, NEWLINE, QUOTE, Span

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
)

_ANNOTATION = r":\s{0,3}[A-Za-z][\w.\[\], |&]{0,30}?[ \t]?=(?![=>])"
_SEPARATOR = (
    rf"{_ANNOTATION}|=>|:=|\|\|=?|\?\?|={{1,3}}|![=]{{1,2}}|:|%3[dD]|%3[aA]|\\{{1,4}}u003[dD]|&gt;(?!&lt;)|>"
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
    rf"(?:{GAP}{{0,12}}(?:[|>]|%7C|%3E|&gt;)-?{NEWLINE}(?:{COLOUR})?{LINE}?)?"
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
_BARE = re.compile(r"[^\s\"'`\\<>;&|\x1b]{1,4000}")
_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_JUDGED = 400  # characters of a value that say whether it is a secret
_SHORTEST = 4  # characters of a password
_LONGEST_NAME = 60  # characters before the keyword
# Most names stand in the midst of a sentence: at a glance, does what parts a name from its value follow?
_GLANCE = re.compile(r"[A-Za-z0-9_.\-]{0,40}[ \t]{0,12}(?:[:=|!?,>&%\\\"'`\])\x1b]|is |was |[\r\n])")
_VERBS = (
    "set ",
    "setx ",
    "ENV ",
    "ARG ",
    "setenv ",
    "config:set ",
    "-gx ",
    "-x ",
    "-Ux ",
    "-xg ",
)  # before a name and a gap
_OF_A_LIST = ("name: ", 'name: "', "name: '")
_LOGIN = re.compile(r"\blogin[ \t]+\S+(?:\s|\\r|\\n)[^\n]{0,60}\Z")

# A name that goes on so names no secret but something about one.
_ABOUT = re.compile(
    r"(?:_|-|\.|(?<=[a-z])(?=[A-Z]))?(?:s?(?:_|-|\.)?)(?:field|type|name|url|uri|id|ids|path|file|dir|label|count|limit|length|len|min|max|ref|header"
    r"|param|params|prompt|placeholder|regex|re|pattern|class|policy|hint|error|errors|message|help|index|idx|form|input|expiry|expires|expiration"
    r"|ttl|size|status|state|provider|manager|store|service|version|rotation|required|enabled|usage|usages|budget|scope|scopes|endpoint|format"
    r"|timeout|kind|column|spec|schema|arn|algorithm|alg|ring|chain|word|words|board|pair|izer|ize|ized|list|map|set|cache|at|strength|complexity"
    r"|validator|validators|generator|hasher|hashers|reset|change|confirmation|confirm|source|env|var|key_id|fingerprint|digest)\b",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"(?:next|page|continuation|change|lock|idempotency|client|request|sync|cancell?ation|pub(?:lic)?|primary|foreign|cache|sort|partition"
    r"|row|hash|index|natural|composite|unique|dedup|routing|object|item|lookup|group|message|event|translation|i18n)[_-]?(?:token|key)\Z",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"(?:passw|passphrase|pwd|pswd|secret|securestring|api.?key|access.?key|private.?key|encryption|signing|master.?key|account.?key|pass$|pass[^a-z]|_auth|credential)",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"(?:passw|passphrase|pwd|pswd|securestring|pass$|pass[^a-z])", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"^(?:<.*>|\[.*\]|\{.*\}|\(.*\))$|\{\{|[{<]\w+[}>]|\$[{(A-Za-z_]|\$\$|^%[({]?[A-Za-z_]+[)}]?[sd%]?$|\*{3}|x{4,}|X{4,}|\.{3}|…|#{4,}|_{4,}|-{5,}|0{8,}$|1234567890$|\bprocess\.env|\bos\.environ|getenv|secrets?\.[A-Za-z_]|vault\.|env\.|var\."
    r"|(?:^|[-_ .])(?:your|my|change|insert|enter|replace|todo|examples?|sample|dummy|fake|placeholder|redacted|hidden|masked|none|null|undefined|removed|omitted|foo|bar|baz|test|testing)(?:[-_ .]|me|it|this|$)|redacted|example|^arn:|^-\d+$|^0x[0-9a-f]{1,8}$",
    re.IGNORECASE,
)
_PART = r"[_$]{0,2}(?:[a-z_]+\d{0,5}|[A-Z_]+\d{0,5}|(?:[A-Z]?[a-z]{2,}|[A-Z]{2,3}(?=[A-Z][a-z]|\d|\b)|\d{2,5}(?=[A-Z]))+_?\d{0,5})"
_REFERENCE = re.compile(rf"{_PART}(?:(?:\.|->|::|\?\.){_PART})+[?!,]*\Z")
_TYPE = re.compile(r"(?:[a-z_]\w*\.)+[A-Z]\w*(?:Key|Token|Password|Secret|Auth|Type|Types)\Z")
_CODE = re.compile(r"[A-Za-z_$][\w$.\->:?!]{0,200}[(\[{]")
_CALL_ALONE = re.compile(r"[\w$.]+\([^()]*\)\Z")
_PATH = re.compile(r"(?:\.{0,2}|~|[A-Za-z]:)?(?:[/\\][\w.@-]+)+[/\\]?\Z")
_PLAIN = re.compile(r"[a-z]+(?:[_-][a-z]+)*\Z|[A-Z]+(?:[_-][A-Z]+)*\Z|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*\Z")
_CONFIG_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}\Z")
_DATA = re.compile(r"[A-Za-z0-9+/=_%.\-]{20,}\Z")
_TRAILING = ".,:;!?)]}"


def find(text: str, start: int, end: int) -> Span | None:
    """Return the secret whose name has its keyword there, where one is."""
    if not text[end - 1].isalnum():
        end -= 1  # the keyword takes in what parts it from its value
    glance = _GLANCE.match(text, end)
    if glance is None:
        letter = text[start - 1 : start]
        if letter not in _NAME_LETTERS and not text.endswith(_VERBS, 0, start) and text[end - 1] not in "wWgG":
            return None  # of what a gap may follow only "passw" and "securestring" stand by themselves
    first = start
    while first and start - first < _LONGEST_NAME and text[first - 1] in _NAME_LETTERS:
        first -= 1
    if text.endswith("::", 0, first):
        return None  # a type
    if glance is None:
        if not _may_follow_a_gap(text, first, text[first:end], is_quoted=True):
            return None
    elif text[glance.end() - 1] in "\r\n" and not text.endswith(_OF_A_LIST, 0, first):
        return None
    match = _ASSIGNED.match(text, end)
    if match is None:
        return None
    at, separator = match.end(), match["separator"]
    quote = _QUOTE.match(text, at)
    if quote:
        at = quote.end()
        value = _value(text, at, quote.group())
    else:
        value = _BARE.match(text, at)
    if value is None or value.end() - value.start() < _SHORTEST:
        return None
    name = text[first:end]
    if not separator.strip() and not _may_follow_a_gap(text, first, name, is_quoted=bool(quote)):
        return None
    if separator in (",", "%2C") and not (match["closed"] and _is_first(text, first)):
        return None
    return _judged(name, match["rest"], separator, match.group(), value, bool(quote))


def _is_first(text: str, first: int) -> bool:
    """Say whether a name is the first argument of a call, or an option: else what follows is the next of a list."""
    return text[first] == "-" or text[max(0, first - 10) : first].rstrip("\"'`\\").endswith("(")


def _value(text: str, at: int, quote: str) -> re.Match[str] | None:
    if quote in _VALUES:
        return _VALUES[quote].match(text, at)
    if quote.startswith("%"):
        return _ENCODED.match(text, at)
    return _ESCAPED.match(text, at)


def _may_follow_a_gap(text: str, first: int, name: str, *, is_quoted: bool) -> bool:
    """Say whether after this name a gap is enough: of a flag, of what sets a variable, of .netrc, of SQL."""
    if name.startswith("-"):
        return True
    if text.endswith(_VERBS, 0, first):
        return True
    if is_quoted and (name.startswith("PASSWORD"[: len(name)]) or name.lower().endswith("securestring")):
        return True
    before = text[max(0, first - 100) : first]
    return "login" in before and _LOGIN.search(before) is not None


def _judged(name: str, rest: str, separator: str, between: str, value: re.Match[str], is_quoted: bool) -> Span | None:
    if value.end() - value.start() < 8 and not _PASSWORD.search(name + rest):
        return None
    if _NO_SECRET.search(name):
        return None
    if rest and (
        _ABOUT.match(rest)
        or (rest[0].islower() and not rest.startswith(("ord", "ort", "d", "s.", "key", "code", "text")))
    ):
        return None
    group = 1 if value.re.groups else 0
    start, end = value.start(group), value.end(group)
    written = value.group(group)
    if not is_quoted:
        written = written.rstrip(_TRAILING)
        if "&" in separator or separator == ">":
            written = written.split("<")[0]
        end = start + len(written)
    full = name + rest
    if _is_secret(full, separator, between, written[:_JUDGED], is_quoted):
        return Span(start, end, kind_of(full))
    return None


def _is_secret(name: str, separator: str, between: str, value: str, is_quoted: bool) -> bool:
    length = len(value)
    is_password = _PASSWORD.search(name) is not None
    is_strong = is_password or _STRONG.search(name) is not None
    if (
        length < (4 if is_password else 8 if is_strong else 12)
        or _PLACEHOLDER.search(value)
        or value.startswith(("$", "@{", "#{"))
    ):
        return False
    has_digit = any(c.isdigit() for c in value)
    has_letter = any(c.isalpha() for c in value)
    if "://" in value or (value[0] in "/.~" and _PATH.match(value) and not _DATA.match(value.lstrip("/."))):
        return False
    if " " in value.strip():
        return False
    is_config = (
        not is_quoted
        and "=" in separator
        and _CONFIG_NAME.match(name.rsplit(".")[-1]) is not None
        and between.rstrip(" ") == between
    )
    is_noise = length >= 20 and sum(c in "!@#%^*+=~&" for c in value) >= 4  # no code has so many signs in a row
    if not is_quoted and not is_config and not is_noise and value[0] in "([{<":
        return False
    if not is_quoted and not is_noise and (_CALL_ALONE if is_config else _CODE).match(value):
        return False
    if not is_quoted and (_REFERENCE.match(value) or _TYPE.match(value)):
        return False
    if not (is_quoted or is_config or has_digit) and value.isidentifier():
        return False
    if is_password:
        if not has_digit and _PLAIN.match(value):
            is_meant = (is_quoted and length >= 8) or is_config
            return is_meant and not _STRONG.search(value) and value.lower() not in _COMMON
        return length >= 6 or is_quoted or is_config
    if _PLAIN.match(value) or not has_letter or not (has_digit or length >= 20):
        return False
    return is_strong or _looks_random(value)


def _looks_random(value: str) -> bool:
    digits = sum(c.isdigit() for c in value)
    is_mixed = any(c.islower() for c in value) and any(c.isupper() for c in value)
    if digits and is_mixed and len(value) >= 20 and _DATA.match(value):
        return True
    return digits >= 3 and not re.search(r"[A-Za-z]{14,}", value)


_COMMON = {
    *("string", "required", "optional", "password", "disabled", "enabled", "forgotten", "incorrect", "mismatch"),
    *(
        "invalid",
        "undefined",
        "unchanged",
        "external",
        "internal",
        "provided",
        "unknown",
        "boolean",
        "integer",
        "default",
    ),
}


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
    ("securestring", "password"),
    ("client_secret", "client-secret"),
    ("clientsecret", "client-secret"),
    ("token", "token"),
    ("secret", "secret"),
    ("api", "api-key"),
    ("accountkey", "azure-account-key"),
    ("sharedaccesskey", "azure-shared-key"),
    ("auth", "token"),
    ("key", "key"),
)
