"""A line too long to hold becomes the same JSON with the middle of its long strings left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.transcript.long_lines import KEEP, LIMIT, Shortened

PARTS = st.lists(st.sampled_from(["a", '"', "\\", "\n", "é", "\u2028", "😀", "\x01", "\\u12", "/"]), max_size=30)
TEXTS = st.builds(lambda parts, times: "".join(parts) * times, PARTS, st.sampled_from([1, 3, 1000]))


def shortened(line: bytes, size: int) -> bytes:
    fed = Shortened()
    for start in range(0, len(line), size):
        fed.feed(line[start : start + size])
    return fed.line()


def check(was: Any, now: Any) -> None:
    """See that a value is what it was, but for the middle of long strings."""
    if isinstance(was, dict):
        assert list(now) == list(was)
        for key in was:
            check(was[key], now[key])
    elif isinstance(was, str) and now != was:
        head, _, rest = now.partition("\n[… ")
        count, _, tail = rest.partition(" bytes left out …]\n")
        assert int(count) > 0
        assert was.startswith(head)
        assert was.endswith(tail)
        assert len(head.encode()) <= 2 * KEEP
    else:
        assert now == was


@given(TEXTS, TEXTS, st.booleans(), st.sampled_from([1, 6, 1000, 1 << 16]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_it_is_the_same_json(one: str, two: str, is_ascii: bool, size: int) -> None:
    entry = {"type": "user", "one": one, "two": {"n": 1.5, "text": two, "none": None}}
    line = json.dumps(entry, ensure_ascii=is_ascii).encode()
    check(entry, json.loads(shortened(line, max(size, len(line) // 2000)).decode()))


def test_both_ends_of_a_long_string_are_kept() -> None:
    line = json.dumps({"id": "toolu_1", "text": "begin" + "x" * 3_000_000 + "end"}).encode()
    short = shortened(line, 1 << 16)
    assert len(short) < 3 * KEEP
    entry = json.loads(short)
    assert entry["id"] == "toolu_1"
    assert entry["text"].startswith("beginxxx")
    assert entry["text"].endswith("xxxend")


def test_a_string_of_nothing_but_escapes_is_cut_between_two_of_them() -> None:
    for escape in ("\\n", "\\\\", "\\u00e9", "\\ud83d\\ude00"):
        line = b'{"a":"' + (escape * 50_000).encode() + b'"}'
        assert "left out" in json.loads(shortened(line, 4096))["a"]


def test_escapes_that_are_none_hold_nothing_up() -> None:
    short = shortened(b'{"a":"' + b"\\uZZZZ" * 100_000 + b'"}', 4096)
    assert len(short) < 3 * KEEP
    with pytest.raises(ValueError, match="escape"):
        json.loads(short)


def test_a_hole_of_nul_bytes_before_it_goes() -> None:
    assert shortened(bytes(100_000) + b'{"a":"b"}', 4096) == b'{"a":"b"}'


def test_a_line_of_millions_of_short_strings_is_cut_off() -> None:
    short = shortened(b'{"a":[' + b'"xy",' * 2_000_000, 1 << 16)
    assert len(short) <= LIMIT
