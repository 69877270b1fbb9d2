"""Owns how the memory is told to a model that asks: a line, a card, and a bound on all of it. Knows no database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import chain

from watcher.memory.details import Details, Observation, Prompt, Summary
from watcher.privacy.origin import mark
from watcher.privacy.plain import one_line, plain

# Claude Code takes answers of up to 25,000 tokens; a fifth of that is as much as a look back should cost.
MOST = 20_000  # characters of an answer
_LINE = 200  # characters of a title, or of a prompt's beginning
_FIELD = 1_000  # characters of a summary's field, where it is one turn of many
_FIELDS = ("investigated", "learned", "completed", "next_steps", "notes")


def bounded(head: str, parts: Iterable[str]) -> tuple[str, int]:
    """Return a head and as many parts as fit, and how many these are; of the first one there is always something."""
    text, told = head, 0
    for part in parts:
        if len(text) + len(part) > MOST:
            if told:
                break
            part = f"{part[: MOST - len(text)]}… (cut off here)"  # noqa: PLW2901 - what is left of it
        text += f"\n{part}"
        told += 1
    return text, told


def line(text: str, most: int = _LINE) -> str:
    """Return a text on one line, cut to so many characters."""
    flat = one_line(text)
    return flat if len(flat) <= most else f"{flat[: most - 1].rstrip()}…"


def kind(type_: str, origin: str) -> str:
    """Return what kind of thing something is, and where it came from, where that is to be said."""
    return ", ".join(filter(None, (line(type_), mark(origin))))


def moment(epoch: int) -> str:
    """Return a time as the user's clock and calendar show it."""
    return datetime.fromtimestamp(epoch / 1000).strftime("%Y-%m-%d %H:%M")  # noqa: DTZ006 - the user's time


def detailed(what: Details) -> str:
    """Return all that matters of a row."""
    where = f"{moment(what.at)}, session {what.session_id}, prompt {what.prompt_number}"
    if isinstance(what, Observation):
        return _joined(
            f"## {what.id} {kind(what.type, what.origin)}: {line(what.title)}",
            f"{where}, in {line(what.project)}",
            _inner(what.subtitle),
            _inner(what.narrative),
            *(_inner(f"- {fact}") for fact in what.facts),
            _named("Concepts", ", ".join(what.concepts)),
            _named("Files read", ", ".join(what.files_read)),
            _named("Files changed", ", ".join(what.files_modified)),
        )
    if isinstance(what, Summary):
        head = f"## {what.id} {kind('summary', what.origin)}: {_inner(what.request)}"
        return _joined(head, f"{where}, in {line(what.project)}", *_fields(what))
    assert isinstance(what, Prompt)  # noqa: S101 - for the type checker
    return _joined(
        f"## {what.id} prompt",
        f"{where}, in {line(what.project)}",
        _inner(what.text),
        _named("Answer", what.closing_text),
    )


def turn(summary: Summary, titles: dict[str, tuple[str, str, str]]) -> str:
    """Return one turn of a session: what it came to, and a line for each of its observations, by id."""
    known = [(one, *titles[one]) for one in summary.observations if one in titles]
    told = (f"- {one} {kind(type_, origin)}: {line(title)}" for one, type_, title, origin in known)
    fields = (line(field, _FIELD) for field in _fields(summary))
    from_elsewhere = f" ({said})" if (said := mark(summary.origin)) else ""
    head = f"## {summary.id} {moment(summary.at)}{from_elsewhere} {line(summary.request)}"
    return _joined(*chain([head], fields, told))


def _fields(summary: Summary) -> list[str]:
    return [_named(name.replace("_", " ").capitalize(), getattr(summary, name)) for name in _FIELDS]


def _named(name: str, text: str) -> str:
    return f"{name}: {_inner(text)}" if text else ""


def _inner(text: str) -> str:
    """Return a text with its lines, but for the first, set in: only what is said here begins a line."""
    return "\n  ".join(plain(text).split("\n"))


def _joined(*lines: str) -> str:
    return "\n".join(one for one in lines if one)
