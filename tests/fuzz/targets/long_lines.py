"""The reader of lines too long to hold: the same JSON, however the line comes, and never more than the bound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import json_bytes, json_values
from watcher.transcript import tail
from watcher.transcript.long_lines import KEEP, LIMIT, Shortened

UNITS = st.lists(
    st.sampled_from(["a", '"', "\\", "\n", "é", "日", "🎉", "🎉", "🎉", "\0", "\u2028", "\\u12", "\\", "ud83d"]),
    min_size=1,
    max_size=5,
).map("".join)
LONG = st.tuples(UNITS, st.integers(1, 3 * KEEP)).map(lambda made: made[0] * (made[1] // len(made[0]) + 1))
# Cut anywhere in a row of characters that are two escapes each.
LONG |= st.integers(0, 12).map(lambda before: "a" * before + "🎉" * KEEP)
OBJECTS = st.dictionaries(st.sampled_from("abcdef"), LONG | st.integers() | st.lists(LONG, max_size=2), max_size=3)
WHOLE = st.builds(lambda value, is_ascii: json.dumps(value, ensure_ascii=is_ascii).encode(), OBJECTS, st.booleans())
CASES = st.tuples(
    WHOLE | json_bytes(json_values()),
    st.lists(st.integers(1, 70_000), min_size=1, max_size=4),  # the sizes of the pieces it comes in, again and again
    st.integers(0, 30).map(lambda often: often == 0),  # as a line of a file, longer than what is read as it is
)
EXAMPLES = 60
SIZE = 1 << 18  # bytes read at a time
PAD = LIMIT + 2 * SIZE  # bytes; a line with as many is not read as it is


def check(case: tuple[bytes, list[int], bool], folder: Path) -> None:
    line, sizes, in_file = case
    line = line.replace(b"\n", b"")
    was = _loaded(line)
    fed, at, number = Shortened(), 0, 0
    while at < len(line):
        # Not too many pieces: each of one byte makes a copy of what is kept so far.
        size = max(sizes[number % len(sizes)], len(line) // 300)
        fed.feed(line[at : at + size])
        at, number = at + size, number + 1
    _compare(was, fed.line())
    if in_file and was is not None:
        path = folder / "t.jsonl"
        pad = b'{"pad":"' + b"p" * PAD + b'","value":'
        path.write_bytes(pad + line + b"}\nnext\n")
        chunk = tail.read(path, size=SIZE)
        assert chunk.lines[0].length == len(pad + line) + 1
        assert chunk.position.offset == chunk.lines[0].length + 1
        _compare({"pad": "p" * PAD, "value": was}, chunk.lines[0].data)


def _loaded(line: bytes) -> Any:
    """Return what a line is, None where it is nothing, or nothing that can be compared."""
    try:
        return json.loads(line.decode(), parse_constant=str) if b"\0" not in line else None
    except (ValueError, RecursionError):
        return None


def _compare(was: Any, short: bytes) -> None:
    assert len(short) <= LIMIT
    if was is not None:
        assert _is_alike(was, json.loads(short.decode(), parse_constant=str))


def _is_alike(was: Any, now: Any) -> bool:
    """Say whether a value is what it was, but for the middle of long strings."""
    pairs = [(was, now)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            one, other = [*one, *one.values()], [*other, *other.values()]
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            pairs += zip(one, other, strict=True)
        elif one != other and not (isinstance(one, str) and isinstance(other, str) and _is_shortened(one, other)):
            return False
    return True


def _is_shortened(was: str, now: str) -> bool:
    head, _, rest = now.partition("\n[… ")
    count, _, tail = rest.partition(" bytes left out …]\n")
    is_short = len(head.encode()) <= 2 * KEEP and len(tail.encode()) <= 2 * KEEP
    return int(count) > 0 and was.startswith(head) and was.endswith(tail) and is_short


def work(case: tuple[bytes, list[int], bool]) -> None:
    fed = Shortened()
    fed.feed(case[0])
    fed.line()


def grown(case: tuple[bytes, list[int], bool], times: int) -> tuple[bytes, list[int], bool]:
    return case[0] * times, case[1], False
