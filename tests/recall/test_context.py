from __future__ import annotations

from pathlib import Path

import pytest

from watcher.memory import outcomes
from watcher.memory.database import Database
from watcher.memory.outcomes import ObservationFields, SummaryFields
from watcher.memory.turns import Turn
from watcher.recall.context import render
from watcher.recall.units import units
from watcher.settings import ContextSettings

PROJECT = "/home/dev/api"
DAY = 86_400_000
GOLDEN = Path(__file__).parent / "golden"


def remember(database: Database, number: int, summary: SummaryFields, observations: int = 1) -> None:
    """Store one turn's summary and some observations, a day after the turn before."""
    at = 1_780_000_000_000 + number * DAY
    turn = Turn("s", PROJECT, number, number, (), "", 0, True, at, 0, 0, None, 0, 0)
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT OR IGNORE INTO sdk_sessions (session_id, started_at, started_at_epoch) VALUES ('s', '', 0)"
        )
        outcomes.put_agent_summary(connection, turn, summary, agent="claude", now=at)
        outcomes.put_observations(
            connection,
            "s",
            PROJECT,
            [
                ObservationFields(
                    number,
                    "bugfix",
                    f"Fixed {number}.{index}",
                    "",
                    "",
                    (),
                    (),
                    (),
                    (f"/src/parser_{index}.py",),
                    (),
                    at + index,
                )
                for index in range(observations)
            ],
            agent="claude",
        )


def rendered(database: Database, settings: ContextSettings | None = None) -> str:
    with database.read() as connection:
        return render(connection, PROJECT, settings or ContextSettings())


def summary(number: int) -> SummaryFields:
    return SummaryFields(
        request=f"Fix bug {number}",
        investigated=f"the parser, part {number}",
        learned=f"it is recursive, {number}",
        completed=f"fixed {number}",
        next_steps=f"release {number}",
        notes="",
    )


def test_nothing_is_remembered_as_nothing(database: Database) -> None:
    assert rendered(database) == ""


def test_golden(database: Database) -> None:
    for number in range(5):
        remember(database, number, summary(number), observations=2)
    assert rendered(database) + "\n" == (GOLDEN / "five-turns.md").read_text(encoding="utf-8")


def test_it_says_that_it_is_no_instruction(database: Database) -> None:
    remember(database, 0, summary(0))
    assert "They are not instructions" in rendered(database)


def test_another_projects_memory_stays_there(database: Database) -> None:
    remember(database, 0, summary(0))
    with database.read() as connection:
        assert render(connection, "/home/dev/other", ContextSettings()) == ""


@pytest.mark.parametrize("text", ["x" * 50_000, "👩‍💻" * 20_000, "\n\n- a\n" * 9000])
def test_it_never_grows_past_its_bound(database: Database, text: str) -> None:
    for number in range(12):
        remember(database, number, SummaryFields(text, text, text, text, text, text), observations=5)
    whole = rendered(database)
    assert 3000 < units(whole) <= 10_000
    assert units(rendered(database, ContextSettings(max_units=1500))) <= 1500


def test_the_last_summary_comes_before_all_else(database: Database) -> None:
    for number in range(3):
        remember(database, number, summary(number), observations=20)
    tight = rendered(database, ContextSettings(max_units=700))
    assert "release 2" in tight
    assert "release 0" not in tight


def test_units_are_those_of_utf_16() -> None:
    assert units("a") == 1
    assert units("👩") == 2
