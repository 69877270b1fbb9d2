"""Owns how things look in a terminal: colours, times, and JSON for a pipe."""

from __future__ import annotations

import os
import shutil
import sys
import time
from datetime import datetime

import typer


def colours() -> bool | None:
    """Say whether to colour: None leaves it to whether the output is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def say(text: str, *, colour: str = "", bold: bool = False) -> None:
    """Print a line."""
    typer.secho(text, fg=colour or None, bold=bold, color=colours())


def say_json(value: object) -> None:
    """Print a value as JSON."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def fitted(line: str) -> str:
    """Return a line without its breaks, cut to the terminal's width; a pipe gets all of it."""
    whole = " ".join(line.splitlines()).rstrip()
    width = shutil.get_terminal_size().columns
    return whole if not sys.stdout.isatty() or len(whole) <= width else whole[: width - 1] + "…"


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
