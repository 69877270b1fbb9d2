from __future__ import annotations

import re
from dataclasses import replace as with_changes
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.transcript import lines
from tests.transcript.lines import BEGIN
from watcher.agent.extractive import ExtractiveAgent
from watcher.errors import UsageError
from watcher.memory.database import Database
from watcher.service import recording
from watcher.service.events import Event, EventKind
from watcher.service.replay import Replay
from watcher.settings import Settings

TABLES = {
    "user_prompts": "session_id, prompt_number, prompt_text, closing_text, ended_at_epoch",
    "tool_uses": "tool_use_id, session_id, prompt_number, status, is_error",
    "observations": "session_id, prompt_number, type, title, narrative, files_modified, created_at",
    "session_summaries": "session_id, prompt_number, summary_text, source, created_at",
    "sdk_sessions": "session_id, status, end_reason, completed_at_epoch, prompt_count",
    "flags": "session_id, kind, raised_at_epoch, lowered_at_epoch IS NOT NULL",
    "contexts": "project, text",
}


def dump(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return what is in the memory, without row ids and the times at which it got there."""
    with database.read() as connection:
        return {
            table: sorted(
                tuple(re.sub(r"#\d+", "#", value) if isinstance(value, str) else value for value in row)
                for row in connection.exec_driver_sql(f"SELECT {columns} FROM {table}")
            )
            for table, columns in TABLES.items()
        }


def replay(settings: Settings, folder: Path, speed: float = 0, events: list[Event] | None = None) -> Database:
    database = Database.create(settings.database)
    heard = [] if events is None else events
    player = Replay(settings, database, ExtractiveAgent(), listener=heard.append)
    recordings = recording.find([folder])
    assert player.at_pace(recordings, speed) if speed else player.at_once(recordings)
    return database


def test_the_ordinary_session_ends_in_a_context(settings: Settings) -> None:
    database = replay(settings, FIXTURES / "ordinary")
    told = dump(database)
    assert [row[3] for row in told["session_summaries"]] == ["agent", "agent", "agent"]
    assert {row[3] for row in told["tool_uses"]} == {"observed", "skipped"}  # one only looked
    assert [row[1] for row in told["sdk_sessions"]] == ["completed"]
    ((_, text),) = told["contexts"]
    assert "parse_duration" in str(text)


def test_replaying_twice_adds_nothing(settings: Settings) -> None:
    first = dump(replay(settings, FIXTURES / "ordinary"))
    assert dump(replay(settings, FIXTURES / "ordinary")) == first


@pytest.mark.parametrize("case", ["ordinary", "forked", "queued-mid-turn"])
def test_at_a_pace_it_comes_to_the_same(settings: Settings, tmp_path: Path, case: str) -> None:
    """The live path, a watcher beside a growing file, leaves what the direct one leaves."""
    direct = dump(replay(settings, FIXTURES / case))
    paced_settings = with_changes(settings, home=tmp_path / "paced")
    events: list[Event] = []
    paced = dump(replay(paced_settings, FIXTURES / case, speed=20, events=events))
    assert paced == direct
    assert {EventKind.STARTED, EventKind.TAKEN_IN, EventKind.OBSERVED, EventKind.STOPPED} <= {e.kind for e in events}


def test_every_recorded_case_replays(settings: Settings) -> None:
    database = replay(settings, FIXTURES)
    told = dump(database)
    assert all(row[1] in ("completed", "failed") for row in told["sdk_sessions"])
    assert {row[3] for row in told["tool_uses"]} <= {"observed", "skipped"}
    assert len(told["sdk_sessions"]) >= 12


def test_a_transcript_without_hook_events_is_ended(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "abc.jsonl").write_bytes(lines.turn(0, 1))
    told = dump(replay(settings, folder))
    assert told["sdk_sessions"] == [("abc", "completed", "replayed", BEGIN + 950, 1)]


def test_the_original_comes_before_its_fork() -> None:
    original, fork = recording.find([FIXTURES / "forked"])
    assert b'"requestSessionId"' not in original.path.read_bytes()
    assert b'"requestSessionId"' in fork.path.read_bytes()


def test_a_path_without_transcripts_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no transcript at"):
        recording.find([tmp_path])
    with pytest.raises(UsageError, match="no transcript at"):
        recording.find([tmp_path / "missing.jsonl"])
