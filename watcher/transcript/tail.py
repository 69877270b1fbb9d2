"""Owns reading a growing file: whole lines from a position, and noticing when it is no longer that file.

Claude Code appends whole lines, yet a reader sees them torn, and a kill leaves half a line behind: only what ends
in a newline is taken. Lines end at b"\\n" alone; entries hold raw U+2028, at which `str.splitlines` would cut.

A position is good for a file as long as its head and the bytes before the offset are what they were. A file that
shrank, whose marker differs, or that has a new inode and another head, is read again from its start; whoever stores
the lines keeps them unique. However long a line or a file is, memory stays bounded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from watcher.transcript.long_lines import LIMIT, Shortened

HEAD = 1024  # bytes of the head that identify a file, fewer while it is shorter
MARKER = 1024  # bytes before the offset that must stay what they were; the last 64 are those of half of all lines
CHUNK = 4 << 20  # bytes read at a time: some hundred tool uses
LONGEST = LIMIT  # bytes of a line that is read as it is; of a longer one, the long strings are shortened


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read, and what it looked like up to there."""

    file_id: str  # device and inode
    offset: int  # bytes; always just behind a newline
    head_length: int  # bytes of the head that `head_hash` covers
    head_hash: str
    marker_hash: str


START = Position(file_id="", offset=0, head_length=0, head_hash="", marker_hash="")


class Line(NamedTuple):
    """One line without its line ending. A tuple: there are many, and one is made in half the time of a dataclass."""

    offset: int  # bytes, of its first byte
    data: bytes
    length: int  # bytes in the file; more than `data` where it had to be shortened


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some whole lines, and where the next ones begin."""

    lines: tuple[Line, ...]
    skipped: int  # lines that were whole, and not wanted
    position: Position
    restarted: bool  # the file was not the one of the position given; these lines are its first
    more: bool  # the file has more bytes than were read


Skip = Callable[[bytes, int], object]  # given some bytes and where in them a line begins


def _none(_data: bytes, _start: int) -> bool:
    return False


def read(path: Path, position: Position = START, size: int = CHUNK, *, skip: Skip = _none) -> Chunk:
    """Read the whole lines behind a position, some `size` bytes of them, but for those that `skip` is true of.

    Raises:
        OSError: the file cannot be read; FileNotFoundError where it is not there.
    """
    with path.open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        file_id = f"{status.st_dev}:{status.st_ino}"
        is_same = _is_same(file, position, file_id, status.st_size)
        offset = position.offset if is_same else 0
        file.seek(offset)
        lines, skipped, end = _whole_lines(file, offset, size, skip)
        has_read = end > offset
        new = _position(file, file_id, end) if has_read or not is_same else position
        return Chunk(lines, skipped, new, restarted=not is_same, more=has_read and end < status.st_size)


def _is_same(file: BinaryIO, position: Position, file_id: str, size: int) -> bool:
    """Say whether the position is one in this file."""
    if position.offset == 0:
        return True
    if size < position.offset or _marker(file, position.offset) != position.marker_hash:
        return False
    return file_id == position.file_id or _hash(file, 0, position.head_length) == position.head_hash


def _position(file: BinaryIO, file_id: str, offset: int) -> Position:
    head_length = min(HEAD, offset)
    return Position(file_id, offset, head_length, _hash(file, 0, head_length), _marker(file, offset))


def _marker(file: BinaryIO, offset: int) -> str:
    start = max(0, offset - MARKER)
    return _hash(file, start, offset - start)


def _hash(file: BinaryIO, start: int, length: int) -> str:
    file.seek(start)
    return hashlib.blake2b(file.read(length), digest_size=16).hexdigest()


def _whole_lines(file: BinaryIO, offset: int, size: int, skip: Skip) -> tuple[tuple[Line, ...], int, int]:
    """Read on until at least one line is whole, or the file ends; return them, and the offset behind them.

    The number between is that of the lines that were not wanted.

    What stands behind the last newline is left for the next time.
    """
    held = b""
    while block := file.read(size):
        end = block.rfind(b"\n")
        held += block  # without a copy where it is the first
        if end >= 0:
            end += len(held) - len(block) + 1
            return *_split(held, end, offset, skip), offset + end
        if len(held) > LONGEST:
            return _long_line(file, held, offset, size)
    return (), 0, offset


def _long_line(file: BinaryIO, beginning: bytes, offset: int, size: int) -> tuple[tuple[Line, ...], int, int]:
    """Read a line to its end in bounded memory; nothing where its end is not there yet."""
    shortened = Shortened()
    shortened.feed(beginning)
    length = len(beginning)
    while block := file.read(size):
        end = block.find(b"\n")
        shortened.feed(block if end < 0 else block[:end].removesuffix(b"\r"))
        length += len(block) if end < 0 else end
        if end >= 0:
            return (Line(offset, shortened.line(), length),), 0, offset + length + 1
    return (), 0, offset


def _split(data: bytes, length: int, offset: int, skip: Skip) -> tuple[tuple[Line, ...], int]:
    """Return the wanted ones of the lines in the first `length` bytes, and how many are not; only those are copied."""
    lines = []
    skipped = start = 0
    while start < length:
        end = data.index(b"\n", start)
        if skip(data, start):
            skipped += 1
        else:
            lines.append(Line(offset + start, data[start:end].removesuffix(b"\r"), end - start))
        start = end + 1
    return tuple(lines), skipped
