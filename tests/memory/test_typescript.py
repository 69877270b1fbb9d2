"""The TypeScript claude-mem's database is read whatever version wrote it, and whatever stands where a list should."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.memory.theirs import AT, OLDEST, RECENT, changed, make, older
from watcher.errors import ClaudeMemError, UsageError
from watcher.memory import typescript
from watcher.memory.database import Database
from watcher.memory.typescript import TheirSession


def sessions(path: Path) -> list[TheirSession]:
    with typescript.opened(path) as theirs:
        return list(theirs.sessions())


def test_the_recorded_one_is_read_whole() -> None:
    found = sessions(RECENT)
    assert len(found) == 15
    assert [len([row for one in found for row in rows(one)]) for rows in (prompts, observations, summaries)] == [
        15,
        39,
        12,
    ]
    first = found[0]
    assert (first.project, first.prompts[0].text) == ("proj", "w MARK-r0 TOOLS=2")
    assert first.observations[0].facts == ("fact one about the file",)
    assert first.summaries[0].fields.next_steps == "SUMNEXT none"
    assert first.observations[0].at == 1_795_396_513_503
    with typescript.opened(RECENT) as theirs:
        assert {(project, cwd) for _, project, cwd in theirs.folders()} == {("proj", "/home/dev/proj")}


def prompts(session: TheirSession) -> tuple[object, ...]:
    return session.prompts


def observations(session: TheirSession) -> tuple[object, ...]:
    return session.observations


def summaries(session: TheirSession) -> tuple[object, ...]:
    return session.summaries


def test_an_older_schema_holds_the_same(tmp_path: Path) -> None:
    path = older(tmp_path / "older.db")
    assert sessions(path) == sessions(RECENT)
    with typescript.opened(path) as theirs:
        assert list(theirs.folders()) == []


def test_the_oldest_schema_is_read_too(tmp_path: Path) -> None:
    known, orphan = sessions(make(tmp_path / "oldest.db", OLDEST))
    assert (known.session_id, known.prompts[0].text, known.prompts[0].at) == ("claude-1", "Mend the parser", AT)
    (observation,) = known.observations
    assert (observation.title, observation.number) == ("The parser reads dates", None)
    assert observation.narrative == "The parser reads dates\nas UTC."
    (summary,) = known.summaries
    assert (summary.fields.learned, summary.fields.investigated) == ("UTC", "")
    assert (orphan.session_id, orphan.project, orphan.started_at) == ("sdk-gone", "web", AT + 2000)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (None, ()),
        ("", ()),
        ("null", ()),
        ('["a", "b"]', ("a", "b")),
        ('["a", 1, null, {"b": "ä"}]', ("a", "1", '{"b": "ä"}')),
        ('{"x": "a"}', ("a",)),
        ('"a"', ("a",)),
        ("one\ntwo", ("one", "two")),
        ("[broken", ("[broken",)),
        (b"\xff[]", ("�[]",)),
        (7, ("7",)),
        ('["\\ud800"]', ("?",)),
    ],
)
def test_what_is_no_list_is_read_as_what_it_is(tmp_path: Path, written: object, read: tuple[str, ...]) -> None:
    path = tmp_path / "odd.db"
    shutil.copy(RECENT, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE observations SET facts = ?", (written,))
        connection.commit()
    assert sessions(path)[0].observations[0].facts == read


@pytest.mark.parametrize(
    ("epoch", "text", "at"),
    [(AT, "", AT), (AT // 1000, "", AT), ("x", "2025-10-09T08:53:20.000Z", AT), (0, "2025-10-09T08:53:20Z", AT)],
)
def test_a_time_is_read_however_it_is_written(tmp_path: Path, epoch: object, text: str, at: int) -> None:
    path = tmp_path / "times.db"
    shutil.copy(RECENT, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE observations SET created_at_epoch = ?, created_at = ?", (epoch, text))
        connection.commit()
    assert sessions(path)[0].observations[0].at == at


def test_its_own_agents_sessions_are_left_out(tmp_path: Path) -> None:
    path = changed(
        tmp_path / "observers.db",
        "UPDATE sdk_sessions SET project = 'observer-sessions' WHERE id > 1",
        "UPDATE observations SET project = 'observer-sessions' WHERE id > 2",
    )
    assert [session.project for session in sessions(path)] == ["proj"]


def test_what_is_no_such_database_is_said(tmp_path: Path, database: Database) -> None:
    with pytest.raises(UsageError, match="no database at"), typescript.opened(tmp_path / "none.db"):
        pass
    with pytest.raises(UsageError, match="is no database of the TypeScript"), typescript.opened(database.path):
        pass
    text = tmp_path / "text.db"
    text.write_text(json.dumps({"not": "a database"}) * 200)
    with pytest.raises(ClaudeMemError, match="file is not a database"), typescript.opened(text):
        pass


def test_nothing_is_written_to_it(tmp_path: Path) -> None:
    path = tmp_path / "theirs" / "claude-mem.db"
    path.parent.mkdir()
    shutil.copy(RECENT, path)
    before = path.read_bytes()
    with typescript.opened(path) as theirs, pytest.raises(sqlite3.OperationalError, match="readonly"):
        theirs._connection.execute("DELETE FROM observations")
    assert len(sessions(path)) == 15
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["claude-mem.db"]


def test_what_its_worker_has_not_brought_into_the_file_yet_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "in-use.db"
    shutil.copy(RECENT, path)
    with closing(sqlite3.connect(path)) as worker:
        worker.execute("PRAGMA journal_mode = WAL")
        worker.execute("UPDATE observations SET title = 'Just now'")
        worker.commit()
        assert path.with_name("in-use.db-wal").stat().st_size > 0
        assert sessions(path)[0].observations[0].title == "Just now"
        worker.execute("UPDATE observations SET title = 'And again'")  # it is not kept from its work
        worker.commit()
