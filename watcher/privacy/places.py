"""Owns secrets that their place tells: in headers and cookies, in URLs, on command lines, in SQL."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from watcher.privacy.syntax import GAP, NEWLINE, QUOTE
from watcher.privacy.values import is_scrambled


class Place(NamedTuple):
    """One place: where its anchor stands, the group `secret` of its pattern is one."""

    kind: str
    anchors: tuple[str, ...]  # in lower case
    pattern: str
    lead: int = 0  # characters before the anchor at which the pattern begins at the earliest


_WORD = r"[^\s\"'`\\;|&<>$(){}]"  # of a shell, of what is no variable
_ARG = rf"{QUOTE}?(?P<secret>{_WORD}{{4,200}})"
_OPTIONS = r"(?:[^\n;|&]|\\\n){0,200}?"
_AUTH = r"(?P<secret>(?:[A-Za-z0-9+/_.~:=-]|%2[BbFf]|%3[DdAa]){8,4000})"
_LINK = (
    rf"{QUOTE}?\]?{GAP}{{0,4}}(?::|=>|=|,|%3A){GAP}{{0,4}}{QUOTE}?"
    rf"(?:\\?{NEWLINE}\s{{0,8}}[^\w\n\"']{{0,3}}(?:\d{{1,6}}[^\w\n]{{1,2}})?\s{{0,8}})?(?:[^\s\w\"']{{0,8}}\s{{0,8}})?"
)
_LAST_FIELD = r"(?P<secret>(?=[^\s]{0,40}[\d!#%@^&+])(?!/)(?:[^\s:\"'`\\<]|\\[:\\]){6,200})(?=[\s\"'`\\<]|$)"
_COOKIE = r"(?:=|%3D)(?:\\{0,7}\"[^\s\"\\;]{1,400}\\{0,7}\"|[^\s;\"'`\\<]{0,1500})"  # a value may stand in quotes
_PAIR = rf"(?:expires=[^;\n\"'`\\<]{{0,40}}|(?:httponly|secure|partitioned)\b|[\w.%-]{{1,80}}{_COOKIE})"
_COOKIES = rf"[\w.%-]{{1,80}}{_COOKIE}(?:[;,]{GAP}{{0,3}}{_PAIR}){{0,60}}"
_ATTRIBUTES = r"(?:path|domain|expires|max-age|samesite|version)\b"

PLACES: tuple[Place, ...] = (
    Place(
        "url-password",
        ("://", ":\\/\\/"),
        r":(?:\\?/){2}[^\s:@/\"'<>\\]{0,100}:(?P<secret>[^\s@\"'<>\\/]{1,300})@(?=[\w.\[-])",
    ),
    Place(
        "url-password",
        ("%3a%2f%2f",),
        r"%3A%2F%2F(?:[^\s&%\"'])*?%3A(?P<secret>(?:[^\s&%\"']|%(?!40|2F|3A|20|22|0A)[0-9A-F]{2}){1,300})%40",
    ),
    Place(
        "url-token",
        ("://", ":\\/\\/"),
        r":(?:\\?/){2}(?P<secret>(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{20,200})@(?=[\w.\[-])",
    ),
    Place(
        "basic-authorization",
        ("basic ", "basic%20"),
        rf"basic{GAP}{{1,4}}(?P<secret>(?:[A-Za-z0-9+/=_-]|%3[Dd]|%2[BbFf]){{8,2000}})",
    ),
    Place("bearer-token", ("bearer ", "bearer%20"), rf"bearer{GAP}{{1,4}}{_AUTH}"),
    Place(
        "authorization",
        ("authorization",),
        rf"authorization{_LINK}(?:(?:bearer|basic|token|apikey|digest|negotiate|ntlm|key)(?:{GAP}|\+){{1,4}})?{_AUTH}",
    ),
    Place(
        "authorization",
        ("private-token", "auth-token", "api-key", "apikey", "app-key", "figma-token"),
        rf"[\w-]{{3,30}}{_LINK}(?P<secret>[A-Za-z0-9+/_.=-]{{16,400}})",
    ),
    Place(
        "cookie",
        ("cookie",),
        rf"cookie2?{QUOTE}?{GAP}{{0,3}}(?::|=>|,|%3A){GAP}{{0,3}}{QUOTE}?(?P<secret>{_COOKIES})",
    ),
    Place(
        "cookie",
        ("curl",),
        rf"curl\b{_OPTIONS}\s(?:-b|--cookie)[ =]{QUOTE}?(?P<secret>[\w.-]{{1,80}}=[^\s\"'`\\]{{8,4000}})",
    ),
    Place(
        "signature",
        ("sig=", "signature=", "sig%3d", "signature%3d"),
        r"(?:sig|signature)(?:=|%3D)(?P<secret>(?:[A-Za-z0-9+/_-]|%2[BbFf]|%252[BbFf]){20,1200}(?:=|%(?:25)?3[Dd]){0,2})",
    ),
    Place("password", ("mysql", "mariadb"), rf"(?:mysql|mariadb)\w*\b{_OPTIONS}\s-p{_ARG}"),
    Place("password", ("sshpass",), rf"sshpass\s+-p\s*{_ARG}"),
    Place(
        "password",
        ("docker login", "podman login", "helm registry login", "az login", "buildah login", "npm login"),
        rf"login\b{_OPTIONS}\s-p\s*{_ARG}",
        20,
    ),
    Place(
        "password",
        ("curl",),
        rf"curl\b{_OPTIONS}\s(?:-[a-zA-Z]{{0,6}}[uU]|--(?:proxy-)?user)[ =]?"
        rf"{QUOTE}?[^\s:\"'`\\$]{{1,100}}:(?P<secret>{_WORD}{{3,200}})",
    ),
    Place(
        "password",
        ("http -a", "https -a", "http --auth", "https --auth"),
        rf"https?\s+(?:-a|--auth)[ =]{QUOTE}?[^\s:\"'`\\$]{{1,100}}:(?P<secret>{_WORD}{{3,200}})",
    ),
    Place("password", ("redis-cli",), rf"redis-cli\b{_OPTIONS}\s-a\s+{_ARG}"),
    Place("password", ("sqlcmd", "bcp "), rf"(?:sqlcmd|bcp)\b{_OPTIONS}\s-P\s*{_ARG}"),
    Place(
        "password",
        ("ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami", "ldapdelete"),
        rf"ldap[a-z]+\b{_OPTIONS}\s-w\s+{_ARG}",
    ),
    Place(
        "password",
        ("-passin", "-passout", "pass:"),
        rf"(?:-pass(?:in|out)?\s+)?{QUOTE}?pass:(?!:)(?P<secret>{_WORD}{{4,200}})",
    ),
    Place("password", ("htpasswd",), rf"htpasswd\s+-[a-zA-Z]*b[a-zA-Z]*\s+\S+\s+\S+\s+{_ARG}"),
    Place(
        "password",
        ("chpasswd",),
        rf"echo\s+(?:-n\s+)?{QUOTE}?[\w.-]{{1,40}}:(?P<secret>{_WORD}{{4,200}}){QUOTE}?\s*\|\s*(?:sudo\s+)?chpasswd",
        260,
    ),
    Place(
        "password",
        ("--password-stdin", "sudo -s", "--with-token"),
        rf"(?:echo|printf)\s+(?:-n\s+|'%s'\s+)?{QUOTE}?(?P<secret>{_WORD}{{4,300}}){QUOTE}?\s*\|"
        rf"[^\n|]{{0,120}}(?:--password-stdin|sudo -S|--with-token)",
        460,
    ),
    Place("password", ("smbclient", "-u "), rf"-U\s+{QUOTE}?[\w.\\/-]{{1,60}}%(?P<secret>{_WORD}{{4,200}})", 0),
    Place(
        "password", ("smbclient",), rf"smbclient\b{_OPTIONS}-U\s+{QUOTE}?[\w.\\/-]{{1,60}}%(?P<secret>{_WORD}{{4,200}})"
    ),
    Place(
        "password",
        ("identified by", "identified with"),
        r"identified\s+(?:with\s+\S{1,40}\s+)?by\s+(?:password\s+)?(?:\\{0,7}['\"]|&#x27;)(?P<secret>[^\"'`\\\n&%]{3,200})",
    ),
    Place(  # a line of .pgpass
        "password",
        (":5432:", ":5433:", ":6432:", ":*:"),
        rf":(?:\d{{4,5}}|\*):[\w*.-]{{1,60}}:(?!log-group|role\b)[\w*.@-]{{1,60}}:{_LAST_FIELD}",
    ),
    Place(
        "password",
        ("pgpass",),
        rf"pgpass(?s:.{{0,400}}?):(?:\d{{2,5}}|\*):[\w*.-]{{1,60}}:[\w*.@-]{{1,60}}:{_LAST_FIELD}",
    ),
    Place("secret", ("secret set",), rf"secret\s+set\b{_OPTIONS}\s(?:--body|-b)[ =]{_ARG}"),
)

_NOT_ONE = re.compile(
    r"(?i)[<{$*…]|\.\.\.|(?<![a-z0-9])x{4,}|x{6,}|^(?:user|username|password|passwd|pass|pw|pwd|secret|token|your.{0,20}|port|\d{2,5})$|redacted|%s|^[%]|example|placeholder"
)


def is_one(kind: str, secret: str) -> bool:
    """Say whether what stands at such a place is a secret, and no blank for one, variable or word."""
    if kind == "cookie":
        return any(_is_cookie(pair) for pair in re.split(r"[;,]\s*", secret))
    if _NOT_ONE.search(secret):
        return False
    if kind == "basic-authorization":
        return _is_basic(secret)
    if kind in ("bearer-token", "authorization", "signature", "url-token"):
        has_both = sum(c.isdigit() for c in secret) >= 2 and any(c.isalpha() for c in secret)
        return len(secret) >= 12 and (has_both or is_scrambled(secret))
    return True


def _is_cookie(pair: str) -> bool:
    has_digit = len(pair) >= 10 and any(c.isdigit() for c in pair)
    return has_digit and not _NOT_ONE.search(pair) and not re.match(_ATTRIBUTES, pair, re.IGNORECASE)


def _is_basic(value: str) -> bool:
    value = value.replace("%3D", "=").replace("%3d", "=")
    try:
        said = base64.b64decode(
            value + "=" * (-len(value) % 4), altchars=b"-_" if "-" in value or "_" in value else None
        )
    except (binascii.Error, ValueError):
        return False
    return b":" in said
