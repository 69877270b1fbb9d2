"""Owns secrets that are longer than a word: private keys in their armour, and base64 that hides any other."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from watcher.privacy.syntax import COLOUR, NEWLINE, Span

ARMOURS = ("private key", "private-lines:", "private+key", "private%20key")
PRIVATE_KEY = "private-key"
MOST = 20_000  # characters of a key with all that stands between its lines
_LABEL = r"-{5}(?:BEGIN|END)(?: |%20|\+)[A-Z0-9 %+]{0,40}PRIVATE(?: |%20|\+)KEY(?:(?: |%20|\+)BLOCK)?-{5}"
_BEGIN = re.compile(_LABEL.replace("(?:BEGIN|END)", "BEGIN"))
_END = re.compile(_LABEL.replace("(?:BEGIN|END)", "END"))
_LINE_END = re.compile(NEWLINE)
# A line of a key's body: what it is indented, numbered or marked with, then base64, then what a string ends with.
_BODY = re.compile(r"[^\n]{0,80}?(?:[A-Za-z0-9+/=]|%2[BF]|%3D){16,}[^A-Za-z0-9]{0,20}(?:\x1b\[0?m|\\{1,4}u001b\[0?m)?[^A-Za-z0-9]{0,4}\Z")
_LETTERS = re.compile(r"(?:[A-Za-z0-9+/=]|%2[BF]|%3D){16,}")
_WHOLE = re.compile(r"[A-Za-z0-9+/]{40}")
_SHORT = re.compile(rf"(?:{COLOUR})?[^A-Za-z0-9\n]{{0,40}}(?:\d{{1,6}}[^A-Za-z0-9\n]{{1,8}})?[A-Za-z0-9+/=]{{0,80}}[^A-Za-z0-9]{{0,20}}(?:{COLOUR})?\Z")
_HEADER = re.compile(r"[^\n]{0,40}?(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): ?[^\n]{0,80}\Z")

BASE64_LEAST = 24
_RUN = re.compile(r"(?:[A-Za-z0-9+/]{56,80}(?:\r?\n|\\n|\\r\\n)){1,300}[A-Za-z0-9+/]{1,80}={0,2}|[A-Za-z0-9+/_-]{24,60000}={0,2}")
_SAMPLE, _STRIDE = 20, 48  # characters
_HIDDEN = (
    *("password", "passwd", "secret", "token", "api_key", "apikey", "api-key", "access_key", "private", "credential", "://"),
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
    """Return where the lines of a key end that begin somewhere."""
    most = min(len(text), at + MOST)
    stop = at
    for begin, end in _lines(text, at, most):
        line = text[begin:end]
        if _BODY.match(line) or (len(line) < 160 and _WHOLE.search(line)):
            stop = begin + max(run.end() for run in _LETTERS.finditer(line))  # what ends a string stays
        elif _HEADER.match(line):
            stop = end
        elif _SHORT.match(line) or begin == at:
            continue
        else:
            break
    return stop


def _body_start(text: str, at: int) -> int:
    """Return where the lines of a key begin that end somewhere."""
    least = max(0, at - MOST)
    least = max(least, text.rfind("-----", least, at) + len("-----")) if "-----" in text[least:at] else least
    start = at
    for begin, end in reversed(list(_lines(text, least, at))):
        line = text[begin:end]
        if _BODY.match(line) or (begin == least and len(line) < 80 and _SHORT.match(line)):
            run = _LETTERS.search(line)
            start = begin + (run.start() if run else len(line))
        elif end >= at - 170 and len(line) < 120:
            continue  # its last line, and what the line of its end begins with
        else:
            break
    return start


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    for gap in _LINE_END.finditer(text, start, end):
        yield at, gap.start()
        at = gap.end()
    yield at, end


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


def has_long_run(text: bytes) -> bool:
    """Say whether there may be a long run of base64: at every so many letters, are the next ones no words?

    Every run of 67 letters is seen, unless just there it has a sign that is neither letter nor digit.
    """
    for at in range(0, len(text) - _SAMPLE, _STRIDE):
        if text[at : at + _SAMPLE].isalnum():
            return True
    return False


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
