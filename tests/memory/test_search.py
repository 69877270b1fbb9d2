"""Searching finds what is meant, the best first, whatever is typed, and in a large memory too."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from tests.memory.past import NOW, put_session
from watcher.memory import lookup, search
from watcher.memory.database import Database
from watcher.memory.identifiers import all_parts
from watcher.memory.models import Observation, SessionSummary, UserPrompt
from watcher.memory.search import Filters, Found, Results

OPERATORS = "AND|OR OR|NOT|a AND|NEAR(a b)|NEAR|(|)|a*|*|^a|-a|+|:|title:a|{title text}:a|%|_|'; DROP TABLE flags"
UNUSUAL = [
    "\0",
    "a\0b",
    "\n",
    "\\",
    "a\ud800b",
    "\ue000",
    "\u0301",
    "e\u0301",
    "é",
    "²",
    "日本",
    "🎉",
    "👩\u200d👩",
    "\U0001e900",
]
NASTY = [*OPERATORS.split("|"), '"', '""', '"a', "a'b", *UNUSUAL, "a" * 100_000]


@pytest.fixture
def memory(database: Database) -> Database:
    """A memory of a few sessions in two projects; every row says `shared` somewhere."""
    for number, (days, project) in enumerate([(300, "/api"), (20, "/web"), (1, "/api")], start=1):
        put_session(database, f"s{number}", days, project=project)
    with database.write() as connection:
        connection.execute(update(Observation).values(narrative="shared", title=Observation.session_id))
        connection.execute(update(SessionSummary).values(learned="shared", request="What was asked"))
        connection.execute(update(UserPrompt).values(prompt_text="Please do\nwhat is shared"))
    return database


def results(database: Database, *words: str, limit: int = 100, offset: int = 0, **options: Any) -> Results:
    """Search; what is no name of a filter is an argument of the search."""
    order = options.pop("order", "relevance")
    with lookup.opened(database.path) as connection:
        filters = Filters(**options)
        return search.search(connection, words, filters, limit=limit, offset=offset, order=order, now=NOW)


def found(database: Database, *words: str, **options: Any) -> list[Found]:
    return results(database, *words, **options).rows


def ids(database: Database, *words: str, **options: Any) -> list[str]:
    return [row.id for row in found(database, *words, **options)]


def say(database: Database, number: int, **values: object) -> None:
    """Have an observation say something else."""
    with database.write() as connection:
        connection.execute(update(Observation).where(Observation.id == number).values(**values))


def test_all_kinds_are_found_with_what_is_shown_of_them(memory: Database) -> None:
    assert set(ids(memory, "shared")) == {"#1", "#2", "#3", "S1", "S2", "S3", "P1", "P2", "P3"}
    rows = {row.id: row for row in found(memory, "shared")}
    at = NOW - 20 * 86_400_000
    assert rows["#2"] == Found("#2", "change", "s2", "/web", at, "s2")
    assert rows["S2"] == Found("S2", "summary", "What was asked", "/web", at, "s2")
    assert rows["P2"] == Found("P2", "prompt", "Please do\nwhat is shared", "/web", at, "s2")


DAY = 86_400_000
FILTERS = {
    "project": ({"project": "/web"}, {"#2", "S2", "P2"}),
    "no such project": ({"project": "/we"}, set()),
    "kinds": ({"kinds": ["summary", "prompt"], "project": "/web"}, {"S2", "P2"}),
    "types": ({"types": ["bugfix", "decision"]}, {"#1"}),
    "types are of observations": ({"types": ["bugfix"], "kinds": ["summary"]}, set()),
    "since": ({"since": NOW - 20 * DAY, "kinds": ["observation"]}, {"#2", "#3"}),
    "until": ({"until": NOW - 20 * DAY, "kinds": ["observation"]}, {"#1", "#2"}),
    "a moment too late": ({"since": NOW - 20 * DAY + 1, "kinds": ["observation"]}, {"#3"}),
    "a moment too early": ({"until": NOW - 20 * DAY - 1, "kinds": ["observation"]}, {"#1"}),
    "between": ({"since": NOW - 20 * DAY, "until": NOW - 20 * DAY}, {"#2", "S2", "P2"}),
    "never": ({"since": 1 << 80}, set()),
    "session": ({"session": "s3"}, {"#3", "S3", "P3"}),
    "beginning of a session": ({"session": "s", "kinds": ["prompt"]}, {"P1", "P2", "P3"}),
    "no pattern": ({"session": "_3"}, set()),
    "concept": ({"concept": "How-It-Works"}, {"#1", "#3"}),
    "part of a concept": ({"concept": "how-it"}, set()),
    "a file's name": ({"file": "pool.py"}, {"#1", "#3"}),
    "its path's end": ({"file": "app/pool.py"}, {"#1"}),
    "its name without the ending": ({"file": "POOL"}, {"#1", "#3"}),
    "a folder": ({"file": "src/app/"}, {"#1", "#2"}),
    "the whole path": ({"file": "/home/me/src/app/pool.py"}, {"#1"}),
    "a path of Windows": ({"file": "lib\\pool.py"}, {"#3"}),
    "from here": ({"file": "./lib/pool.py"}, {"#3"}),
    "no part of a name": ({"file": "ool.py"}, set()),
    "the root of all": ({"file": "/"}, {"#1"}),
    "all at once": ({"file": "pool.py", "types": ["bugfix"], "project": "/api", "until": NOW - 30 * DAY}, {"#1"}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(memory: Database, name: str) -> None:
    path = "/home/me/src/app/pool.py"
    say(memory, 1, type="bugfix", concepts=["gotcha", "how-it-works"], files_modified=[path], facts=["is shared"])
    say(memory, 2, files_read=["src/app/other_pool.py"], files_modified=["spool.py"], facts=["is shared"])
    say(memory, 3, files_read=["C:\\Src\\lib\\Pool.py"], concepts=["how-it-works"], facts=["is shared"])
    with memory.write() as connection:
        connection.execute(update(SessionSummary).values(notes="What is shared"))
    options, expected = FILTERS[name]
    for words, order in itertools.product([(), ("shared",), ("shar*", '"is shared"')], search.ORDERS):
        rows = found(memory, *words, order=order, **options)
        assert {row.id for row in rows} == expected
        if order != "relevance" or not words:
            times = [row.at for row in rows]
            assert times == sorted(times, reverse=order != "oldest")


def test_a_part_of_what_is_found(memory: Database) -> None:
    for options in ({"order": "newest"}, {"order": "oldest"}, {}):
        everything = ids(memory, "shared", **options)
        assert ids(memory, "shared", limit=4, offset=3, **options) == everything[3:7]
        assert ids(memory, "shared", limit=4, offset=20, **options) == []


def test_the_best_alone(memory: Database) -> None:
    assert ids(memory, "shared", limit=4) == ids(memory, "shared")[:4]


def test_all_words_must_stand_in_it_wherever(memory: Database) -> None:
    say(memory, 2, title="alpha", facts=["betas"], concepts=["gamma"], files_modified=["/home/me/delta.py"])
    assert ids(memory, "alpha", "betas", "gamma", "delta") == ["#2"]
    assert ids(memory, "alpha betas", " delta.py ") == ["#2"]
    assert not results(memory, "alpha", "betas").is_partial
    assert results(memory, "alpha", "epsilon").is_partial


def test_case_and_accents_do_not_matter(memory: Database) -> None:
    say(memory, 1, narrative="Über die Größe, naïveté")
    assert ids(memory, "uber", "GRÖßE", "naivete") == ["#1"]


def test_what_stands_in_a_list_is_found_in_any_script(memory: Database) -> None:
    say(memory, 1, facts=["日本語 の文字", "smörgåsbord"])
    assert ids(memory, "日本") == ["#1"]
    assert ids(memory, "smorgasbord") == ["#1"]


def test_of_the_last_word_three_letters_are_enough(memory: Database) -> None:
    say(memory, 1, narrative="connection pooling")
    assert ids(memory, "connection", "poo") == ["#1"]
    assert results(memory, "poo", "connection").is_partial
    assert ids(memory, "po") == []


def test_a_title_counts_more_than_the_rest(memory: Database) -> None:
    say(memory, 1, title="The needle", narrative="a b c")
    say(memory, 3, title="The other", narrative="needle b c")
    assert ids(memory, "needle") == ["#1", "#3"]  # though it is the oldest


def test_of_two_alike_the_newer_is_the_better(memory: Database) -> None:
    for number in (1, 2, 3):
        say(memory, number, title="The needle")
    assert ids(memory, "needle") == ["#3", "#2", "#1"]


def test_what_is_new_counts_only_mildly_more(memory: Database) -> None:
    say(memory, 1, narrative="needle " * 6)
    say(memory, 3, narrative="needle " + "hay " * 5)
    assert ids(memory, "needle") == ["#1", "#3"]


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_that_is_typed_means_anything_but_itself(memory: Database, nasty: str) -> None:
    for words in ([nasty], ["shared", nasty], [nasty, "shared"], [nasty] * 300):
        found(memory, *words)


ANY_TEXT = st.one_of(
    st.text(st.characters(), max_size=30),  # surrogates, NUL and all
    st.lists(st.sampled_from([*NASTY, "shared", "asked", "s1", '"what is"', "shar*", "is shared"]), max_size=6).map(
        " ".join
    ),
)
TIMES = st.integers(-1, 1).map(lambda more: NOW - 20 * DAY + more)  # when something was done, or a moment beside it
ANY_FILTERS = st.builds(
    Filters,
    project=st.none() | st.sampled_from(["/api", "/web"]) | ANY_TEXT,
    kinds=st.lists(st.sampled_from(search.KINDS), max_size=2),
    types=st.lists(st.sampled_from(["change", "bugfix"]) | ANY_TEXT, max_size=2),
    file=st.none() | st.sampled_from(["pool.py", "a/b"]) | ANY_TEXT,
    concept=st.none() | st.just("gotcha") | ANY_TEXT,
    since=st.none() | st.integers() | TIMES,
    until=st.none() | st.integers() | TIMES,
    session=st.none() | st.just("s") | ANY_TEXT,
)
MOST, OF = st.integers(0, 5), st.sampled_from(search.ORDERS)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY_TEXT, filters=ANY_FILTERS | st.just(Filters()), limit=MOST, offset=MOST, order=OF)
def test_whatever_is_typed_nothing_raises_and_nothing_comes_through_a_filter(
    memory: Database, text: str, filters: Filters, limit: int, offset: int, order: str
) -> None:
    with lookup.opened(memory.path) as connection:
        got = search.search(connection, text, filters, limit=limit, offset=offset, order=order, now=NOW)
    assert len(got.rows) <= limit
    assert len({row.id for row in got.rows}) == len(got.rows)
    kinds = {"#": "observation", "S": "summary", "P": "prompt"}
    for row in got.rows:
        assert filters.project in (None, row.project)
        assert not filters.kinds or kinds[row.id[0]] in filters.kinds
        assert not filters.types or row.type in filters.types
        assert filters.since is None or row.at >= filters.since
        assert filters.until is None or row.at <= filters.until
        assert row.session_id.startswith(filters.session or "")
        if filters.file or filters.concept:
            assert row.id[0] == "#"


IDENTIFIERS = {
    "getUserName": [
        "getUserName",
        "user name",
        "getusername",
        "get_user_name",
        "username*",
        "getUserNa",
        "GetUserName",
    ],
    "get_user_name": ["get_user_name", "getUserName", "user name", "user_name"],
    "HTTPServer2": ["HTTPServer2", "httpserver2", "http server", "server2", "server 2", "HTTPServer"],
    "src/app/connPool.py": [
        "src/app/connPool.py",
        "connPool.py",
        "app/connPool",
        "pool.py",
        "pool",
        "app",
        "conn pool",
    ],
    "E501": ["E501", "e501", "501"],
    "ERR_CONN_RESET": ["ERR_CONN_RESET", "err_conn_reset", "CONN_RESET", "conn reset"],
    "TS2345": ["TS2345", "2345", "ts-2345"],
    "v1.2.3": ["v1.2.3", "1.2.3", "v1.2"],
    "--max-old-space-size": [
        "--max-old-space-size",
        "max-old-space-size",
        "old space",
        "--max-old-space-size=4096"[:-5],
    ],
}


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_identifiers_are_found_whole_and_by_their_parts(memory: Database, identifier: str) -> None:
    text = f"It is {identifier} that fails."
    say(memory, 1, narrative=text, identifiers=all_parts([text]))
    for query in IDENTIFIERS[identifier]:
        if query == "username*":
            assert ids(memory, query) == []  # no part begins so
        else:
            assert ids(memory, query) == ["#1"], query
            assert not results(memory, query).is_partial


def test_what_holds_an_identifier_whole_comes_first(memory: Database) -> None:
    for number, text in ((1, "calls getUserName here"), (2, "calls get_user_name here"), (3, "asks to get user name")):
        say(memory, number, title="", narrative=text, identifiers=all_parts([text]))
    assert ids(memory, "getUserName")[0] == "#1"  # though it is the oldest
    assert set(ids(memory, "getUserName")) == {"#1", "#2", "#3"}


def test_words_in_quotation_marks_stand_side_by_side_and_as_they_are(memory: Database) -> None:
    say(memory, 1, narrative="a connection pool dried up")
    say(memory, 2, narrative="a pool of connections")
    say(memory, 3, narrative="connection pooling")
    assert ids(memory, '"connection pool"') == ["#1"]
    assert set(ids(memory, '"connection pool"*')) == {"#1", "#3"}
    assert set(ids(memory, '"pool"', "connection")) == {"#1", "#2"}
    assert set(ids(memory, "connection", "pool")) == {"#1", "#2", "#3"}
    assert set(ids(memory, "connection pool")) == {"#1", "#2", "#3"}
    assert ids(memory, 'a "connection pool" "up') == ["#1"]  # a quotation mark without another is none


def test_a_word_stands_for_those_that_begin_like_it(memory: Database) -> None:
    say(memory, 1, narrative="deadlocks crashed it")
    say(memory, 2, narrative="a deadlock: it crashes", title="t")
    say(memory, 3, narrative="it was dead")
    assert set(ids(memory, "deadlock", "crash")) == {"#1", "#2"}
    assert set(ids(memory, "deadlocks", "it")) == {"#1", "#2"}
    assert ids(memory, "it", "de*") == ids(memory, "de*", "it")
    assert len(ids(memory, "de*")) == 3
    assert ids(memory, "dea", '"it"') == []


def test_where_no_row_has_all_words_those_with_most_and_rarest_come_first(memory: Database) -> None:
    say(memory, 1, narrative="the flaky checkout is slow")
    say(memory, 2, narrative="shared slow")
    say(memory, 3, narrative="shared slow")
    got = results(memory, "why", "is", "the", "checkout", "slow", "nonesuch")
    assert got.is_partial
    assert [row.id for row in got.rows] == ["#1", "#3", "#2"]
    assert [row.id for row in results(memory, "checkout slow nonesuch", order="newest").rows] == ["#3", "#2", "#1"]
    assert [row.id for row in results(memory, "checkout slow nonesuch", limit=1, offset=1).rows] == ["#3"]
    assert ids(memory, "checkout", "nonesuch", session="s3") == []
    assert ids(memory, "slow", "nonesuch", session="s3") == ["#3"]
    assert ids(memory, "why", "the", "nonesuch") == []  # words that stand everywhere say nothing
    assert results(memory, "nonesuch", "neither") == Results([])


def test_old_rows_with_some_words_are_not_lost_among_the_new(memory: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "RANKED", 5)
    monkeypatch.setattr(search, "BEST", 3)
    fill(memory, 100, 20)
    say(memory, 1, narrative="alike and different")
    assert ids(memory, "alike", "different", "nonesuch", limit=3)[0] == "#1"


def test_marks_beside_a_word_are_no_part_of_it(memory: Database) -> None:
    assert len(ids(memory, "(shared)", "🎉", "-", '"')) == 9
    assert ids(memory, "🎉", "-", "\0") == []
    say(memory, 1, narrative="the retry_pause setting")
    say(memory, 2, narrative="a pause before the retry")
    assert ids(memory, "retry_pause") == ["#1"]


def fill(database: Database, first: int, count: int) -> None:
    """Add observations, summaries and prompts, all of which say the same."""
    observed = {"session_id": "s1", "project": "/api", "type": "change", "title": "shared", "narrative": "alike"}
    observed |= dict.fromkeys(("subtitle", "agent", "created_at"), "")
    observed |= {name: [] for name in ("facts", "concepts", "files_read", "files_modified", "tool_use_ids")}
    asked = {"session_id": "s1", "prompt_text": "shared alike", "continues_turn": False, "created_at": ""}
    numbers = [{"prompt_number": number, "created_at_epoch": number} for number in range(first, first + count)]
    with database.write() as connection:
        rows = [observed | each | {"content_hash": str(each["prompt_number"])} for each in numbers]
        connection.execute(insert(Observation), rows)
        connection.execute(
            insert(UserPrompt), [asked | each | {"uuid": f"u{each['prompt_number']}"} for each in numbers]
        )


def test_of_a_word_that_stands_everywhere_the_newest_are_ranked(
    memory: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RANKED", 5)
    monkeypatch.setattr(search, "BEST", 3)
    fill(memory, 100, 20)
    say(memory, 1, title="alike alike alike")
    numbers = sorted(int(found_id[1:]) for found_id in ids(memory, "alike", limit=3))
    assert min(numbers) > 15
    assert "#1" in ids(memory, "alike", limit=30)


@pytest.mark.parametrize("project", [None, "/web"])
def test_a_word_that_stands_everywhere_takes_little_more_of_a_larger_memory(
    memory: Database, project: str | None
) -> None:
    """Counted in steps of SQLite's machine: what it ranks, joins and sorts, which is what takes the time."""
    steps = []
    for size in (1500, 3000, 6000):
        fill(memory, size * 10, size)
        with lookup.opened(memory.path) as connection:
            count = iter(range(10**9))
            connection.set_progress_handler(lambda count=count: next(count) < 0, 1)
            search.search(connection, ["alike"], Filters(project), limit=20, now=NOW)
            connection.set_progress_handler(None, 0)
            steps.append(next(count))
    per_row = (steps[2] - steps[1]) / 6000
    assert steps[2] < 1.1 * steps[0] if project is None else per_row < 40
