"""Dates as users type them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from watcher.cli import dates
from watcher.errors import UsageError

HERE = datetime.fromisoformat("2026-11-24T15:30:20")
NOW = round(HERE.timestamp() * 1000)
DAY = timedelta(days=1)


def epoch(day: str) -> int:
    return round(datetime.fromisoformat(day).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-01", "2026-11-01", "2026-11-02"),
        (" Today ", "2026-11-24", "2026-11-25"),
        ("yesterday", "2026-11-23", "2026-11-24"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
    ],
)
def test_a_day_is_meant_whole(text: str, first: str, last: str) -> None:
    assert dates.since("--since", text, NOW) == epoch(first)
    assert dates.until("--until", text, NOW) == epoch(last) - 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("3d", HERE - 3 * DAY),
        ("2W", HERE - 14 * DAY),
        ("12h", HERE - DAY / 2),
        ("2026-11-01T14:30", datetime.fromisoformat("2026-11-01T14:30")),
        ("2026-11-01 14:30", datetime.fromisoformat("2026-11-01T14:30")),
        ("2026-11-01T14:30Z", datetime.fromisoformat("2026-11-01T14:30+00:00")),
    ],
)
def test_a_moment_is_a_moment(text: str, moment: datetime) -> None:
    assert dates.since("--since", text, NOW) == dates.until("--until", text, NOW) == moment.timestamp() * 1000


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "3x", "-3d", "1.11.2026", "99999w", "٣d", "\0"])
def test_what_is_no_date_is_said(text: str) -> None:
    for read in (dates.since, dates.until):
        with pytest.raises(UsageError, match="--since") as caught:
            read("--since", text, NOW)
        assert "2026-11-01" in caught.value.hint


def test_the_last_day_of_all_is_too_far_away() -> None:
    with pytest.raises(UsageError, match="too far away"):
        dates.until("--until", "9999-12-31", NOW)
