"""Owns what is kept of a tool use: bounded excerpts without secrets, and the files it read and modified.

Nothing of a text goes on from here but by `excerpt`. What is cut away is not looked at, but for a margin: a secret
that the cut would halve goes as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from watcher.privacy.plain import plain
from watcher.privacy.redaction import clean, redact, redact_part

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')  # of JSON
_CONTROL = re.compile("\\\\(?:[bfr]|u00[01])|[\x85\u2028\u2029]")  # as JSON writes what moves a terminal

_READING = {"Read": "file_path", "NotebookRead": "notebook_path"}
_MODIFYING = {
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "Write": "file_path",
    "NotebookEdit": "notebook_path",
}


def excerpt(text: str, limit: int) -> str:
    """Return a plain text without its secrets, cut in the middle to `limit` characters of what it was.

    Beginnings name things, ends tell how it went.
    """
    text = plain(text)  # first: what cannot be seen may part a secret, also one that the cut halves
    if len(text) <= limit:
        return redact(text)
    head = limit * 3 // 5
    tail = limit - head
    beginning, end = redact_part(text, 0, head), redact_part(text, len(text) - tail, len(text))
    return f"{beginning}\n[… {len(text) - limit} characters left out …]\n{end}"


def input_excerpt(arguments: Mapping[str, Any], limit: int) -> str:
    """Return a tool use's arguments as JSON, each long text in them cut in its middle.

    It stays valid JSON unless so many arguments are given that the whole must be cut as well.
    """
    count = sum(isinstance(value, str) for value in arguments.values())
    most = max(200, limit // max(1, count))
    if any(isinstance(value, str) and len(value) > most for value in arguments.values()):
        arguments = {
            name: excerpt(value, most) if isinstance(value, str) and len(value) > most else value
            for name, value in arguments.items()
        }
    try:
        text = orjson.dumps(arguments).decode()
    except TypeError:  # a number of more than 64 bits
        text = json.dumps(arguments, ensure_ascii=False)
    if _CONTROL.search(text):  # whoever reads the JSON would take it away, and so join what it parts
        text = _STRING.sub(_without_controls, text)
    return excerpt(text, limit * 2)  # as a whole: what is nested, and what its name makes a secret


def files_read(name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that a tool use reads."""
    return _file(_READING.get(name), arguments)


def files_modified(name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files that a tool use writes."""
    return _file(_MODIFYING.get(name), arguments)


def _file(key: str | None, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    path = arguments.get(key) if key else None
    return (_clean_path(path),) if isinstance(path, str) and path else ()


_clean_path = lru_cache(maxsize=4096)(clean)  # the same few files again and again


def _without_controls(string: re.Match[str]) -> str:
    text = string[0]
    return json.dumps(plain(json.loads(text)), ensure_ascii=False) if _CONTROL.search(text) else text
