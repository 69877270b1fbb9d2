"""Owns how things look in a terminal: colours, times, and JSON for a pipe.

What stands in the memory came from elsewhere: nothing of it that cannot be seen is printed. Where it is Claude that
runs a command, in its shell, it is told as to a model: no tag in it acts, and what is remembered stands in a frame.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer

from watcher.privacy import plain
from watcher.privacy.origin import mark


def colours() -> bool | None:
    """Say whether to colour: None leaves it to whether the output is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def say(text: str, *, colour: str = "", bold: bool = False, head: str = "") -> None:
    """Print a line; with a `head`, the colour is that's alone."""
    rest = shown(text)
    if head:
        typer.echo(typer.style(head, fg=colour) + rest, color=colours())
    else:
        typer.secho(rest, fg=colour or None, bold=bold, color=colours())


def say_json(value: object) -> None:
    """Print a value as JSON."""
    import orjson

    text = plain.escaped(orjson.dumps(value, default=_fields, option=orjson.OPT_INDENT_2).decode())
    sys.stdout.write((text.replace("<", "\\u003c") if _is_read_by_claude() else text) + "\n")


@contextmanager
def notes() -> Iterator[None]:
    """Put the frame around what is printed of the memory meanwhile, where it is Claude that reads it."""
    if not _is_read_by_claude():
        yield
        return
    typer.echo(f"{plain.OPENING}\n{plain.MARK}")
    yield
    typer.echo(plain.CLOSING)


def fitted(line: str) -> str:
    """Return a line without its breaks, cut to the terminal's width; a pipe gets all of it."""
    whole = " ".join(line.splitlines()).rstrip()
    width = shutil.get_terminal_size().columns
    return whole if not sys.stdout.isatty() or len(whole) <= width else whole[: width - 1] + "…"


def wrapped(head: str, text: str) -> list[str]:
    """Return a text behind its head, in as many lines as the terminal needs; a pipe gets one."""
    words = " ".join(text.split())
    if not sys.stdout.isatty():
        return [head + words]
    width = max(shutil.get_terminal_size().columns, len(head) + 20)
    indent = " " * len(head)
    lines = textwrap.wrap(words, width, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
    return lines or [head]


def on_one_line(text: str) -> str:
    """Return a text without its breaks, and without what would move a terminal's cursor."""
    return "".join(character for character in plain.one_line(text) if character.isprintable())


def from_elsewhere(title: str, origin: str) -> str:
    """Return a title, with where it came from before it where that is not the project."""
    return f"({said}) {title}" if (said := mark(origin)) else title


def cell(text: str, width: int) -> str:
    """Return a text on one line of so many columns: cut, or filled up with spaces."""
    line = on_one_line(text)
    if columns(line) > width:
        while columns(line) >= width:
            line = line[:-1]
        line += "…"
    return line + " " * (width - columns(line))


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "FW" else 1 for c in text)


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def clock_time(epoch: float) -> str:
    """Return a time (seconds) as the clock on the wall shows it."""
    return time.strftime("%H:%M:%S", time.localtime(epoch))


def local_time(epoch: int) -> str:
    """Return a time (milliseconds) as a date and a time where the user is."""
    return datetime.fromtimestamp(epoch / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def ago(milliseconds: int) -> str:
    """Return a span of time in its largest unit."""
    seconds = max(0, milliseconds) // 1000
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _is_read_by_claude() -> bool:
    return bool(os.environ.get("CLAUDECODE"))  # as Claude Code has it in every shell of its own


def shown(text: str) -> str:
    """Return a text as it is printed, to whoever it is that reads it."""
    return plain.shown(text) if _is_read_by_claude() else plain.plain(text)


def _fields(value: Any) -> dict[str, Any]:
    """Return a named tuple as JSON has it."""
    if not isinstance(value, tuple):
        raise TypeError
    return value._asdict()  # type: ignore[attr-defined,no-any-return]
