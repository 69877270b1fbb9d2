"""A timeline holds what happened around something in its project, in the order of time, and no more than was asked."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert

from tests.memory.past import put_session
from tests.memory.plans import walked
from watcher.memory import browse, lookup, moments
from watcher.memory.browse import Ref
from watcher.memory.database import Database
from watcher.memory.models import Observation, SdkSession, SessionSummary, UserPrompt
from watcher.memory.moments import Position

LISTS: dict[str, Any] = {"facts": [], "concepts": [], "files_read": [], "files_modified": [], "tool_use_ids": []}


@pytest.fixture
def memory(database: Database) -> Database:
    """A project of two sessions that ran at once, and another project beside them; times are 10, 20, and so on."""
    with database.write() as connection:
        for session_id, project, start in (("one", "/api", 10), ("two", "/api", 25), ("far", "/web", 1)):
            values = {"session_id": session_id, "project": project, "started_at": "", "started_at_epoch": start}
            connection.execute(insert(SdkSession).values(**values))
    for session_id, number, at in (("one", 1, 10), ("two", 1, 25), ("one", 2, 50), ("far", 1, 20)):
        prompt(database, session_id, number, at)
    for session_id, at in (("one", 20), ("two", 30), ("one", 40), ("one", 60), ("far", 30)):
        observation(database, session_id, at)
    for session_id, number, at in (("one", 1, 40), ("two", 1, 45)):
        summary(database, session_id, number, at)
    return database


def prompt(database: Database, session_id: str, number: int, at: int) -> None:
    of = {"session_id": session_id, "prompt_number": number, "created_at": "", "created_at_epoch": at}
    with database.write() as connection:
        values = {"uuid": f"{session_id}-{number}", "prompt_text": f"Ask at {at}", "continues_turn": False}
        connection.execute(insert(UserPrompt).values(**of, **values))


def observation(database: Database, session_id: str, at: int) -> None:
    texts = dict.fromkeys(("subtitle", "narrative", "agent"), "")
    of = {"session_id": session_id, "prompt_number": 1, "created_at": "", "created_at_epoch": at}
    project = "/web" if session_id == "far" else "/api"
    with database.write() as connection:
        values = {"project": project, "type": "change", "title": f"Done at {at}", "content_hash": str(at)}
        connection.execute(insert(Observation).values(**of, **texts, **LISTS, **values))


def summary(database: Database, session_id: str, number: int, at: int) -> None:
    texts = dict.fromkeys(("investigated", "learned", "completed", "next_steps", "notes", "summary_text", "agent"), "")
    of = {"session_id": session_id, "prompt_number": number, "created_at": "", "created_at_epoch": at}
    times = {"closing_at_epoch": 0, "updated_at_epoch": 0}
    with database.write() as connection:
        values = {"project": "/api", "request": f"Asked at {at}", "source": "agent"}
        connection.execute(insert(SessionSummary).values(**of, **texts, **times, **values))


WHOLE = ["P1", "#1", "P2", "#2", "#3", "S1", "S2", "P3", "#4"]


def around(memory: Database, anchor: str | Position, before: int, after: int) -> list[str]:
    with lookup.opened(memory.path) as connection:
        what = browse.ref(anchor) if isinstance(anchor, str) else None
        where = moments.position(connection, what) if what else anchor
        assert isinstance(where, Position)
        return [one.id for one in moments.around(connection, where, before=before, after=after)]


@pytest.mark.parametrize("anchor", WHOLE)
def test_from_wherever_one_looks_the_order_is_the_same(memory: Database, anchor: str) -> None:
    assert around(memory, anchor, 100, 100) == WHOLE


@pytest.mark.parametrize("anchor", WHOLE)
@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 1), (2, 0), (0, 3), (3, 2)])
def test_so_many_before_and_after(memory: Database, anchor: str, before: int, after: int) -> None:
    at = WHOLE.index(anchor)
    assert around(memory, anchor, before, after) == WHOLE[max(0, at - before) : at + after + 1]


def test_around_a_mere_time(memory: Database) -> None:
    assert around(memory, Position("/api", 40), 2, 2) == ["P2", "#2", "#3", "S1"]
    assert around(memory, Position("/api", 0), 2, 2) == ["P1", "#1"]
    assert around(memory, Position("/api", 1 << 60), 2, 2) == ["P3", "#4"]
    assert around(memory, Position("/nowhere", 40), 2, 2) == []


def test_another_project_is_left_out(memory: Database) -> None:
    assert around(memory, "#5", 100, 100) == ["P4", "#5"]


def test_what_is_shown_of_each(memory: Database) -> None:
    with lookup.opened(memory.path) as connection:
        where = moments.position(connection, Ref("S", 1))
        assert where == Position("/api", 40, 2, 1)
        prompted, done, asked = moments.around(connection, where, before=2, after=0)[-3:]
    assert (prompted.type, prompted.title, prompted.session_id, prompted.at) == ("change", "Done at 30", "two", 30)
    assert (done.type, done.title) == ("change", "Done at 40")
    assert (asked.type, asked.title) == ("summary", "Asked at 40")


@pytest.mark.parametrize("what", [Ref("#", 99), Ref("S", 99), Ref("P", 99)])
def test_what_is_not_there_has_no_place(memory: Database, what: Ref) -> None:
    with lookup.opened(memory.path) as connection:
        assert moments.position(connection, what) is None


def test_a_session_that_was_asked_only_is_there(database: Database) -> None:
    """Its turn is not over: no observation, no summary, and no index by time over prompts."""
    put_session(database, "old", 10)
    with database.write() as connection:
        values = {"session_id": "new", "project": "/api", "started_at": "", "started_at_epoch": 1 << 50}
        connection.execute(insert(SdkSession).values(**values))
    prompt(database, "new", 1, 1 << 50)
    assert around(database, "#1", 5, 5) == ["P1", "#1", "S1", "P2"]


def test_no_large_table_is_walked_through(memory: Database) -> None:
    for what in (Ref("#", 1), Ref("S", 1), Ref("P", 1)):
        assert walked(memory.path, partial(moments.position, what=what)) == []
    place = Position("/api", 40, 1, 3)
    assert walked(memory.path, lambda c: moments.around(c, place, before=3, after=3)) == []
