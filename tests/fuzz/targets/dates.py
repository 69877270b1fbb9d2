"""Dates as users type them: a moment, or an error that says what can be typed."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.values import texts
from watcher.cli import dates
from watcher.errors import UsageError
from watcher.memory.search_filters import clean
from watcher.recall import tools

WORDS = (
    "today",
    "yesterday",
    "12h",
    "9999w",
    "0d",
    "2026-11-01",
    "2026-13-01",
    "0001-01-01",
    "9999-12-31",
    "T14:30",
    "Z",
)
WORDS += ("T24:00", "+23:59", "20261101", "2026-W01-1", "2026-11-01T14:30:00.123456789", "h", "d", "w", "-", "1" * 13)
CASES = st.tuples(st.one_of(st.sampled_from(WORDS), texts(*WORDS, most=4), st.datetimes().map(str),
                            st.dates().map(str)), st.integers(0, 2**42))  # fmt: skip
EXAMPLES = 300
DAY = 86_400_000  # milliseconds


def check(case: tuple[str, int], folder: Path) -> None:
    text, now = case
    try:
        begin, end = dates.since("--since", text, now), dates.until("--until", text, now)
    except UsageError as error:
        if not error.hint:
            raise
    else:
        assert 0 <= end - begin < 1.1 * DAY
    try:  # what a model types
        begin, end = (tools.epoch(clean(text).strip(), is_end=is_end) for is_end in (False, True))
    except ValueError:
        return
    assert 0 <= end - begin < 1.1 * DAY
