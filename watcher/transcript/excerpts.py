"""Owns what is kept of a tool use: bounded excerpts without secrets, and the files it read and modified.

Nothing of a text goes on from here but by `excerpt`. What is cut away is not looked at, but for a margin: a secret
that the cut would halve goes as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from watcher.privacy.redaction import names_a_secret, redact, redact_part

_CLEAN = (str, int, float, bool, type(None))  # what of a tool use's arguments holds no further texts
_READING = {"Read": "file_path", "NotebookRead": "notebook_path"}
_MODIFYING = {
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "Write": "file_path",
    "NotebookEdit": "notebook_path",
}


def excerpt(text: str, limit: int) -> str:
    """Return a text without its secrets, cut in the middle to `limit` characters of what it was.

    Beginnings name things, ends tell how it went.
    """
    text = text.replace("\0", "")
    if len(text) <= limit:
        return redact(text)
    head = limit * 3 // 5
    tail = limit - head
    beginning, end = redact_part(text, 0, head), redact_part(text, len(text) - tail, len(text))
    return _excerpt(beginning, end, len(text) - limit)


def _cut(text: str, limit: int) -> str:
    """Return a text that is without secrets, cut as an excerpt is."""
    head = limit * 3 // 5
    return text if len(text) <= limit else _excerpt(text[:head], text[head - limit :], len(text) - limit)


def _excerpt(beginning: str, end: str, left_out: int) -> str:
    return f"{beginning}\n[… {left_out} characters left out …]\n{end}"


def input_excerpt(arguments: Mapping[str, Any], limit: int) -> str:
    """Return a tool use's arguments as JSON, each long text in them cut in its middle.

    It stays valid JSON unless so many arguments are given that the whole must be cut as well.
    """
    count = sum(isinstance(value, str) for value in arguments.values())
    most = max(200, limit // max(1, count))
    arguments = {name: excerpt(value, most) if isinstance(value, str) else value for name, value in arguments.items()}
    try:
        text = orjson.dumps(arguments).decode()
    except TypeError:  # a number of more than 64 bits
        text = json.dumps(arguments, ensure_ascii=False)
    is_clean = all(isinstance(value, _CLEAN) and not names_a_secret(name) for name, value in arguments.items())
    # Looked at once more as a whole: what is nested, and what its name makes a secret.
    return _cut(text, limit * 2) if is_clean else excerpt(text, limit * 2)


def files_read(name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that a tool use reads."""
    return _file(_READING.get(name), arguments)


def files_modified(name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that a tool use writes."""
    return _file(_MODIFYING.get(name), arguments)


def _file(key: str | None, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    path = arguments.get(key) if key else None
    return (redact(path),) if isinstance(path, str) and path else ()
