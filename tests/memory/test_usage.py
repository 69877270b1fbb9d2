"""What asking came to, by day, project and session: a day is one where the user is, whatever its length."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from watcher.memory import requests, usage
from watcher.memory.database import Database, driver
from watcher.memory.usage import Line, Spent

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the user live where the clock changes twice a year."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


def ask(database: Database, when: int, *, session: str = "s", project: str = "/p", cost: float = 0.5) -> int:
    with database.write() as connection:
        request_id = requests.begin(
            connection, session_id=session, project=project, agent="a", model="m", turns=1, tool_uses=3, now=when
        )
        requests.finish(connection, request_id, outcome="answered", input_tokens=100, output_tokens=10, cost_usd=cost)
        return request_id


@pytest.mark.parametrize(
    ("now", "begin", "end", "hours"),
    [
        ("2026-11-24T15:00", "2026-11-24T00:00", "2026-11-25T00:00", 24),
        ("2026-11-24T00:00", "2026-11-24T00:00", "2026-11-25T00:00", 24),
        ("2026-11-24T23:59:59.999", "2026-11-24T00:00", "2026-11-25T00:00", 24),
        ("2026-03-29T01:00", "2026-03-29T00:00", "2026-03-30T00:00", 23),
        ("2026-03-29T23:00", "2026-03-29T00:00", "2026-03-30T00:00", 23),
        ("2026-10-25T01:30", "2026-10-25T00:00", "2026-10-26T00:00", 25),
        ("2026-10-25T22:00", "2026-10-25T00:00", "2026-10-26T00:00", 25),
    ],
)
def test_a_day_begins_and_ends_at_midnight(now: str, begin: str, end: str, hours: int) -> None:
    assert usage.day(at(now)) == (at(begin), at(end))
    assert at(end) - at(begin) == hours * HOUR


def test_days_before_are_found_over_a_change_of_the_clock() -> None:
    assert usage.day(at("2026-03-30T00:10"), 1) == (at("2026-03-29T00:00"), at("2026-03-30T00:00"))
    assert usage.day(at("2026-10-26T23:50"), 1) == (at("2026-10-25T00:00"), at("2026-10-26T00:00"))
    assert usage.day(at("2026-10-26T23:50"), 2) == (at("2026-10-24T00:00"), at("2026-10-25T00:00"))


def test_today_is_what_was_asked_since_midnight(database: Database) -> None:
    for when in ("2026-11-23T23:59:59.999", "2026-11-24T00:00", "2026-11-24T18:00", "2026-11-25T00:00"):
        ask(database, at(when))
    with database.read() as connection:
        assert usage.today(driver(connection), at("2026-11-24T12:00")) == Spent(2, 6, 200, 20, 1.0)
        assert usage.today(driver(connection), at("2026-12-24T12:00")) == Spent(0, 0, 0, 0, 0.0)
        assert usage.is_any(driver(connection))


def test_an_empty_memory_has_asked_nothing(database: Database) -> None:
    with database.read() as connection:
        assert not usage.is_any(driver(connection))
        assert usage.by_day(driver(connection), 30, at("2026-11-24T12:00")) == []
        assert usage.by_project(driver(connection), 0) == []
        assert usage.by_session(driver(connection), 0) == []


def test_by_day(database: Database) -> None:
    for when in ("2026-10-25T00:10", "2026-10-25T23:50", "2026-10-24T23:50", "2026-10-26T00:10"):
        ask(database, at(when))
    with database.read() as connection:
        found = usage.by_day(driver(connection), 3, at("2026-10-26T12:00"))
        assert [(line.name, line.spent.requests) for line in found] == [
            ("2026-10-26", 1),
            ("2026-10-25", 2),
            ("2026-10-24", 1),
        ]
        assert len(usage.by_day(driver(connection), 2, at("2026-10-26T12:00"))) == 2
        assert len(usage.by_day(driver(connection), 3, at("2026-10-27T12:00"))) == 2  # none of today


def test_by_project_the_dearest_first(database: Database) -> None:
    ask(database, 1000, project="/old")
    ask(database, 2000, project="/a", cost=0.1)
    ask(database, 3000, project="/b", cost=0.2)
    ask(database, 4000, project="/a", cost=0.05)
    with database.read() as connection:
        found = usage.by_project(driver(connection), 2000)
    assert [(line.name, line.last_at, line.spent.requests) for line in found] == [("/b", 3000, 1), ("/a", 4000, 2)]


def test_by_session_the_newest_first(database: Database) -> None:
    ask(database, 1000, session="old", project="/a")
    ask(database, 2000, session="x", project="/a")
    ask(database, 3000, session="y", project="/b")
    ask(database, 4000, session="x", project="/a")
    with database.read() as connection:
        assert usage.by_session(driver(connection), 2000) == [
            Line("x", "/a", 4000, Spent(2, 6, 200, 20, 1.0)),
            Line("y", "/b", 3000, Spent(1, 3, 100, 10, 0.5)),
        ]
        assert usage.of_session(driver(connection), "x") == Spent(2, 6, 200, 20, 1.0)
        assert usage.of_session(driver(connection), "nobody") == Spent(0, 0, 0, 0, 0.0)
