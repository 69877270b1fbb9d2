"""What the tools answer: an index first, details on demand, bounded, and always with the next step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from tests.memory.past import NOW, days_ago, put_session
from watcher.errors import ClaudeMemError, UsageError
from watcher.memory.database import Database
from watcher.memory.faults import DatabaseError
from watcher.memory.models import Observation, SessionSummary, UserPrompt
from watcher.recall.answers import Answers
from watcher.recall.texts import MOST

OWN = "/home/me/api"  # the project that the server is started in


@pytest.fixture
def memory(database: Database) -> Database:
    """Three sessions: #1, S1 and P1 of `one-1` in another folder of that name, 2 of `own-2`, 3 of `own-3`."""
    put_session(database, "one-1", 9, project="/home/you/api")
    put_session(database, "own-2", 3, project=OWN, observation_count=1)
    put_session(database, "own-3", 2, project=OWN)
    return database


def add_observation(database: Database, **values: Any) -> None:
    """Store another observation of `own-3`, an hour later."""
    lists: dict[str, Any] = {"facts": [], "concepts": [], "files_read": [], "files_modified": [], "tool_use_ids": []}
    texts = dict.fromkeys(("subtitle", "narrative", "agent"), "")
    of = {"session_id": "own-3", "prompt_number": 1, "created_at": "", "created_at_epoch": days_ago(2) + 3_600_000}
    own = {"project": OWN, "type": "discovery", "title": "A title", "content_hash": str(values)}
    with database.write() as connection:
        connection.execute(insert(Observation).values(**(lists | texts | of | own | values)))


def ask(memory: Database | Path, name: str, *, started_in: str = OWN, **given: object) -> str:
    path = memory if isinstance(memory, Path) else memory.path
    return Answers(path, started_in)(name, given, now=NOW)


def ids(text: str) -> list[str]:
    """Return the ids at the beginning of lines."""
    return re.findall(r"^(?:> |- |## )?([#SP]\d+)", text, re.MULTILINE)


def test_a_search_is_an_index_of_a_line_each(memory: Database) -> None:
    text = ask(memory, "search", query="Saw")
    head, *rows = text.splitlines()
    assert head.startswith(f"In {OWN}. Details: get_observations(ids).")
    assert [row[:2] for row in rows] == ["#3", "#2"]
    assert re.fullmatch(r"#3 \d{4}-\d\d-\d\d \d\d:\d\d change: Saw own-3", rows[0])


def test_a_search_in_all_projects_names_them(memory: Database) -> None:
    text = ask(memory, "search", query="Saw", project="all")
    assert sorted(ids(text)) == ["#1", "#2", "#3"]
    assert text.splitlines()[-1].endswith("Saw one-1 (/home/you/api)")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"type": "observations"}, ["#3", "#2"]),
        ({"type": "sessions"}, ["S3", "S2"]),
        ({"type": "prompts"}, ["P3", "P2"]),
        ({"type": "prompts", "orderBy": "date_asc"}, ["P2", "P3"]),
        ({"obs_type": "change"}, ["#3", "#2"]),
        ({"obs_type": "bugfix, change"}, ["#3", "#2"]),
        ({"obs_type": "bugfix"}, []),
        ({"query": "own", "dateEnd": str(NOW - 2 * 86_400_000 - 1)}, ["#2", "S2"]),
        ({"query": "own", "dateStart": str(NOW - 2 * 86_400_000)}, ["#3", "S3"]),
        ({"concept": "gotcha"}, []),
        ({"file": "pool.py"}, []),
    ],
)
def test_a_search_is_narrowed(memory: Database, given: dict[str, object], found: list[str]) -> None:
    assert sorted(ids(ask(memory, "search", **given))) == sorted(found)


def test_a_search_goes_on_where_it_stopped(memory: Database) -> None:
    for number in range(5):
        add_observation(memory, title=f"Pool {number}")
    first = ask(memory, "search", query="pool", limit=2)
    assert "There is more: ask again with offset=2" in first
    second = ask(memory, "search", query="pool", limit=2, offset=2)
    last = ask(memory, "search", query="pool", limit=2, offset=4)
    assert "There is more" not in last
    assert len({*ids(first), *ids(second), *ids(last)}) == 5
    assert ask(memory, "search", query="pool", offset=5).startswith("Nothing more is found")


def test_a_long_title_is_cut_and_a_line_stays_a_line(memory: Database) -> None:
    add_observation(memory, title="pool\n" + "x" * 1000)
    (row,) = ask(memory, "search", query="pool").splitlines()[1:]
    assert len(row) < 250
    assert row.endswith("…")


def test_an_answer_has_a_bound_and_says_how_to_get_the_rest(memory: Database) -> None:
    """What is left out for want of room is found where the answer says."""
    for number in range(100):
        add_observation(memory, title=f"Pool {number} {'y' * 300}")
    first = ask(memory, "search", query="pool", limit=100)
    assert MOST - 300 < len(first) < MOST + 200
    told = len(ids(first))
    assert told < 100
    assert f"offset={told}," in first
    assert len(ids(ask(memory, "search", query="pool", limit=100, offset=told))) == 100 - told


@pytest.mark.parametrize(
    ("project", "given", "said"),
    [
        (OWN, {"query": "nonesuch"}, f'Nothing is found in {OWN}. Try fewer words, or project="all".'),
        (OWN, {"query": "nonesuch", "project": "all"}, "Nothing is found in all projects. Try fewer words."),
        ("/new", {"query": "Saw"}, f'Nothing at all is remembered of it. Try project="all", or one of {OWN}'),
    ],
)
def test_where_nothing_is_found_the_next_step_is_said(
    memory: Database, project: str, given: dict[str, object], said: str
) -> None:
    assert said in ask(memory, "search", started_in=project, **given)


@pytest.mark.parametrize(("given", "folder"), [("web", "/code/Web"), ("WEB", "/code/Web"), ("/code/Web", "/code/Web")])
def test_a_project_by_its_name(memory: Database, given: str, folder: str) -> None:
    put_session(memory, "web-4", 1, project=folder)
    text = ask(memory, "search", query="Saw", project=given)
    assert ids(text) == ["#4"]


def test_a_windows_project_by_its_name(memory: Database) -> None:
    put_session(memory, "win-4", 1, project="C:\\code\\web")
    assert ids(ask(memory, "search", query="Saw", project="web")) == ["#4"]


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ("api", "more than one project is called api", "/home/you/api"),
        ("nope", "nothing is remembered of a project nope", f'project="all", or one of {OWN}, /home/you/api'),
        ("/nowhere/api", "nothing is remembered of a project /nowhere/api", 'project="all"'),
    ],
)
def test_a_project_that_cannot_be_meant(memory: Database, given: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        ask(memory, "search", project=given)
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"anchor": "#2"}, ["P2", "#2", "S2", "P3", "#3", "S3"]),
        ({"anchor": "2", "depth_before": 1, "depth_after": 1}, ["P2", "#2", "S2"]),
        ({"anchor": "s3", "depth_before": 2, "depth_after": 0}, ["P3", "#3", "S3"]),
        ({"anchor": "#1"}, ["P1", "#1", "S1"]),  # its own project's
        ({"query": "Saw own 3", "depth_before": 0, "depth_after": 0}, ["#3"]),
        ({"anchor": "2100-01-01", "depth_before": 2}, ["#3", "S3"]),
        ({"anchor": "2100-01-01T12:00Z", "depth_before": 1, "project": "/home/you/api"}, ["S1"]),
    ],
)
def test_a_timeline(memory: Database, given: dict[str, object], found: list[str]) -> None:
    assert ids(ask(memory, "timeline", **given)) == found


def test_a_timeline_marks_its_anchor(memory: Database) -> None:
    marked = [line for line in ask(memory, "timeline", anchor="#2").splitlines() if line.startswith("> ")]
    assert len(marked) == 1
    assert marked[0].startswith("> #2 ")


def test_a_timeline_that_is_too_long_says_where_to_go_on(memory: Database) -> None:
    for number in range(100):
        add_observation(memory, title=f"Pool {number} {'y' * 300}")
    first = ask(memory, "timeline", anchor="#3", depth_after=100)
    assert len(first) < MOST + 200
    (anchor,) = re.findall(r'ask again with anchor="(#\d+)"', first)
    assert int(anchor[1:]) == int(ids(first)[-1][1:]) + 1


@pytest.mark.parametrize(
    ("name", "given", "said", "hint"),
    [
        ("timeline", {}, "neither an anchor nor a query", 'timeline(anchor="#12")'),
        ("timeline", {"anchor": "#99"}, "there is no #99", "search(query)"),
        ("timeline", {"anchor": "soon"}, "anchor is to be an id such as #12, or a date such as", "search(query)"),
        ("timeline", {"anchor": "2026-11-24", "project": "all"}, "of one project", "name a project"),
        ("timeline", {"query": "nonesuch"}, "nothing is found for 'nonesuch'", 'project="all"'),
        ("get_observations", {"ids": ["#99", "x"]}, "there is no #99, x", "search(query)"),
        ("get_session", {"session": "zz"}, "there is no session zz", "search(query)"),
        ("get_session", {"session": "#99"}, "there is no session #99", "search(query)"),
        ("get_session", {"session": "own"}, "begins with own: own-2, own-3", "give more of it"),
        ("recall", {}, "there is no tool recall", "search, timeline, get_observations, get_session"),
    ],
)
def test_an_error_says_what_to_do_next(
    memory: Database, name: str, given: dict[str, object], said: str, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        ask(memory, name, **given)
    assert said in str(raised.value)
    assert hint in raised.value.hint


def test_details_of_what_was_asked_for_in_that_order(memory: Database) -> None:
    add_observation(
        memory,
        title="The pool leaks",
        subtitle="In short",
        narrative="A long story.",
        facts=["one", "two"],
        concepts=["gotcha"],
        files_read=["a.py"],
        files_modified=["b.py"],
    )
    with memory.write() as connection:
        connection.execute(update(SessionSummary).where(SessionSummary.id == 2).values(learned="A lesson"))
        connection.execute(update(UserPrompt).where(UserPrompt.id == 2).values(closing_text="Done."))
    text = ask(memory, "get_observations", ids=["#4", "s2", "P2", "4", "#99"])
    assert text.startswith("There is no #99.")
    assert ids(text) == ["#4", "S2", "P2"]
    for told in ("The pool leaks", "In short\nA long story.\n- one\n- two\nConcepts: gotcha\nFiles read: a.py\n"):
        assert told in text
    assert "Files changed: b.py" in text
    assert "Learned: A lesson" in text
    assert "Go\nAnswer: Done." in text


def test_details_beyond_the_bound_are_named(memory: Database) -> None:
    for number in range(3):
        add_observation(memory, title=f"T{number}", narrative=str(number) * (MOST // 2))
    text = ask(memory, "get_observations", ids=["#4", "#5", "#6"])
    assert ids(text) == ["#4"]
    assert text.endswith('There is more: get_observations(ids=["#5", "#6"]).')


def test_one_that_is_longer_than_an_answer_is_cut(memory: Database) -> None:
    add_observation(memory, narrative="n" * 3 * MOST)
    text = ask(memory, "get_observations", ids=["#4"])
    assert text.endswith("n… (cut off here)")
    assert len(text) < MOST + 50


@pytest.mark.parametrize("session", ["own-3", "own-3 ", "#3", "S3", "p3"])
def test_a_session(memory: Database, session: str) -> None:
    add_observation(memory, title="A late discovery")
    text = ask(memory, "get_session", session=session)
    assert text.startswith(f"Session own-3 (completed) in {OWN}, ")
    assert ids(text) == ["S3", "#3", "#4"]
    assert "- #4 discovery: A late discovery" in text


def test_a_session_of_many_turns_is_told_in_parts(memory: Database) -> None:
    with memory.write() as connection:
        for number in range(2, 40):
            row = connection.execute(SessionSummary.__table__.select().where(SessionSummary.id == 3)).mappings().one()
            values = dict(row) | {"id": 100 + number, "prompt_number": number, "learned": "l" * 2000}
            connection.execute(SessionSummary.__table__.insert().values(**values))
    seen, offset = [], 0
    while True:
        text = ask(memory, "get_session", session="own-3", offset=offset)
        assert len(text) < MOST + 200
        seen += [one for one in ids(text) if one.startswith("S")]
        more = re.findall(r"There are more turns: ask again with offset=(\d+)", text)
        if not more:
            break
        offset = int(more[0])
    assert seen == ["S3", *(f"S{100 + number}" for number in range(2, 40))]


def test_a_memory_that_is_not_there_or_older(memory: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no memory yet") as raised:
        ask(tmp_path / "none.db", "search")
    assert raised.value.hint == "claude-mem install"
    with memory.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(ClaudeMemError, match="is of an older claude-mem") as older:
        ask(memory, "search")
    assert "claude-mem watch --background" in older.value.hint
