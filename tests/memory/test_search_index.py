"""The search index is always what would be made of the rows that are there, whoever changed them, and however."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from tests.memory.past import days_ago, put_session
from tests.memory.test_database import old_schema
from tests.rows import rows
from watcher.memory import outcomes, retention, salvage, search_index
from watcher.memory.database import DamagedError, Database, driver, insert
from watcher.memory.faults import DatabaseError
from watcher.memory.health import _is_harmless
from watcher.memory.models import Observation, SdkSession, SessionSummary, UserPrompt
from watcher.memory.outcomes import SummaryFields
from watcher.memory.retention import Forgetting, PastSession
from watcher.memory.turns import Turn

WORDS = ("alpha", "béta", "gamma", "délta", "ψ", "src/app.py", "日本語", "it's", '"quoted"')


def entries(database: Database) -> list[Any]:
    """Return every word of the index with every place where it stands."""
    with database.write() as connection:
        sqlite = driver(connection)
        sqlite.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search_index, instance)")
        found = sqlite.execute("SELECT term, doc, col, offset FROM temp.words ORDER BY 1, 2, 3, 4").fetchall()
        sqlite.execute("DROP TABLE temp.words")
    return found


def anew(database: Database) -> list[Any]:
    """Return what the index has once it is made anew."""
    with database.write() as connection:
        search_index.rebuild(driver(connection))
    return entries(database)


def words_of(database: Database) -> set[str]:
    return {word for word, *_ in entries(database)}


def summarise(database: Database, request: str, source: str) -> None:
    """Write a turn's summary as digest does: the agent's takes the provisional one's place."""
    turn = Turn("s", "/api", 2, 2, (), "", 0, True, 1, 0, 0, None, 0, 0)
    fields = SummaryFields(request, *[f"{request} {name}" for name in ("saw", "learned", "did", "next", "note")])
    with database.write() as connection:
        if source == "provisional":
            assert outcomes.put_provisional(connection, turn, fields, agent="a", now=1)
        else:
            outcomes.put_agent_summary(connection, turn, fields, agent="a", now=1)


def test_each_kind_is_indexed_by_what_it_says(database: Database) -> None:
    put_session(database, "s", 1)
    with database.write() as connection:
        lists = {
            "facts": ["sixth fact"],
            "concepts": ["seventh"],
            "files_read": ["é/eighth.py"],
            "files_modified": ["ninth"],
        }
        said = {"title": "third", "subtitle": "fourth", "narrative": "fifth"}
        connection.execute(update(Observation).values(**said, **lists))
        fields = ("request", "investigated", "learned", "completed", "next_steps", "notes")
        connection.execute(update(SessionSummary).values(dict(zip(fields, "ABCDEF", strict=True))))
        connection.execute(update(UserPrompt).values(prompt_text="second"))
    found = {(word, number, column) for word, number, column, _ in entries(database)}
    assert found == {
        ("third", 1, "title"),
        *((word, 1, "text") for word in ("fourth", "fifth", "sixth", "fact")),
        ("seventh", 1, "concepts"),
        *((word, 1, "files") for word in ("e", "eighth", "py", "ninth")),
        ("a", (1 << 40) + 1, "title"),
        *((word, (1 << 40) + 1, "text") for word in "bcdef"),
        ("second", (2 << 40) + 1, "text"),
    }


def test_it_is_in_step_after_any_changes(database: Database) -> None:
    chance = random.Random(5)
    tables = (Observation, SessionSummary, UserPrompt)
    texts = {Observation: "narrative", SessionSummary: "learned", UserPrompt: "prompt_text"}
    sizes = set()
    for number in range(120):
        put_session(database, f"s{number}", 1)
        with database.write() as connection:
            for _ in range(3):
                table = chance.choice(tables)
                session_id = f"s{chance.randrange(number + 1)}"
                some = table.session_id == session_id
                text = " ".join(chance.choices(WORDS, k=6))
                match chance.randrange(6):
                    case 0:
                        connection.execute(delete(table).where(some))
                    case 1:
                        connection.execute(update(table).where(some).values({texts[table]: text}))
                    case 2:
                        lists = {"facts": [text, text], "files_read": []}
                        connection.execute(
                            update(Observation).where(Observation.session_id == session_id).values(lists)
                        )
                    case 3:
                        connection.execute(update(table).where(some).values(created_at_epoch=number))
                    case 4:
                        connection.execute(delete(SdkSession).where(SdkSession.session_id == session_id))
                    case 5:
                        prompt = update(UserPrompt).where(UserPrompt.session_id == session_id)
                        connection.execute(prompt.values(closing_text=text))
        sizes.add(len(entries(database)))
    assert len(sizes) > 50
    before = entries(database)
    assert before == anew(database)


def test_the_summary_that_takes_anothers_place_does_so_in_the_index(database: Database) -> None:
    put_session(database, "s", 1)
    summarise(database, "provisionally", "provisional")
    assert "provisionally" in words_of(database)
    summarise(database, "finally", "agent")
    assert "finally" in words_of(database)
    assert "provisionally" not in words_of(database)
    assert entries(database) == anew(database)


def test_what_is_rolled_back_is_not_in_it(database: Database) -> None:
    put_session(database, "s", 1)
    before = entries(database)

    def fail_midway() -> None:
        with database.write() as connection:
            connection.execute(update(UserPrompt).values(prompt_text="halfway"))
            connection.execute(delete(Observation))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_midway()
    assert entries(database) == before


def test_a_row_that_is_there_already_is_not_in_it_twice(database: Database) -> None:
    put_session(database, "s", 1)
    with database.write() as connection:
        row = dict(connection.exec_driver_sql("SELECT * FROM user_prompts").mappings().one())
        del row["id"]
        before = connection.execute(insert(UserPrompt).values(row).on_conflict_do_nothing()).rowcount
    assert before == 0
    assert entries(database) == anew(database)


def test_what_is_forgotten_is_not_in_it(database: Database) -> None:
    put_session(database, "old", 9)
    put_session(database, "young", 1)
    assert "old" in words_of(database)
    past, how_far = PastSession("old", "/api", days_ago(9)), Forgetting.UNDER_WAY
    while how_far is Forgetting.UNDER_WAY:
        with database.write() as connection:
            how_far = retention.forget(connection, past, 1)
    assert "old" not in words_of(database)
    assert "young" in words_of(database)


def test_what_is_saved_from_a_damaged_database_is_in_the_new_ones(database: Database, tmp_path: Path) -> None:
    for number in range(5):
        put_session(database, f"s{number}", 1)
    expected = entries(database)
    database.close()
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("UPDATE search_index_data SET block = x'ff'")
        connection.commit()
    new = Database.create(tmp_path / "new" / "data" / "claude-mem.db")
    with new.write() as connection:
        assert salvage.save(database.path, connection, lambda _: False, now=0).observations == 5
    assert entries(new) == expected
    new.close()


def test_an_older_memory_gets_one_of_all_that_is_in_it(tmp_path: Path) -> None:
    path = old_schema(tmp_path / "home" / "data" / "claude-mem.db", "0003")
    database = Database.existing(path)
    assert entries(database) == [("go", (2 << 40) + 1, "text", 0)]
    database.close()
    path = old_schema(tmp_path / "later" / "data" / "claude-mem.db", "0005")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE user_prompts SET prompt_text = 'Look at getUserName'")
        connection.commit()
    database = Database.existing(path)
    assert words_of(database) == {"look", "at", "getusername", "get", "user", "name"}
    with database.write() as connection:
        assert search_index.refill(driver(connection)) == 0
    put_session(database, "new", 1)
    assert entries(database) == anew(database)
    database.close()


def test_what_is_written_has_its_identifiers_taken_apart(database: Database) -> None:
    lists = {"facts": ("factOne",), "files_read": ("/src/fileTwo.py",), "files_modified": ("fileThree.py",)}
    said = {"title": "titleFour", "subtitle": "subtitleFive", "narrative": "narrativeSix E501"}
    seen = outcomes.ObservationFields(1, "change", **said, **lists, concepts=(), tool_use_ids=(), at=1)
    put_session(database, "s", 1)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM observations")
        outcomes.put_observations(connection, "s", "/api", [seen], agent="a")
    summarise(database, "askSeven", "provisional")
    summarise(database, "askEight", "agent")
    numbers = {"one", "two", "three", "four", "five", "six", "501", "eight"}
    assert numbers <= words_of(database)
    assert "seven" not in words_of(database)
    before = entries(database)
    with database.write() as connection:
        search_index.refill(driver(connection))
    assert [entry for entry in entries(database) if entry[1] == 1] == [entry for entry in before if entry[1] == 1]


def test_what_another_program_wrote_is_taken_apart_when_it_is_asked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "TOGETHER", 2)
    for number in range(5):
        put_session(database, f"session{number}", 1)
    database.close()
    with closing(sqlite3.connect(database.path)) as connection:  # any client, without a function of this program's
        connection.execute("UPDATE user_prompts SET prompt_text = 'what is parseHeader' WHERE id > 2")
        connection.execute("UPDATE session_summaries SET learned = 'parseHeader is slow' WHERE id < 3")
        connection.execute("DELETE FROM observations WHERE id = 1")
        connection.commit()
    assert "header" not in words_of(database)
    with database.write() as connection:
        assert search_index.refill(driver(connection)) == 3 + 5 + 4  # "Saw session0" has parts too
    assert {number for word, number, *_ in entries(database) if word == "header"} == {
        *((1 << 40) + number for number in (1, 2)),
        *((2 << 40) + number for number in (3, 4, 5)),
    }
    assert entries(database) == anew(database)


def test_a_damaged_row_comes_in_and_goes(database: Database) -> None:
    put_session(database, "s", 1)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE observations SET facts = '[\"half', concepts = '', files_read = 'null'")
    assert entries(database) == anew(database)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM sdk_sessions")
    assert entries(database) == []


DAMAGES = {
    "no structure": "DELETE FROM search_index_data WHERE id = 10",
    "a structure that cannot be": "UPDATE search_index_data SET block = x'0123456789abcdef01234567' WHERE id = 10",
    "a structure of nothing": "UPDATE search_index_data SET block = zeroblob(9) WHERE id = 10",
    "averages that cannot be": "UPDATE search_index_data SET block = x'ff' WHERE id = 1",
    "pages that are gone": "DELETE FROM search_index_data WHERE id > 10",
    "pages of something else": "UPDATE search_index_data SET block = zeroblob(length(block)) WHERE id > 10",
    "no settings": "DELETE FROM search_index_config",
}


def damage(database: Database, kind: str) -> None:
    """Damage the index alone, in the tables in which FTS5 keeps it."""
    database.close()
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute(DAMAGES[kind])
        connection.commit()


def settings_of(database: Database) -> list[tuple[object, ...]]:
    return rows(database.path, "SELECT k, v FROM search_index_config ORDER BY k")


@pytest.mark.parametrize("kind", DAMAGES)
def test_whatever_is_left_of_a_damaged_index_it_can_be_made_anew(database: Database, kind: str) -> None:
    for number in range(5):
        put_session(database, f"s{number}", 1)
    expected, settings = entries(database), settings_of(database)
    damage(database, kind)
    assert anew(database) == expected
    assert settings_of(database) == settings
    put_session(database, "more", 1)
    assert entries(database) == anew(database)


@pytest.mark.parametrize("kind", ["no structure", "a structure that cannot be", "a structure of nothing"])
def test_whoever_meets_a_damaged_index_is_told_that_it_is_only_that(database: Database, kind: str) -> None:
    put_session(database, "s", 1)
    damage(database, kind)
    with pytest.raises(DamagedError, match="damaged search index") as caught:
        put_session(database, "other", 1)
    assert caught.value.hint == "claude-mem search --rebuild"


def test_a_python_without_full_text_search_is_told_so(database: Database) -> None:
    with (
        pytest.raises(DatabaseError, match="than this Python's SQLite can do") as caught,
        database.write() as connection,
    ):
        connection.exec_driver_sql("CREATE VIRTUAL TABLE other USING fts99(text)")
    assert "another Python" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "is_harmless"),
    [
        # As SQLite has them from 3.44 on: fts5_main.c, fts5IntegrityMethod.
        ("malformed inverted index for FTS5 table main.search_index", True),
        ("unable to validate the inverted index for FTS5 table main.search_index: SQL logic error", True),
        ("malformed inverted index for FTS5 table main.other", False),
        ("Tree 5 page 9: btreeInitPage() returns error code 11", False),
        ("ok", True),
    ],
)
def test_a_damaged_index_alone_is_no_damaged_memory(said: str, is_harmless: bool) -> None:
    assert _is_harmless(said) is is_harmless


def merge(database: Database) -> None:
    begin, has_more, steps = True, True, 0
    while has_more:
        with database.write() as connection:
            has_more = search_index.merge(driver(connection), begin=begin)
        begin, steps = False, steps + 1
        assert steps < 1000


def test_merging_leaves_nothing_of_what_is_gone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "MERGED", 1)
    chance = random.Random(3)
    for number in range(10):
        put_session(database, f"s{number}", 1)
        text = " ".join(["unforgettable"] * (number % 2) + [f"{chance.getrandbits(64):x}" for _ in range(1000)])
        with database.write() as connection:
            connection.execute(update(Observation).where(Observation.id == number + 1).values(narrative=text))
    with database.write() as connection:
        connection.execute(delete(SdkSession).where(SdkSession.id % 2 == 0))
    expected = entries(database)
    assert "unforgettable" not in words_of(database)
    assert holds(database, b"nforgettabl")
    merge(database)
    assert not holds(database, b"nforgettabl")
    assert entries(database) == expected


def test_merging_leaves_nothing_of_the_little_that_is_gone(database: Database) -> None:
    put_session(database, "kept", 1)
    put_session(database, "unforgettable", 1)
    merge(database)
    with database.write() as connection:
        connection.execute(delete(SdkSession).where(SdkSession.session_id == "unforgettable"))
    assert holds(database, b"nforgettabl")
    merge(database)
    assert not holds(database, b"nforgettabl")
    assert holds(database, b"kept")


def holds(database: Database, word: bytes) -> bool:
    """Say whether a word stands in the tables in which FTS5 keeps the index, be it crossed out."""
    with database.read() as connection:
        blocks = driver(connection).execute("SELECT block FROM search_index_data").fetchall()
    return any(word in block for (block,) in blocks)
