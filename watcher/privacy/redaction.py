"""Owns what stands in the place of a secret: `[redacted: aws-access-key]`. The one way in for every text."""

from __future__ import annotations

from watcher.privacy import detectors
from watcher.privacy.plain import plain
from watcher.privacy.syntax import Span

# Around a part that is kept: what is looked at of a secret that a cut would halve, and of what says that it is one.
MARGIN = 400  # characters
LONGEST_WORD = 8000  # characters: a word that begins in the margin is looked at whole
_LEAST = 8  # characters of a text that can hold a secret


def clean(text: str) -> str:
    """Return a text as it is stored: plain, and without the secrets in it.

    In this order, as what cannot be seen may part a secret.
    """
    return redact(plain(text))


def redact(text: str) -> str:
    """Return a text without the secrets in it. The same once more, and where there is none, it stays as it is."""
    spans = detectors.find(text) if len(text) >= _LEAST else None
    return _without(text, spans, 0, len(text)) if spans else text


def redact_part(text: str, start: int, end: int) -> str:
    """Return a part of a text without the secrets in it, also those that reach over its ends.

    Of the rest of the text only a margin is looked at.
    """
    end = min(end, len(text))
    first = _word_before(text, start - MARGIN) if start > MARGIN else 0
    last = end + MARGIN
    looked_at = text if first == 0 and last >= len(text) else text[first:last]
    spans = detectors.find(looked_at) if len(looked_at) >= _LEAST else None
    if not spans:
        return text[start:end]
    return _without(text, [Span(one.start + first, one.end + first, one.kind) for one in spans], start, end)


def _without(text: str, spans: list[Span], start: int, end: int) -> str:
    pieces = []
    at = start
    for begin, stop, kind in spans:
        if stop <= start or begin >= end:
            continue
        pieces += [text[at:begin], f"[redacted: {kind}]"]
        at = stop
    pieces.append(text[at:end] if at < end else "")
    return "".join(pieces)


def _word_before(text: str, at: int) -> int:
    """Return where the word begins, or the private key, that is under way somewhere."""
    least = max(0, at - LONGEST_WORD)
    key = text.rfind("PRIVATE KEY", least, at)
    if key >= 0:
        return max(0, key - len("-----BEGIN ENCRYPTED "))
    return max(text.rfind(" ", least, at), text.rfind("\n", least, at), least - 1) + 1
