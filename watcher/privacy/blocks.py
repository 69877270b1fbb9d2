"""Owns secrets that are longer than a word: private keys in their armour, and base64 that hides any other."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from watcher.privacy.syntax import GAP, LINE, NEWLINE, QUOTE, Span

ARMOURS = ("private key", "private-lines:", "private+key", "private%20key")
PRIVATE_KEY = "private-key"
MOST = 20_000  # characters of a key with all that stands between its lines
_LABEL = r"-{5}(?:BEGIN|END)(?: |%20|\+)[A-Z0-9 %+]{0,40}PRIVATE(?: |%20|\+)KEY(?:(?: |%20|\+)BLOCK)?-{5}"
_BEGIN = re.compile(_LABEL.replace("(?:BEGIN|END)", "BEGIN"))
_END = re.compile(_LABEL.replace("(?:BEGIN|END)", "END"))
# The lines of a key's body are whole but for the last one, and for one that was cut. Whatever stands between them is
# short: what a line begins with and ends with, in code, in a diff, with numbers; or they stand on one line.
_WHOLE = re.compile(r"(?:[A-Za-z0-9+/]|%2[BF]){40,}={0,2}")
_ENDS = re.compile(r"-----|\":|Private-MAC")  # no key goes on behind these
_BETWEEN = 110  # characters at most
_HEADERS = 300  # characters at most before the first line: Proc-Type, DEK-Info, Version, Comment
_LAST = re.compile(
    rf"(?:[^A-Za-z0-9\n]{{0,8}}(?:n[^A-Za-z0-9\n]{{1,8}})?{NEWLINE}{LINE}?|[ \t])"
    rf"{GAP}{{0,12}}{QUOTE}?[A-Za-z0-9+/=]{{1,70}}(?![\w (.:])"
)
_FIRST = re.compile(
    rf"{LINE}?{GAP}{{0,12}}{QUOTE}?(?P<line>[A-Za-z0-9+/=]{{1,70}})[^A-Za-z0-9]{{0,20}}"
    rf"(?:n[^A-Za-z0-9]{{0,20}})?{LINE}?{GAP}{{0,8}}\Z"
)

_RUN = re.compile(
    r"(?:[A-Za-z0-9+/]{56,80}(?:\r?\n|\\n|\\r\\n)){1,300}[A-Za-z0-9+/]{1,80}={0,2}|[A-Za-z0-9+/_-]{24,60000}={0,2}"
)
_LONG_RUN = re.compile(rb"(?s:.{0,63}[^a-z0-9+/])*+[a-z0-9+/]{64}")  # from sign to sign, as far apart as they may be
_HIDDEN = (
    *(
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "apikey",
        "api-key",
        "access_key",
        "private",
        "credential",
        "://",
    ),
    *("AccountKey", "BEGIN ", "Bearer ", "Basic ", "eyJ", "Cookie", "_key=", "_KEY="),
)


def find_key(text: str, start: int, end: int) -> Span | None:
    """Return the private key whose armour holds an anchor; a key that is cut off at one end, too."""
    if text[start : start + 13].lower() == "private-lines":
        stop = _body_end(text, end)
        return Span(end, stop, PRIVATE_KEY) if stop > end else None
    line = text.rfind("-----", max(0, start - 60), start)
    if line < 0:
        return None
    line = max(text.rfind("-----BEGIN", max(0, start - 60), start), text.rfind("-----END", max(0, start - 60), start))
    if line < 0:
        return None
    if begin := _BEGIN.match(text, line):
        ends = _END.search(text, begin.end(), begin.end() + MOST)
        other = text.find("-----BEGIN", begin.end(), ends.start() if ends else begin.end() + MOST)
        if ends and other < 0:
            return Span(line, ends.end(), PRIVATE_KEY)
        stop = _body_end(text, begin.end())
        return Span(line, stop, PRIVATE_KEY) if stop > begin.end() + 16 else None
    if ends := _END.match(text, line):
        first = _body_start(text, line)
        return Span(first, ends.end(), PRIVATE_KEY) if first < line - 16 else None
    return None


def _body_end(text: str, at: int) -> int:
    """Return where the body of a key ends that begins somewhere."""
    stop = at
    between = _HEADERS
    while (line := _WHOLE.search(text, stop, stop + between + 200)) and line.start() - stop <= between:
        if line.end() - at > MOST or _ENDS.search(text, stop, line.start()):
            break
        stop, between = line.end(), _BETWEEN
    last = _LAST.match(text, stop)
    return last.end() if last else stop


def _body_start(text: str, at: int) -> int:
    """Return where the body of a key begins that ends somewhere."""
    least = max(0, at - MOST)
    least = max(least, text.rfind("-----", least, at) + len("-----")) if "-----" in text[least:at] else least
    start = at
    between = _BETWEEN + 70  # the last line is none of the whole ones
    for line in reversed(list(_WHOLE.finditer(text, least, at))):
        if start - line.end() > between or _ENDS.search(text, line.end(), start):
            break
        start, between = line.start(), _BETWEEN
    if least == 0 and start <= _BETWEEN and (cut := _FIRST.match(text, 0, start)):
        start = cut.start("line")
    return start + 1 if text[start - 1 : start] == "\\" and text[start] in "nrt" else start  # not half of an escape


def hidden() -> set[str]:
    """Return what base64 has of words that tell a secret, wherever in it they begin; in lower case."""
    found = set()
    for word in _HIDDEN:
        for written in {word, word.upper(), word.capitalize()} if word.islower() else {word}:
            for before in range(3):
                encoded = base64.b64encode(b"\0" * before + written.encode()).decode().rstrip("=")
                first = (0, 2, 3)[before]
                last = (before + len(written)) * 8 // 6
                sign = encoded[first:last].lower()[:6]  # more would tell no better, and fill the memory
                if len(sign) > 4 or (len(sign) == 4 and not sign.isalpha()):
                    found.add(sign)
    return found


def has_long_run(lowered: bytes) -> bool:
    """Say whether there is a run of base64 as long as no word: of 64 letters."""
    return _LONG_RUN.match(lowered) is not None


def runs(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield what in a text may be base64 of a text: from where to where, and that text."""
    for run in _RUN.finditer(text):
        said = _decoded(run.group())
        if said:
            yield run.start(), run.end(), said


def _decoded(run: str) -> str:
    data = re.sub(r"[\r\n]|\\r|\\n", "", run) if "\n" in run or "\\" in run else run
    data = data.rstrip("=").replace("-", "+").replace("_", "/")
    data = data[: len(data) // 4 * 4 + (len(data) % 4 if len(data) % 4 != 1 else 0)]
    try:
        said = base64.b64decode(data + "=" * (-len(data) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    shown = sum(c.isprintable() or c in "\n\r\t" for c in said)
    return said if shown >= 0.95 * len(said) else ""
