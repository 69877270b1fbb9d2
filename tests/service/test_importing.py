"""What was written before there was a memory comes into it as if there had been one, and costs no model anything."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import Killed
from tests.transcript import lines
from tests.transcript.lines import BEGIN
from watcher.agent.extractive import ExtractiveAgent
from watcher.memory import checkpoints, health, sessions, watchers
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service import history
from watcher.service.digest import Digest
from watcher.service.importing import Import, Imported
from watcher.service.ingest import Ingest
from watcher.service.lifecycle import Lifecycle
from watcher.service.watch import YOUNG
from watcher.settings import Settings
from watcher.transcript import tail

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = BEGIN + 30 * DAY
ROWS = {
    "user_prompts": "session_id, prompt_number, prompt_text, closing_text, ended_at_epoch, created_at_epoch",
    "tool_uses": "session_id, tool_use_id, prompt_number, status, input, is_error",
    "observations": "session_id, project, prompt_number, title, agent, created_at_epoch",
    "session_summaries": "session_id, project, prompt_number, summary_text, source, agent, created_at_epoch",
    "sdk_sessions": "session_id, project, status, end_reason, started_at_epoch, completed_at_epoch, prompt_count",
    "checkpoints": 'path, "offset", since_epoch',
    "contexts": "project, text",
}


class Asked(ExtractiveAgent):
    """An agent that costs something."""

    name = "claude"

    def digest(self, batch: object) -> Any:
        raise AssertionError(f"the model was asked about {batch}")


class World:
    """A Claude Code that has written transcripts, and a memory."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.now = NOW

    def write(self, session_id: str, *written: bytes, project: str = "-home-dev-api") -> Path:
        path = self.settings.projects / project / f"{session_id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(written).replace(lines.SESSION.encode(), session_id.encode()))
        return path

    def begin(self, at: int) -> None:
        """Let the first watcher have run at some time."""
        with self.database.write() as connection:
            watchers.started(connection, pid=1, version="", now=at)

    def watch(self, *paths: Path) -> None:
        """Let a watcher take transcripts in."""
        with self.database.read() as connection:
            since = (watchers.first_start(connection) or 0) - YOUNG * 1000
        ingest = Ingest(self.database, self.settings.capture, since=since, clock=lambda: self.now)
        digest = Digest(self.database, ExtractiveAgent(), self.settings, clock=lambda: self.now)
        life = Lifecycle(self.database, ingest, digest, self.settings.watch, clock=lambda: self.now)
        for path in paths:
            life.follow(path)
            life.finalize(path.stem)

    def import_(self, *paths: Path, model_last: int = 0, **parts: Any) -> Imported:
        with self.database.read() as connection:
            covered = checkpoints.covered(connection)
            active = {session.session_id for session in sessions.active(connection)}
        found = history.find(paths or [self.settings.projects], self.settings.projects, covered, active)
        job = Import(self.settings, self.database, Asked(), clock=lambda: self.now, **parts)
        return job.run(found.sessions, model_last=model_last)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database.path)) as connection:
            return connection.execute(sql).fetchall()

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table: sorted(self.rows(f"SELECT {names} FROM {table}"), key=repr) for table, names in ROWS.items()}


def prompt_of(session_id: str, at: int, number: int, tools: int = 1) -> bytes:
    """Return a turn whose prompt and tool uses are this session's own."""
    turn = lines.turn(at, number, tools)
    edits = b'"name": "Edit", "input": {"file_path": "/home/dev/api/a.py", "old_string": "a", "new_string": "b"}'
    turn = turn.replace(f'"name": "Bash", "input": {{"command": "{lines.COMMAND}"}}'.encode(), edits)
    return turn.replace(b'"prompt-', f'"{session_id}-prompt-'.encode()).replace(
        b'"tool-', f'"{session_id}-tool-'.encode()
    )


@pytest.fixture
def world(settings: Settings, database: Database) -> World:
    return World(settings, database)


@pytest.fixture
def past(world: World) -> World:
    """Three sessions, days apart, the youngest written first."""
    for number in (3, 2, 1):
        at = number * DAY
        session_id = f"s{number}"
        world.write(session_id, prompt_of(session_id, at, 1), prompt_of(session_id, at + 5000, 2, tools=3))
    return world


def test_sessions_are_over_with_their_own_times(past: World) -> None:
    imported = past.import_()
    assert (imported.sessions, imported.prompts, imported.tool_uses, imported.for_model) == (3, 6, 12, 0)
    found = past.rows(
        "SELECT session_id, status, end_reason, started_at_epoch - ?, completed_at_epoch - ? FROM sdk_sessions".replace(
            "?", str(BEGIN)
        )
    )
    ends = [(f"s{n}", "completed", "imported", n * DAY, n * DAY + 5950) for n in (1, 2, 3)]
    assert found == ends  # in the order in which they were begun
    times = past.rows(f"SELECT created_at_epoch - {BEGIN} FROM session_summaries ORDER BY id")
    assert times == [(n * DAY + at,) for n in (1, 2, 3) for at in (900, 5900)]


def test_what_was_done_is_digested_without_the_model(past: World) -> None:
    past.import_()
    assert past.rows("SELECT DISTINCT status, input FROM tool_uses") == [("observed", None)]
    assert past.rows("SELECT DISTINCT source, agent FROM session_summaries") == [("agent", "extractive")]
    assert past.rows("SELECT count(*) FROM observations") != [(0,)]
    digest = Digest(past.database, Asked(), past.settings, clock=lambda: past.now)
    assert digest.due() == []
    assert digest.next_due_at() is None


def test_the_last_sessions_wait_for_the_model(past: World) -> None:
    imported = past.import_(model_last=2)
    assert imported.for_model == 2
    assert past.rows("SELECT DISTINCT session_id FROM tool_uses WHERE status = 'pending'") == [("s2",), ("s3",)]
    assert past.rows("SELECT DISTINCT status FROM sdk_sessions") == [("completed",)]
    assert past.rows("SELECT count(*) FROM session_summaries WHERE source = 'provisional'") == [(4,)]
    digest = Digest(past.database, Asked(), past.settings, clock=lambda: past.now)
    assert digest.due() == ["s2", "s3"]
    with past.database.read() as connection:
        assert health.waiting(connection, past.now - DAY) == 0  # they came in a moment ago
        assert health.waiting(connection, past.now + 1) == 8


def test_importing_again_brings_nothing(past: World) -> None:
    past.import_()
    before = past.dump()
    again = past.import_()
    assert (again.sessions, again.prompts, again.going_on) == (0, 0, 0)
    assert past.dump() == before


def test_a_session_that_was_at_work_a_moment_ago_is_left_to_the_watcher(past: World) -> None:
    past.write("s4", prompt_of("s4", 30 * DAY - HOUR, 1), lines.prompt(30 * DAY - HOUR // 2, "And more"))
    imported = past.import_()
    assert (imported.sessions, imported.going_on, imported.for_model) == (4, 1, 1)
    assert past.rows("SELECT status, completed_at_epoch FROM sdk_sessions WHERE session_id = 's4'") == [
        ("active", None)
    ]
    assert past.rows("SELECT DISTINCT status FROM tool_uses WHERE session_id = 's4'") == [("pending",)]


def test_an_imported_session_that_goes_on_is_active_again(past: World) -> None:
    past.import_()
    past.begin(NOW)
    past.watch(past.write("s2", prompt_of("s2", 30 * DAY, 3)))
    assert past.rows("SELECT status FROM sdk_sessions WHERE session_id = 's2'") == [("active",)]
    numbers = past.rows("SELECT prompt_number, prompt_text FROM user_prompts WHERE session_id = 's2' ORDER BY 1")
    assert numbers == [(1, "Do number 1"), (2, "Do number 2"), (3, "Do number 3")]


def test_work_after_a_silence_of_hours_makes_it_active_again(past: World) -> None:
    path = past.write("s2", lines.prompt(2 * DAY + 9000, "Build it"), lines.tool_use(2 * DAY + 9500, "build"))
    past.import_()
    assert past.rows("SELECT status FROM tool_uses WHERE tool_use_id = 'build'") == [("observed",)]
    past.begin(NOW)
    past.write("s2", lines.tool_result(30 * DAY, "build"), lines.words(30 * DAY + 10, "Built."))
    past.watch(path)
    assert past.rows("SELECT status FROM sdk_sessions WHERE session_id = 's2'") == [("active",)]


@pytest.fixture
def straddling(world: World) -> tuple[World, Path]:
    """A session of four turns, of which a watcher left the first two alone: they were before its time."""
    world.begin(BEGIN + 10 * DAY)
    turns = [prompt_of("s", day * DAY, day, tools=2) for day in (1, 2, 10, 11)]
    long = b"x" * tail.CHUNK  # so that it is read in parts
    turns[2] = turns[2].replace(b'"content": "ok"', b'"content": "' + long + b'"', 1)
    path = world.write("s", *turns)
    world.now = BEGIN + 11 * DAY + 5000
    world.watch(path)
    assert world.rows("SELECT prompt_number, prompt_text FROM user_prompts") == [
        (1, "Do number 10"),
        (2, "Do number 11"),
    ]
    world.now = NOW
    return world, path


def test_a_session_older_than_the_memory_is_read_anew(straddling: tuple[World, Path], tmp_path: Path) -> None:
    world, path = straddling
    assert world.import_().prompts == 2
    dump = world.dump()
    fresh = Database.create(tmp_path / "fresh" / "data" / "claude-mem.db")
    whole = World(world.settings, fresh)
    whole.import_()
    other = whole.dump()
    fresh.close()
    for table in ("user_prompts", "tool_uses", "session_summaries"):
        assert dump[table] == other[table], table
    assert [row[2:4] for row in dump["observations"]] == [row[2:4] for row in other["observations"]]
    assert dump["checkpoints"] == [(str(path), path.stat().st_size, 0)]
    assert world.import_().prompts == 0


def test_killed_while_it_is_read_anew_it_comes_to_the_same(
    straddling: tuple[World, Path], die_at: Callable[[int], None]
) -> None:
    world, path = straddling
    for commits in (1, 2, 3):
        die_at(commits)
        with pytest.raises(Killed):
            world.import_()
        world.watch(path)
    world.import_()
    prompts = "SELECT prompt_number, prompt_text FROM user_prompts ORDER BY prompt_number"
    assert world.rows(prompts) == [(number, f"Do number {day}") for number, day in enumerate((1, 2, 10, 11), start=1)]
    uses = "SELECT prompt_number, count(*) FROM tool_uses GROUP BY 1"
    assert world.rows(uses) == [(number, 2) for number in (1, 2, 3, 4)]
    assert world.dump()["checkpoints"] == [(str(path), path.stat().st_size, 0)]


def test_what_a_watcher_goes_on_with_is_as_whole_as_it_was_begun(world: World) -> None:
    """An import was killed in the middle of a transcript, and a watcher takes in the rest."""
    path = world.write("s", prompt_of("s", DAY, 1))
    world.import_()
    world.write("s", prompt_of("s", DAY + 60_000, 2))
    world.begin(NOW)
    world.watch(path)
    assert world.rows("SELECT count(*) FROM user_prompts") == [(2,)]


def test_killed_at_any_commit_and_begun_again_it_comes_to_the_same(
    past: World, tmp_path: Path, die_at: Callable[[int], None]
) -> None:
    past.write("s3", lines.tool_use(3 * DAY + 9000, "open"))
    dumps = []
    has_died = True
    while has_died:
        database = Database.create(tmp_path / str(len(dumps)) / "data" / "claude-mem.db")
        world = World(past.settings, database)
        die_at(len(dumps) + 1)
        has_died = False
        try:
            world.import_(model_last=1)
        except Killed:
            has_died = True
            world.import_(model_last=1)
        dumps.append(world.dump())
        database.close()
    assert len(dumps) > 8
    assert all(dump == dumps[-1] for dump in dumps)


def test_who_is_at_work_meanwhile_is_served(past: World) -> None:
    path = past.write("live", prompt_of("live", 30 * DAY - 9000, 1))
    event = json.dumps({"session_id": "live", "transcript_path": str(path)})
    with past.database.write() as connection:
        sessions.raise_flag(connection, "live", FlagKind.FINALIZE, event, NOW - 5000)
    past.import_(past.settings.projects / "-home-dev-api" / "s1.jsonl")
    assert past.rows("SELECT outcome FROM flags") == [("summarised",)]
    assert past.rows("SELECT source FROM session_summaries WHERE session_id = 'live'") == [("provisional",)]


def test_asked_to_end_it_keeps_what_is_done_and_goes_on_later(past: World) -> None:
    done = [False, True]
    imported = past.import_(is_stopping=lambda: done.pop(0))
    assert not imported.is_whole
    assert past.rows("SELECT session_id, status FROM sdk_sessions") == [("s1", "completed")]
    assert past.import_().sessions == 2


def test_subagents_come_with_their_session_and_what_is_no_transcript_does_not(world: World) -> None:
    path = world.write("s", prompt_of("s", DAY, 1))
    folder = path.with_suffix("") / "subagents"
    folder.mkdir(parents=True)
    used = lines.tool_use(DAY + 400, "of-subagent") + lines.tool_result(DAY + 410, "of-subagent")
    (folder / "agent-1.jsonl").write_bytes(used)
    (path.parent / "agent-2.jsonl").write_bytes(lines.turn(DAY, 7))  # of a session that no name tells
    (path.with_suffix("") / "tool-results").mkdir()
    (path.with_suffix("") / "tool-results" / "x.jsonl").write_bytes(lines.turn(DAY, 8))
    world.write("observer", lines.turn(DAY, 9), project="-home-me--claude-mem-observer-sessions")
    world.import_()
    assert world.rows("SELECT session_id FROM sdk_sessions") == [("s",)]
    assert world.rows("SELECT agent_id FROM tool_uses WHERE tool_use_id = 'of-subagent'") == [("1",)]


def test_what_was_forgotten_does_not_come_back(past: World) -> None:
    with past.database.write() as connection:
        connection.exec_driver_sql(f"PRAGMA user_version = {(BEGIN + 2 * DAY + HOUR) // 60_000}")
    imported = past.import_()
    assert imported.forgotten == 2
    assert past.rows("SELECT session_id FROM sdk_sessions") == [("s3",)]


def test_a_path_outside_of_claude_codes_folder_is_imported_too(world: World, tmp_path: Path) -> None:
    path = tmp_path / "backup" / "deep" / "kept.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(lines.turn(0, 1))
    assert world.import_(tmp_path / "backup").sessions == 1
    assert world.import_(path).sessions == 0
