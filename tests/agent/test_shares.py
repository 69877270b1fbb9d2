"""Room is shared by weight, and a text is cut to its share in bytes of the body, not in characters."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.agent.shares import GAP, LEAST, Want, cut, escape, shares, size

WANTS = st.lists(st.builds(Want, st.integers(0, 10_000), st.floats(0.1, 10)), max_size=60)


@given(WANTS, st.integers(-100, 100_000))
def test_all_shares_fit_and_no_room_is_wasted(wants: list[Want], room: int) -> None:
    given = shares(wants, room)
    assert all(0 <= share <= want.size for share, want in zip(given, wants, strict=True))
    total = sum(want.size for want in wants)
    assert sum(given) <= max(0, room)
    assert sum(given) >= min(total, room) - len(wants)
    # Whoever gets less than it wants gets no less for its weight than anybody else.
    for share, want in zip(given, wants, strict=True):
        if share < want.size:
            levels = [other / one.weight for other, one in zip(given, wants, strict=True)]
            assert (share + 1) / want.weight >= max(levels) - 1e-6


def test_the_rest_is_shared_by_weight() -> None:
    assert shares([Want(9_000, 3), Want(100, 1), Want(9_000, 1)], 4_100) == [3_000, 100, 1_000]
    assert shares([], 10) == []
    assert shares([Want(5, 1)], -1) == [0]


@given(st.text(), st.integers(0, 200), st.floats(0, 1))
def test_a_cut_text_has_its_bound_in_the_body(text: str, most: int, head: float) -> None:
    shown = cut(text, most, head=head)
    assert len(json.dumps(shown, ensure_ascii=False).encode()) - 2 <= most
    if size(escape(text)) <= most:
        assert shown == escape(text)


@pytest.mark.parametrize("character", ["x", '"', "<", "&", "日", "🎉", "\n"])
def test_a_cut_text_keeps_its_ends_and_uses_its_room(character: str) -> None:
    shown = cut("HEAD" + character * 9_000 + "TAIL", 1_000)
    assert shown.startswith("HEAD")
    assert shown.endswith("TAIL")
    assert size(shown) > 985
    first, last = shown.split(GAP)
    assert 1.8 < size(first) / size(last) < 2.2
    assert escape(character * 3) in first


def test_how_much_of_it_is_the_head_can_be_said() -> None:
    first, last = cut("a" * 9_000, 1_000, head=1 / 4).split(GAP)
    assert 2.8 < len(last) / len(first) < 3.2


def test_too_little_room_says_nothing() -> None:
    assert cut("x" * 100, LEAST - 1) == ""
    assert cut("x" * 100, LEAST) != ""
    assert cut("short", 5) == "short"
    assert cut("", 0) == ""


@pytest.mark.parametrize("hidden", ["\u200b", "\x1b[0m", "\x01"])
def test_a_secret_that_an_older_version_has_kept_in_two_parts_is_not_sent_as_one(hidden: str) -> None:
    key = "AKIA" + "Q3EGRB7X" + "W5ZJ4TNM"
    assert cut(f"echo {key[:9]}{hidden}{key[9:]} done", 1000) == "echo [redacted: aws-access-key] done"
