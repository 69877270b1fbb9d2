"""What the TypeScript claude-mem remembered is remembered here, each thing once, whichever version wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.memory import theirs
from tests.memory.theirs import AT, RECENT
from tests.service.conftest import Killed
from tests.service.test_importing import NOW, Asked, World, prompt_of
from tests.transcript import lines
from tests.transcript.lines import BEGIN
from watcher.memory import lookup, outcomes, turns, typescript
from watcher.memory.browse import Ref
from watcher.memory.database import Database, driver
from watcher.memory.outcomes import ObservationFields, SummaryFields
from watcher.memory.search import search
from watcher.memory.selection import Wanted
from watcher.service import forgetting, history
from watcher.service.digest import Digest
from watcher.service.takeover import TakenOver, Takeover
from watcher.settings import PrivacySettings, Settings

MEMORY = "memory-1"
SESSION = lines.SESSION
HOUR = 3_600_000
COUNTS = """
SELECT (SELECT count(*) FROM sdk_sessions), (SELECT count(*) FROM user_prompts),
    (SELECT count(*) FROM observations), (SELECT count(*) FROM session_summaries WHERE agent = 'claude-mem-ts')
"""


class Adopting(World):
    """A memory that takes over another one."""

    def take(self, path: Path, **parts: Any) -> TakenOver:
        """Do what the command does."""
        with typescript.opened(path) as opened:
            if there := history.transcripts_of(opened.session_ids(), self.settings.projects):
                self.import_(*there)
            return Takeover(self.settings, self.database, clock=lambda: self.now, **parts).run(opened)

    def context(self, project: str) -> str:
        with self.database.read() as connection:
            return lookup.context(driver(connection), project)


@pytest.fixture
def world(settings: Settings, database: Database) -> Iterator[Adopting]:
    made = Adopting(settings, database)
    made.now = max(NOW, 1_795_400_000_000)  # after the recorded one
    return made


def one_session(path: Path, *more: str) -> Path:
    """Make a database with one session of two prompts, the times of which are those of a transcript, nearly."""
    return theirs.changed(
        path,
        *(f"DELETE FROM {table}" for table in ("observations", "session_summaries", "user_prompts", "tool_uses")),
        "DELETE FROM sdk_sessions",
        "INSERT INTO sdk_sessions (id, content_session_id, memory_session_id, project, started_at, started_at_epoch, "
        f"status) VALUES (1, '{SESSION}', '{MEMORY}', 'api', '', {BEGIN + 40}, 'active')",
        *(
            "INSERT INTO user_prompts (session_db_id, content_session_id, prompt_number, prompt_text, created_at, "
            f"created_at_epoch) VALUES (1, '{SESSION}', {number}, 'Do number {number}', '', {BEGIN + at + 40})"
            for number, at in ((1, 0), (2, HOUR))
        ),
        *(
            "INSERT INTO observations (memory_session_id, project, type, title, narrative, facts, prompt_number, "
            f"created_at, created_at_epoch) VALUES ('{MEMORY}', 'api', '{kind}', 'Saw {number}', 'All of it', "
            f"'[\"f\"]', {number}, '', {BEGIN + at + 700})"
            for number, at, kind in ((1, HOUR, "bugfix"), (2, HOUR, "security_alert"))  # the first came late
        ),
        "INSERT INTO session_summaries (memory_session_id, project, request, learned, prompt_number, created_at, "
        f"created_at_epoch) VALUES ('{MEMORY}', 'api', 'First', 'Much', 1, '', {BEGIN + 1500})",
        *more,
    )


def transcript(world: Adopting) -> Path:
    """Write that session's transcript."""
    edits = b'"name": "Edit", "input": {"file_path": "/home/dev/api/a.py", "old_string": "a", "new_string": "b"}'
    written = lines.turn(0, 1) + lines.turn(HOUR, 2)
    return world.write(SESSION, written.replace(b'"name": "Bash", "input": {"command": "ls"}', edits))


def test_the_recorded_one_comes_over_whole_and_once(world: Adopting) -> None:
    first = world.take(RECENT)
    assert (first.sessions, first.prompts, first.observations, first.summaries) == (15, 15, 39, 12)
    assert first.unmapped == {}
    assert world.rows(COUNTS) == [(15, 15, 39, 12)]
    before = world.dump()
    again = world.take(RECENT)
    assert (again.sessions, again.prompts, again.observations, again.summaries) == (0, 0, 0, 0)
    assert world.dump() == before


def test_it_is_over_has_its_times_and_costs_nothing(world: Adopting) -> None:
    world.take(RECENT)
    assert world.rows("SELECT DISTINCT status, project FROM sdk_sessions") == [("completed", "/home/dev/proj")]
    times = "SELECT min(created_at_epoch), max(created_at_epoch) FROM"
    assert world.rows(f"{times} observations") == theirs.rows(RECENT, f"{times} observations")
    made = world.rows(f"{times} session_summaries WHERE agent = 'claude-mem-ts'")
    assert made == theirs.rows(RECENT, f"{times} session_summaries")
    assert world.rows(f"{times} user_prompts") == theirs.rows(RECENT, f"{times} user_prompts")
    digest = Digest(world.database, Asked(), world.settings, clock=lambda: world.now)
    assert digest.due() == []
    assert digest.next_due_at() is None
    with world.database.read() as connection:
        assert turns.sessions_without_last_summary(connection) == []
        assert search(driver(connection), "MARK-after500", limit=5, now=world.now).rows
    assert "MARK-after500" in world.context("/home/dev/proj")


def test_an_older_schema_comes_over_the_same_but_for_its_folders(world: Adopting, tmp_path: Path) -> None:
    taken = world.take(theirs.older(tmp_path / "older.db"))
    assert (taken.sessions, taken.prompts, taken.observations, taken.summaries) == (15, 15, 39, 12)
    assert taken.unmapped == {"proj": 15}
    assert world.rows("SELECT DISTINCT project FROM observations") == [("proj",)]
    # Once the folder is known, all of it moves there.
    again = world.take(RECENT)
    assert (again.sessions, again.observations, again.unmapped) == (0, 0, {})
    for table in ("sdk_sessions", "observations", "session_summaries"):
        assert world.rows(f"SELECT DISTINCT project FROM {table}") == [("/home/dev/proj",)]
    assert world.rows("SELECT project FROM contexts") == [("/home/dev/proj",)]


def test_the_oldest_schema_comes_over(world: Adopting, tmp_path: Path) -> None:
    path = theirs.make(tmp_path / "oldest.db", theirs.OLDEST)
    taken = world.take(path)
    assert (taken.sessions, taken.prompts, taken.observations, taken.summaries) == (2, 1, 2, 1)
    assert world.take(path).observations == 0
    assert world.rows("SELECT request, created_at_epoch FROM session_summaries") == [("Mend it", AT + 3000)]


def test_a_session_whose_transcript_is_there_is_not_doubled(world: Adopting, tmp_path: Path) -> None:
    transcript(world)
    path = one_session(tmp_path / "one.db")
    taken = world.take(path)
    assert (taken.sessions, taken.prompts, taken.observations, taken.summaries) == (0, 0, 2, 1)
    assert world.rows("SELECT prompt_number, prompt_text, closing_text FROM user_prompts") == [
        (1, "Do number 1", "Did number 1."),
        (2, "Do number 2", "Did number 2."),
    ]
    assert world.rows("SELECT title, type, prompt_number, project FROM observations ORDER BY prompt_number") == [
        ("Saw 1", "bugfix", 1, "/home/dev/api"),
        ("Saw 2", "discovery", 2, "/home/dev/api"),
    ]
    summaries = "SELECT prompt_number, agent, request FROM session_summaries ORDER BY prompt_number"
    assert world.rows(summaries) == [(1, "claude-mem-ts", "First"), (2, "extractive", "Do number 2")]
    before = world.dump()
    assert world.take(path).observations == 0
    assert world.dump() == before


def test_what_our_model_made_of_a_turn_stands(world: Adopting, tmp_path: Path) -> None:
    transcript(world)
    world.import_(model_last=1)
    fields = ObservationFields(1, "feature", "Ours", "", "", (), (), (), (), (), BEGIN + 10)
    with world.database.write() as connection:
        outcomes.put_observations(connection, SESSION, "/home/dev/api", [fields], agent="claude")
        turn = turns.turns(connection, SESSION)[0]
        ours = SummaryFields("Our own", "", "", "", "", "")
        outcomes.put_agent_summary(connection, turn, ours, agent="claude", now=world.now)
    world.take(one_session(tmp_path / "one.db"))
    assert world.rows("SELECT title FROM observations ORDER BY prompt_number") == [("Ours",), ("Saw 2",)]
    assert world.rows("SELECT request FROM session_summaries WHERE prompt_number = 1") == [("Our own",)]


def test_a_transcript_that_comes_later_does_not_double_it(world: Adopting, tmp_path: Path) -> None:
    world.take(one_session(tmp_path / "one.db"))
    before = world.dump()
    transcript(world)
    assert world.import_().taken_over == 1
    assert world.dump() == before


def test_a_folder_is_found_by_its_name_unless_two_bear_it(world: Adopting, tmp_path: Path) -> None:
    world.write("a", lines.turn(0, 1).replace(b"/home/dev/api", b"/srv/api"))
    world.import_()
    taken = world.take(one_session(tmp_path / "one.db"))
    assert taken.unmapped == {}
    assert world.rows(f"SELECT project FROM sdk_sessions WHERE session_id = '{SESSION}'") == [("/srv/api",)]


def test_of_two_folders_of_a_name_none_is_taken(world: Adopting, tmp_path: Path) -> None:
    for name in (b"/srv/api", b"C:\\\\work\\\\api"):
        session_id = "a" if b"srv" in name else "b"
        world.write(session_id, prompt_of(session_id, 0, 1).replace(b"/home/dev/api", name))
    world.import_()
    assert world.take(one_session(tmp_path / "one.db")).unmapped == {"api": 1}
    assert world.rows(f"SELECT project FROM sdk_sessions WHERE session_id = '{SESSION}'") == [("api",)]


@pytest.mark.parametrize(
    ("cwd", "project"),
    [
        ("/home/dev/api", "/home/dev/api"),
        ("/home/dev/api/src/deep/", "/home/dev/api"),
        ("C:\\work\\api\\src", "C:\\work\\api"),
        ("/elsewhere/entirely", "/elsewhere/entirely"),
    ],
)
def test_a_folder_is_where_tools_were_used(world: Adopting, tmp_path: Path, cwd: str, project: str) -> None:
    used = (
        "INSERT INTO tool_uses (tool_use_id, content_session_id, project, tool_name, cwd, created_at, "
        f"created_at_epoch) VALUES ('t', '{SESSION}', 'api', 'Bash', '{cwd}', '', 1)"
    )
    assert world.take(one_session(tmp_path / "one.db", used)).unmapped == {}
    assert world.rows("SELECT DISTINCT project FROM observations") == [(project,)]


def test_a_summary_without_its_prompt_keeps_its_turn(world: Adopting, tmp_path: Path) -> None:
    another = (
        "INSERT INTO session_summaries (memory_session_id, project, request, prompt_number, created_at, "
        f"created_at_epoch) VALUES ('{MEMORY}', 'api', 'Third', 3, '', {BEGIN + 2 * HOUR})"
    )
    world.take(one_session(tmp_path / "one.db", another))
    found = world.rows("SELECT prompt_number, request, agent FROM session_summaries ORDER BY 1")
    assert found == [(1, "First", "claude-mem-ts"), (2, "Do number 2", "extractive"), (3, "Third", "claude-mem-ts")]


def test_asked_to_end_it_goes_on_later(world: Adopting) -> None:
    done = [False, False, True]
    assert not world.take(RECENT, is_stopping=lambda: done.pop(0)).is_whole
    assert world.rows("SELECT count(*) FROM sdk_sessions") == [(2,)]
    assert world.take(RECENT).sessions == 13
    assert world.rows(COUNTS) == [(15, 15, 39, 12)]


def test_what_was_forgotten_stays_so(world: Adopting) -> None:
    with world.database.write() as connection:
        connection.exec_driver_sql(f"PRAGMA user_version = {1_795_397_000_000 // 60_000}")
    taken = world.take(RECENT)
    assert 0 < taken.forgotten < 15
    assert taken.sessions == 15 - taken.forgotten


def test_what_was_added_there_since_comes_over_later(world: Adopting, tmp_path: Path) -> None:
    path = one_session(tmp_path / "one.db")
    world.take(path)
    insert = "INSERT INTO {} ({}, created_at, created_at_epoch) VALUES ({}, '', {})".format
    at = BEGIN + 3 * HOUR
    names = "session_db_id, content_session_id, prompt_number, prompt_text"
    theirs.make(path, insert("user_prompts", names, f"1, '{SESSION}', 3, 'Do number 3'", at))
    assert world.take(path).prompts == 1
    names = "memory_session_id, project, type, title, prompt_number"
    theirs.make(path, insert("observations", names, f"'{MEMORY}', 'api', 'feature', 'Saw 3', 3", at + 100))
    assert world.take(path).observations == 1
    names = "memory_session_id, project, request, prompt_number"
    theirs.make(path, insert("session_summaries", names, f"'{MEMORY}', 'api', 'Third', 3", at + 200))
    assert world.take(path).summaries == 1
    found = world.rows("SELECT prompt_number, request FROM session_summaries ORDER BY 1")
    assert found == [(1, "First"), (2, "Do number 2"), (3, "Third")]


def test_killed_at_any_commit_and_begun_again_it_comes_to_the_same(
    world: Adopting, tmp_path: Path, die_at: Callable[[int], None]
) -> None:
    path = one_session(tmp_path / "one.db")
    dumps = []
    has_died = True
    while has_died:
        database = Database.create(tmp_path / str(len(dumps)) / "data" / "claude-mem.db")
        another = Adopting(world.settings, database)
        die_at(len(dumps) + 1)
        has_died = False
        try:
            another.take(path)
        except Killed:
            has_died = True
            another.take(path)
        dumps.append(another.dump())
        database.close()
    assert len(dumps) > 2
    assert all(dump == dumps[-1] for dump in dumps)


@pytest.mark.parametrize("has_transcript", [True, False])
def test_of_a_private_prompt_nothing_comes_over(world: Adopting, tmp_path: Path, has_transcript: bool) -> None:
    prompt = "<private>The marmalade</private>"
    path = one_session(
        tmp_path / "one.db",
        f"UPDATE user_prompts SET prompt_text = '{prompt}' WHERE prompt_number = 1",
        "UPDATE observations SET title = 'marmalade' WHERE prompt_number = 1",
        "UPDATE session_summaries SET learned = 'marmalade'",
        "UPDATE sdk_sessions SET custom_title = 'marmalade'",
    )
    if has_transcript:
        world.write(SESSION, (lines.turn(0, 1) + lines.turn(HOUR, 2)).replace(b"Do number 1", prompt.encode()))
    world.take(path)
    assert world.rows("SELECT prompt_text, is_private FROM user_prompts") == [("[private]", 1), ("Do number 2", 0)]
    assert world.rows("SELECT title FROM observations WHERE agent = 'claude-mem-ts'") == [("Saw 2",)]
    assert world.rows("SELECT prompt_number FROM session_summaries") == [(2,)]
    kept = b"".join(one.read_bytes() for one in world.settings.home.rglob("*") if one.is_file())
    assert b"marmalade" not in kept


def test_of_an_excluded_project_nothing_comes_over(world: Adopting) -> None:
    world.settings = replace(world.settings, privacy=PrivacySettings(exclude=("/home/dev/*",)))
    taken = world.take(RECENT)
    assert (taken.excluded, taken.sessions) == (15, 0)
    assert world.rows(COUNTS) == [(0, 0, 0, 0)]
    assert world.rows("SELECT count(*) FROM contexts") == [(0,)]


@pytest.mark.parametrize("has_transcript", [True, False])
@pytest.mark.parametrize("wanted", [{"text": "number 2"}, {"session": SESSION}, {"text": "Saw 2"}])
def test_what_was_forgotten_is_not_taken_over_again(
    world: Adopting, tmp_path: Path, wanted: dict[str, str], has_transcript: bool
) -> None:
    if has_transcript:
        transcript(world)
    path = one_session(tmp_path / "theirs.db")
    world.take(path)
    assert len(world.rows("SELECT 1 FROM observations WHERE agent = 'claude-mem-ts'")) == 2
    forgetting.forget(world.settings, world.database, Wanted(**wanted), clock=lambda: world.now)
    before = world.dump()
    world.take(path)
    assert world.dump() == before
    left = [] if "session" in wanted else [("Do number 1",)]
    assert world.rows("SELECT prompt_text FROM user_prompts") == left
    assert world.rows("SELECT count(*) FROM observations WHERE agent = 'claude-mem-ts'") == [(len(left),)]


def test_an_observation_of_theirs_that_was_forgotten_stays_away(world: Adopting, tmp_path: Path) -> None:
    path = one_session(tmp_path / "theirs.db")
    world.take(path)
    ((number,),) = world.rows("SELECT id FROM observations WHERE title = 'Saw 2'")
    forgetting.forget(world.settings, world.database, Wanted((Ref("#", number),)), clock=lambda: world.now)
    world.take(path)
    assert world.rows("SELECT title FROM observations WHERE agent = 'claude-mem-ts'") == [("Saw 1",)]


@pytest.mark.parametrize("when", ["beat", "progress"])
def test_what_is_forgotten_while_it_is_taken_over_does_not_come_later(world: Adopting, when: str) -> None:
    told = 0

    def forget(*_sessions: int) -> None:
        nonlocal told
        told += 1
        if told == 2:
            forgetting.forget(world.settings, world.database, Wanted(since=0), clock=lambda: world.now)

    taken = world.take(RECENT, **{when: forget})
    assert taken.sessions in (1, 2)
    assert world.rows(COUNTS) == [(0, 0, 0, 0)]
