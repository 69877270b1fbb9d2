"""The figures count what is there, what waits and what was given up; what was given up can be tried again."""

from __future__ import annotations

from typing import Any

import pytest

from watcher.memory import figures, outcomes
from watcher.memory.database import Database, driver
from watcher.memory.figures import GivenUp
from watcher.memory.outcomes import Retried

MOST = 3  # tries


@pytest.fixture(autouse=True)
def _session(database: Database) -> None:
    add(database, "sdk_sessions", session_id="s", started_at="", started_at_epoch=1)


def add(database: Database, table: str, **values: Any) -> None:
    with database.write() as connection:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))


def add_tool_use(database: Database, name: str, status: str, *, excerpt: str | None, attempts: int = 0) -> None:
    known = {"session_id": "s", "prompt_number": 1, "name": "Bash", "files_read": "[]", "files_modified": "[]"}
    times = {"created_at": "", "created_at_epoch": 1}
    own = {"tool_use_id": name, "status": status, "input": excerpt, "output": excerpt, "attempts": attempts}
    add(database, "tool_uses", **known, **times, **own)


def add_summary(database: Database, number: int, source: str, *, attempts: int) -> None:
    fields = dict.fromkeys(("request", "investigated", "learned", "completed", "next_steps", "notes"), "")
    times = {"closing_at_epoch": 1, "created_at": "", "created_at_epoch": number, "updated_at_epoch": 1}
    own = {"prompt_number": number, "source": source, "attempts": attempts}
    whose = {"session_id": "s", "project": "/p", "summary_text": "", "agent": "a"}
    add(database, "session_summaries", **whose, **fields, **times, **own)


def test_an_empty_memory_has_nothing(database: Database) -> None:
    with database.read() as connection:
        counts = figures.counts(driver(connection))
    assert counts.sessions == {"active": 1, "completed": 0, "failed": 0}
    assert set(counts.tool_uses.values()) == {0}
    assert counts.last_summary is None
    assert counts.last_error == ""


def test_what_was_given_up_is_tried_again_where_something_of_it_is_kept(database: Database) -> None:
    add_tool_use(database, "lost", "failed", excerpt=None, attempts=MOST)
    add_tool_use(database, "kept", "failed", excerpt="{}", attempts=MOST)
    add_tool_use(database, "seen", "observed", excerpt=None)
    add_tool_use(database, "new", "pending", excerpt="{}", attempts=1)
    add_summary(database, 1, "provisional", attempts=MOST)
    add_summary(database, 2, "provisional", attempts=MOST - 1)
    add_summary(database, 3, "agent", attempts=MOST)
    with database.write() as connection:
        assert figures.given_up(driver(connection), MOST) == GivenUp(tool_uses=1, forgotten=1, summaries=1)
        assert outcomes.retry(connection, MOST) == Retried(tool_uses=1, summaries=1)
        assert figures.given_up(driver(connection), MOST) == GivenUp(tool_uses=0, forgotten=1, summaries=0)
        assert outcomes.retry(connection, MOST) == Retried(tool_uses=0, summaries=0)
        told = connection.exec_driver_sql("SELECT tool_use_id, status, attempts FROM tool_uses ORDER BY id").all()
        tries = connection.exec_driver_sql("SELECT attempts FROM session_summaries ORDER BY id").scalars().all()
    assert [tuple(row) for row in told] == [
        ("lost", "failed", MOST),
        ("kept", "pending", 0),
        ("seen", "observed", 0),
        ("new", "pending", 1),
    ]
    assert tries == [0, MOST - 1, MOST]


def test_counts(database: Database) -> None:
    add_tool_use(database, "a", "pending", excerpt="{}")
    add_tool_use(database, "b", "failed", excerpt="{}")
    add_summary(database, 1, "agent", attempts=0)
    add_summary(database, 2, "provisional", attempts=1)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE session_summaries SET last_error = 'login: no' WHERE prompt_number = 2")
        counts = figures.counts(driver(connection))
    assert counts.tool_uses == {"open": 0, "pending": 1, "observed": 0, "skipped": 0, "failed": 1}
    assert (counts.summaries, counts.provisional_summaries, counts.last_error) == (2, 1, "login: no")
    assert counts.last_summary is not None
    assert counts.last_summary.source == "provisional"
