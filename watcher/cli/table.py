"""Owns tables and cards: rows as wide as the terminal is, and the fields of one thing below each other.

A pipe gets every text whole. What stands in the memory came from elsewhere: nothing of it moves a terminal's cursor.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import NamedTuple

from watcher.cli.style import cell, columns, on_one_line, say

_GAP = 2  # columns between two of the table's
_LEAST = 10  # columns of the one that gives way


class Column(NamedTuple):
    """One column of a table."""

    title: str = ""
    most: int = 0  # columns of the terminal; 0: as many as its texts take
    is_number: bool = False  # stands at the right
    gives_way: bool = False  # takes what the others leave


def print_table(header: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of as many texts as there are columns; the header too, where any column has a title."""
    texts = [[on_one_line(text) for text in row] for row in rows]
    widths = [_width(column, [row[number] for row in texts]) for number, column in enumerate(header)]
    is_cut = sys.stdout.isatty()
    if is_cut:
        left = shutil.get_terminal_size().columns - sum(
            width + _GAP for width, column in zip(widths, header, strict=True) if not column.gives_way
        )
        widths = [
            min(width, max(_LEAST, left)) if column.gives_way else width
            for width, column in zip(widths, header, strict=True)
        ]
    if any(column.title for column in header):
        say(_line(header, [column.title for column in header], widths, is_cut=is_cut), bold=True)
    for row in texts:
        say(_line(header, row, widths, is_cut=is_cut))


def print_card(head: str, fields: Sequence[tuple[str, str | Sequence[str]]]) -> None:
    """Print one thing: its head, and each field that holds something, a list's items on lines of their own."""
    for number, line in enumerate(_wrapped(on_one_line(head), _GAP)):
        say(" " * (_GAP if number else 0) + line, bold=True)
    width = max(columns(name) for name, _ in fields) + _GAP
    for name, value in fields:
        items = [value] if isinstance(value, str) else list(value)
        lines = [line for item in items for line in item.splitlines() or [item]]
        label = name
        for line in lines:
            if told := on_one_line(line):
                for piece in _wrapped(told, width):
                    say(f"{label:<{width}}{piece}")
                    label = ""


def _width(column: Column, texts: Sequence[str]) -> int:
    width = max((columns(text) for text in (column.title, *texts)), default=0)
    return min(width, column.most) if column.most else width


def _line(header: Sequence[Column], texts: Sequence[str], widths: Sequence[int], *, is_cut: bool) -> str:
    cells = []
    for column, text, width in zip(header, texts, widths, strict=True):
        if column.is_number:
            cells.append(f"{text:>{width}}")
        elif is_cut or (column.most == 0 and not column.gives_way):
            cells.append(cell(text, width))
        else:
            cells.append(text)  # a pipe's, which nobody reads by columns
    return (" " * _GAP).join(cells).rstrip()


def _wrapped(text: str, indent: int) -> list[str]:
    """Return a line in as many as the terminal needs beside an indent; a pipe gets one."""
    if not sys.stdout.isatty():
        return [text]
    width = max(shutil.get_terminal_size().columns - indent, 20)
    lines = [""]
    for word in text.split(" "):
        rest = word
        if lines[-1] and columns(f"{lines[-1]} {rest}") <= width:
            lines[-1] += f" {rest}"
            continue
        if lines[-1]:
            lines.append("")
        while columns(rest) > width:
            fits = _fitting(rest, width)
            lines[-1:] = [rest[:fits], ""]
            rest = rest[fits:]
        lines[-1] = rest
    return lines


def _fitting(word: str, width: int) -> int:
    """Return how many characters of a word that is too long fit."""
    end = width
    while columns(word[:end]) > width:
        end -= 1
    return end
