"""Owns judging whether what stands under a telling name is a secret, or says in code where one comes from.

A value is judged by how it is written, the more strictly the less its name says.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Assigned(NamedTuple):
    """A name and its value, as they are written."""

    name: str
    value: str
    is_quoted: bool
    is_tight: bool  # nothing but an equals sign is between them, as in .env


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
    r"|row|hash|index|natural|composite|unique|dedup|routing|object|item|lookup|group|message|event|translation|i18n)[_-]?(?:token|key)\Z"
    r"|(?<![a-z])(?:ch|smb|g|yp)passw\Z",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"(?:passw|passphrase|pwd|pswd|secret|securestring|api.?key|access.?key|private.?key|encryption|signing|master.?key|account.?key|pass$|pass[^a-z]|_auth|credential)",
    re.IGNORECASE,
)
OF_WHAT = r"(?<![A-Za-z])(?:db|user|root|admin|mysql|pg|sql|ssh|wifi|ftp|smtp|mail|login)"  # before "pw"
_PASSWORD = re.compile(
    rf"(?:passw|passphrase|pwd|pswd|securestring|pass$|pass[^a-z]|{OF_WHAT}pw(?![a-z])"
    r"|(?-i:(?:(?<![A-Za-z])(?:[Pp]w|PW|[Pp]sk|PSK)|(?<=[a-z])P(?:w|sk))(?![A-Za-z])))",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"^(?:<.*>|\[.*\]|\{.*\}|\(.*\))$|\{\{|[{<]\w+[}>]"
    r"|\$[{(A-Za-z_]|\$\$|^%[({]?[A-Za-z_]+[)}]?[sd%]?$|\*{3}|x{4,}|X{4,}|\.{3}|…"
    r"|\[(?:\^|0-9|a-z|\\)|#{4,}|_{4,}|-{5,}|0{8,}$|1234567890$"
    r"|\bprocess\.env|\bos\.environ|getenv|secrets?\.[A-Za-z_]|vault\.|env\.|var\."
    r"|(?:^|[-_ .])(?:your|my|change|insert|enter|replace|todo|examples?|sample|dummy|fake"
    r"|placeholder|redacted|hidden|masked|none|null|undefined|removed|omitted"
    r"|foo|bar|baz|test|testing)(?:[-_ .]|me|it|this|$)|redacted|example|^arn:|^-\d+$|^0x[0-9a-f]{1,8}$",
    re.IGNORECASE,
)
_PART = (
    r"[_$]{0,2}(?:[a-z_]+\d{0,5}|[A-Z_]+\d{0,5}|"
    r"(?:[A-Z]?[a-z]{2,}|[A-Z]{2,3}(?=[A-Z][a-z]|\d|\b)|\d{2,5}(?=[A-Z]))+_?\d{0,5})"
)
_REFERENCE = re.compile(rf"{_PART}(?:(?:\.|->|::|\?\.){_PART})+[?!,]*\Z")
_TYPE = re.compile(r"(?:[a-z_]\w*\.)+[A-Z]\w*(?:Key|Token|Password|Secret|Auth|Type|Types)\Z")
_CODE = re.compile(r"[A-Za-z_$][\w$.\->:?!]{0,200}[(\[{]")
_CALL_ALONE = re.compile(r"[\w$.]+\([^()]*\)\Z")
_ROOT = re.compile(
    r"(?:/(?:home|Users|usr|var|etc|opt|root|tmp|mnt|srv|run|app|workspaces?)/|~/|[A-Za-z]:[\\/])[\w./\\@ -]*\Z"
)
_PATH = re.compile(r"(?:\.{0,2}|~|[A-Za-z]:)?(?:[/\\][\w.@-]+)+[/\\]?\Z")
_PLAIN = re.compile(r"[a-z]+(?:[_-][a-z]+)*\Z|[A-Z]+(?:[_-][A-Z]+)*\Z|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*\Z")
_CONFIG_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,}\Z")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")  # of a name such as getToken2
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}")
_DATA = re.compile(r"[A-Za-z0-9+/=_%.\-]{20,}\Z")

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


def is_about(name: str, rest: str) -> bool:
    """Say whether a name that goes on behind its keyword names no secret, but something about one."""
    if _NO_SECRET.search(name):
        return True
    goes_on = rest[:1].islower() and not rest.startswith(("ord", "ort", "d", "key", "code", "text"))
    return bool(rest) and (_ABOUT.match(rest) is not None or goes_on)


def is_password(name: str) -> bool:
    """Say whether a name is of a password, which may be short and plain."""
    return _PASSWORD.search(name) is not None


def is_secret(one: Assigned) -> bool:
    """Say whether a value is a secret, going by its name and by how both are written."""
    value, length = one.value, len(one.value)
    is_strong = is_password(one.name) or _STRONG.search(one.name) is not None
    if length < (4 if is_password(one.name) else 8 if is_strong else 12) or _is_blank(value):
        return False
    has_digit = any(c.isdigit() for c in value)
    is_config = not one.is_quoted and one.is_tight and _CONFIG_NAME.match(one.name.rsplit(".")[-1]) is not None
    if not one.is_quoted and _is_code(value, is_config=is_config, has_digit=has_digit):
        return False
    if is_password(one.name):
        if not has_digit and _PLAIN.match(value):
            is_meant = (one.is_quoted and length >= 8) or is_config
            return is_meant and not _STRONG.search(value) and value.lower() not in _COMMON
        return length >= 6 or one.is_quoted or is_config
    if _PLAIN.match(value) or not any(c.isalpha() for c in value) or not (has_digit or length >= 20):
        return False
    return is_strong or _looks_random(value)


def _is_blank(value: str) -> bool:
    """Say whether a value is a blank to be filled in, a variable, a path, an address or a phrase."""
    if _PLACEHOLDER.search(value) or value.startswith(("$", "@{", "#{")) or "://" in value or " " in value.strip():
        return True
    if _ROOT.match(value):
        return True
    return value[0] in "/.~" and _PATH.match(value) is not None and not _DATA.match(value.lstrip("/."))


def _is_code(value: str, *, is_config: bool, has_digit: bool) -> bool:
    """Say whether a value without quotes is a call, a variable, an attribute or a type."""
    is_noise = len(value) >= 20 and sum(c in "!@#%^*+=~&" for c in value) >= 4  # no code has so many signs in a row
    if not is_noise and ((not is_config and value[0] in "([{<") or (_CALL_ALONE if is_config else _CODE).match(value)):
        return True
    if _REFERENCE.match(value) or _TYPE.match(value):
        return True
    return not (is_config or has_digit) and value.isidentifier()


def _looks_random(value: str) -> bool:
    digits = sum(c.isdigit() for c in value)
    if digits and is_scrambled(value):
        return True
    if digits >= 3 and len(value) >= 32 and value.isalnum():
        return True
    is_mixed = any(c.islower() for c in value) and any(c.isupper() for c in value)
    if digits and is_mixed and len(value) >= 20 and _DATA.match(value):
        return True
    return digits >= 3 and not re.search(r"[A-Za-z]{14,}", value)


def is_scrambled(value: str) -> bool:
    """Say whether letters and digits follow each other as in no word, nor in several written as one."""
    if len(value) < 14 or not value.isalnum():
        return False
    return len(_WORDS.findall(value)) * 3.3 > len(value) or _CONSONANTS.search(value) is not None
