"""Ids mean what search prints; sessions and projects are listed, the one last heard of first."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import update

from tests.memory.past import days_ago, put_session
from tests.memory.plans import walked
from watcher.errors import ClaudeMemError, UsageError
from watcher.memory import browse, details, lookup
from watcher.memory.browse import Project, Ref, Session
from watcher.memory.database import Database
from watcher.memory.models import SdkSession


@pytest.fixture
def memory(database: Database) -> Database:
    """A memory of four sessions in two projects; the oldest of them was heard of last."""
    for session_id, days, project in [("aa1", 30, "/api"), ("aa2", 20, "/web"), ("ab", 2, "/api"), ("b", 1, "/api")]:
        put_session(database, session_id, days, project=project, observation_count=1)
    with database.write() as connection:
        last = update(SdkSession).where(SdkSession.session_id == "aa1")
        connection.execute(last.values(last_activity_at_epoch=days_ago(0), title="Resumed", status="failed"))
    return database


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("#12", Ref("#", 12)),
        ("12", Ref("#", 12)),
        ("S3", Ref("S", 3)),
        ("s3", Ref("S", 3)),
        ("p4", Ref("P", 4)),
        (" #1 ", Ref("#", 1)),
        ("", None),
        ("#", None),
        ("12a", None),
        ("#S3", None),
        ("-1", None),
        ("²", None),
        ("1" * 19, None),  # more than SQLite has numbers for
    ],
)
def test_an_id(text: str, meant: Ref | None) -> None:
    assert browse.ref(text) == meant


@pytest.mark.parametrize("what", [Ref("#", 12), Ref("S", 3), Ref("P", 4)])
def test_an_id_is_printed_as_it_is_read(what: Ref) -> None:
    assert browse.ref(str(what)) == what


def listed(memory: Database, project: str | None = None, limit: int = 10) -> list[str]:
    with lookup.opened(memory.path) as connection:
        return [one.session_id for one in browse.sessions(connection, project, limit=limit)]


def test_sessions_the_one_last_heard_of_first(memory: Database) -> None:
    assert listed(memory) == ["aa1", "b", "ab", "aa2"]
    assert listed(memory, limit=2) == ["aa1", "b"]
    assert listed(memory, "/api") == ["aa1", "b", "ab"]
    assert listed(memory, "/api", limit=1) == ["aa1"]
    assert listed(memory, "/nowhere") == []


def test_what_is_told_of_a_session(memory: Database) -> None:
    with lookup.opened(memory.path) as connection:
        resumed = browse.session(connection, "aa1")
        (other,) = browse.sessions(connection, "/web", limit=1)
    at = days_ago(30), days_ago(0)
    assert resumed == Session("aa1", "/api", "Resumed", "Go", "", "failed", *at, "", 0, 0, 1, "")
    assert (other.title, other.request) == ("", "Go")


def test_a_session_by_the_beginning_of_its_id(memory: Database) -> None:
    with lookup.opened(memory.path) as connection:
        assert browse.session(connection, "ab").session_id == "ab"
        assert browse.session(connection, "aa2").session_id == "aa2"
        with pytest.raises(UsageError, match="more than one session's id begins with 'aa': aa1, aa2"):
            browse.session(connection, "aa")
        for text in ("", "x", "AB", "a%", "\ud800"):
            with pytest.raises(ClaudeMemError, match="no session's id begins"):
                browse.session(connection, text)


def test_an_id_that_others_begin_with_is_just_itself(memory: Database) -> None:
    put_session(memory, "abc", 3)
    with lookup.opened(memory.path) as connection:
        assert browse.session(connection, "ab").session_id == "ab"


def test_the_session_of_a_row(memory: Database) -> None:
    with lookup.opened(memory.path) as connection:
        assert [browse.session_of(connection, Ref(kind, 2)) for kind in "#SP"] == ["aa2"] * 3
        assert browse.session_of(connection, Ref("#", 99)) is None


def test_projects_the_one_last_heard_of_first(memory: Database) -> None:
    put_session(memory, "nowhere", 0, project="")  # a hook may not have been told
    with lookup.opened(memory.path) as connection:
        assert browse.projects(connection, limit=9) == [
            Project("/api", 3, 3, days_ago(0)),
            Project("/web", 1, 1, days_ago(20)),
        ]
        assert [one.project for one in browse.projects(connection, limit=1)] == ["/api"]


def test_no_large_table_is_walked_through(memory: Database) -> None:
    assert walked(memory.path, lambda connection: browse.sessions(connection, None, limit=5)) == []
    assert walked(memory.path, lambda connection: browse.sessions(connection, "/api", limit=5)) == []
    assert walked(memory.path, lambda connection: browse.beginning(connection, "a")) == []
    assert walked(memory.path, lambda connection: browse.session_of(connection, Ref("P", 1))) == []
    for what in (Ref("#", 1), Ref("S", 1), Ref("P", 1)):
        assert walked(memory.path, partial(details.details, what=what)) == []
    assert walked(memory.path, lambda connection: details.turns(connection, "b", limit=5)) == []
    assert walked(memory.path, lambda connection: details.titles(connection, ["#1"])) == []
    # Sessions are few beside all else, and a project's figures are those of all its sessions.
    assert [step.split()[1] for step in walked(memory.path, lambda c: browse.projects(c, limit=5))] == ["sdk_sessions"]
