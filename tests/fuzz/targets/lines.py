"""The line reader: a file that is appended to, torn, cut off, rewritten and replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from watcher.transcript import tail

PIECES = st.lists(
    st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b"\0", b"x", b"no", b"\xff", b"y" * 700, b"z" * 1500]), max_size=8
).map(b"".join) | st.binary(max_size=40)
STEPS = st.one_of(
    st.tuples(st.just("append"), PIECES),
    st.tuples(st.just("append"), PIECES),
    st.tuples(st.just("rewrite"), PIECES),  # the same file, other bytes
    st.tuples(st.just("replace"), PIECES),  # another file
    st.tuples(st.just("move"), st.just(b"")),  # another file with the same bytes
    st.tuples(st.just("cut"), st.integers(0, 3000)),
    st.tuples(st.just("overwrite"), st.integers(0, 3000)),  # one byte
)
CASES = st.tuples(st.lists(STEPS, min_size=1, max_size=8), st.sampled_from([1, 3, 64, 1024, 4096]))
EXAMPLES = 250


def check(case: tuple[list[tuple[str, Any]], int], folder: Path) -> None:
    """A reader that looks after every step has what a model says it has."""
    steps, size = case
    path = folder / "t.jsonl"
    path.write_bytes(b"")
    position, seen, head = tail.START, b"", b""
    since: list[tuple[int, bytes]] = []  # the lines, and where they begin, since the file was read from its start
    for kind, how in steps:
        _step(path, kind, how)
        content = path.read_bytes()
        same = _is_known(content, seen, head, position, path)
        before = position
        lines, restarted, position = _read_on(path, position, size)
        assert restarted == (not same)
        since = lines if restarted else since + lines
        assert position.offset == content.rfind(b"\n") + 1
        if position.offset <= tail.MARKER:  # whatever is changed in it is seen
            assert since == _whole_lines(content)
        assert lines == [(at, line) for at, line in _whole_lines(content) if at >= (len(seen) if same else 0)]
        seen = content[: position.offset]
        # Bytes before the marker may change unseen; the head is looked at anew where the file has grown.
        head = head if position == before else content[: position.head_length]


def _step(path: Path, kind: str, how: Any) -> None:
    content = path.read_bytes()
    match kind:
        case "append":
            with path.open("ab") as file:
                file.write(how)
        case "rewrite":
            path.write_bytes(how)
        case "replace" | "move":
            other = path.with_name("other")
            other.write_bytes(how if kind == "replace" else content)
            other.replace(path)
        case "cut":
            os.truncate(path, min(how, len(content)))
        case "overwrite" if content:
            at = how % len(content)
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def _is_known(content: bytes, seen: bytes, head: bytes, position: tail.Position, path: Path) -> bool:
    """Say whether the file looks like the one that was read: by its bytes, where the reader compares hashes."""
    offset = position.offset
    if not offset:
        return True
    start = max(0, offset - tail.MARKER)
    status = path.stat()
    return content[start:offset] == seen[start:offset] and (
        position.file_id == f"{status.st_dev}:{status.st_ino}" or content[: len(head)] == head
    )


def _read_on(path: Path, position: tail.Position, size: int) -> tuple[list[tuple[int, bytes]], bool, tail.Position]:
    """Read to the end of the file, twice: once all of it, once without what begins with `no`, which must agree."""
    lines: list[tuple[int, bytes]] = []
    restarted = False
    while True:
        chunk = tail.read(path, position, size)
        wanted = tail.read(path, position, size, skip=lambda data, at: data.startswith(b"no", at))
        assert wanted.position == chunk.position
        assert [one for one in chunk.lines if not one.data.startswith(b"no")] == list(wanted.lines)
        assert wanted.skipped == len(chunk.lines) - len(wanted.lines)
        assert not chunk.restarted or not lines
        restarted |= chunk.restarted
        lines += [(line.offset, line.data) for line in chunk.lines]
        moved, position = chunk.position != position, chunk.position
        if not chunk.more or not moved:
            return lines, restarted, position


def _whole_lines(content: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    for line in content.split(b"\n")[:-1]:
        found.append((at, line.removesuffix(b"\r")))
        at += len(line) + 1
    return found
