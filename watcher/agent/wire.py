"""Owns how what an agent is given, and what it answers, crosses to another process: a line of JSON each, and back.

Exact and generic: whatever dataclasses a batch and a reply are made of, what is read equals what was written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from watcher.agent.base import AgentError
from watcher.settings import AgentSettings

START = 0  # the number of the first message, and of the answer that says that its reader is ready

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Start:
    """What the process is told first, beside the version of the program that tells it."""

    settings: AgentSettings
    workdir: Path
    claude_dir: Path


def line(message: object) -> bytes:
    """Return something as one line, for `message` and `read`."""
    # Escaped: half a surrogate pair, as a transcript may hold, is no UTF-8.
    return json.dumps(message, default=_plain, separators=(",", ":")).encode("ascii") + b"\n"


def message(written: bytes) -> dict[str, Any]:
    """Return the JSON object that a line is.

    Raises:
        ValueError: it is none.
    """
    said = json.loads(written)
    if not isinstance(said, dict):
        raise ValueError(f"no object but {type(said).__name__}")  # noqa: TRY004
    return said


def read(kind: type[T], said: object) -> T:
    """Return what stands in a message, as a type made of dataclasses, tuples, enumerations, texts and numbers.

    Raises:
        ValueError: it is none.
    """
    try:
        value: T = _built(kind, said)
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"no {kind.__name__}: {error!r}") from error
    return value


def told(error: AgentError) -> dict[str, object]:
    """Return an error for `line`, all its fields included."""
    known = vars(error)
    return {"message": str(error)} | {name: known[name] for name in _hints(AgentError.__init__) if name in known}


def error(said: object) -> AgentError:
    """Return the error that stands in a message.

    Raises:
        ValueError: it is none.
    """
    try:
        return AgentError(**_each(AgentError.__init__, said))
    except (AttributeError, TypeError, KeyError) as wrong:
        raise ValueError(f"no error: {wrong!r}") from wrong


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"no way to write a {type(value).__name__}")


def _built(kind: Any, said: Any) -> Any:
    arguments = get_args(kind)
    origin = get_origin(kind) or kind
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**_each(kind, said))
    if origin in (Union, UnionType):
        if said is None and NoneType in arguments:
            return None
        (kind,) = (one for one in arguments if one is not NoneType)
        return _built(kind, said)
    if origin is tuple:
        kinds = arguments[:1] * len(said) if arguments[1:] == (Ellipsis,) else arguments
        return tuple(_built(one, part) for one, part in zip(kinds, said, strict=True))
    if origin is dict:
        return {arguments[0](name): _built(arguments[1], part) for name, part in said.items()}  # JSON's are texts
    if issubclass(kind, Enum | Path):
        return kind(said)
    if not isinstance(said, (int, float) if kind is float else kind) or kind not in (str, int, float, bool):
        raise TypeError(f"{type(said).__name__} for {kind.__name__}")
    return said


def _each(of: Callable[..., object], said: Any) -> dict[str, Any]:
    """Return the arguments that something is made with."""
    hints = _hints(of)
    return {name: _built(hints[name], value) for name, value in said.items()}


@cache
def _hints(of: Callable[..., object]) -> dict[str, Any]:
    return get_type_hints(of)
