"""Sessions that are left out leave no row: in excluded folders, of other programs, of the memory's own agents."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.service.recorder import Recorder
from tests.transcript import lines
from tests.transcript.lines import BEGIN, SESSION
from watcher.errors import UsageError
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.permissions import OpenToOthersError
from watcher.service.admission import OBSERVERS
from watcher.service.events import Event
from watcher.service.ingest import Ingest
from watcher.service.watch import Watch
from watcher.settings import PrivacySettings, Settings

TABLES = (
    *("sdk_sessions", "user_prompts", "tool_uses", "observations", "session_summaries", "checkpoints"),
    *("broken_lines", "flags", "contexts", "project_folders", "project_identities", "deliveries", "recalls"),
)


def left(recorder: Recorder) -> dict[str, int]:
    """Return how many rows there are, of the tables that have any."""
    counts = {table: recorder.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}
    return {table: count for table, count in counts.items() if count}


def with_privacy(recorder: Recorder, privacy: PrivacySettings) -> None:
    recorder.ingest.heed(privacy)


def started(recorder: Recorder) -> None:
    """Write the session down as its hook does."""
    with closing(sqlite3.connect(recorder.settings.database)) as connection, connection:
        connection.execute(
            "INSERT INTO sdk_sessions (session_id, project, cwd, transcript_path, started_at, started_at_epoch) "
            "VALUES (?, '/home/dev/api', '/home/dev/api', ?, '', ?)",
            (SESSION, str(recorder.transcript), BEGIN),
        )


def play(recorder: Recorder, *written: bytes) -> None:
    """Let a session happen, as if no hook had known that it is left out."""
    started(recorder)
    torn = lines.tool_use(5, "torn")[:60] + b"\n"
    recorder.write(*(written or (lines.turn(0, 1), torn)))
    agent = recorder.transcript.with_suffix("") / "subagents" / "agent-a.jsonl"
    recorder.write(lines.tool_use(20, "of-agent"), path=agent)
    recorder.flag(FlagKind.FINALIZE, 1000, cwd="/home/dev/api", last_assistant_message="Did number 1.")
    recorder.life.take_in(recorder.transcript)
    recorder.life.follow(recorder.transcript)
    recorder.flag(FlagKind.PLACE, 1500, cwd="/home/dev/api")
    recorder.flag(FlagKind.CLEANUP, 2000)
    recorder.now += 60_000
    recorder.life.handle_flags()
    recorder.life.end_quiet()


def entered(entrypoint: str) -> bytes:
    return lines.turn(0, 1).replace(b'"cwd"', b'"entrypoint": "%s", "cwd"' % entrypoint.encode())


def test_an_excluded_project_leaves_no_row(recorder: Recorder) -> None:
    with_privacy(recorder, PrivacySettings(exclude=("/home/dev/*",)))
    play(recorder)
    assert left(recorder) == {}


def test_of_others_all_is_kept(recorder: Recorder) -> None:
    with_privacy(recorder, PrivacySettings(exclude=("/home/dev/other", "**/apis")))
    play(recorder)
    assert left(recorder).keys() >= {"sdk_sessions", "user_prompts", "tool_uses", "checkpoints", "broken_lines"}


def test_the_folder_that_a_session_began_in_decides(recorder: Recorder) -> None:
    with_privacy(recorder, PrivacySettings(exclude=("/home/dev/other",)))
    play(recorder, lines.turn(0, 1), lines.turn(1000, 2).replace(b"/home/dev/api", b"/home/dev/other"))
    assert recorder.rows("SELECT count(*) FROM user_prompts") == [(2,)]


@pytest.mark.parametrize("gap", [0, 1, 40])
def test_a_line_far_behind_may_be_the_first_that_says_where(recorder: Recorder, gap: int) -> None:
    with_privacy(recorder, PrivacySettings(exclude=("/home/dev/*",)))
    silent = lines.line(0, type="unknown", text="x" * 50_000).replace(b'"/home/dev/api"', b'""')
    play(recorder, silent * gap, lines.turn(0, 1))
    assert left(recorder) == {}


def test_what_a_hook_wrote_goes_even_if_no_flag_ever_comes(recorder: Recorder) -> None:
    with_privacy(recorder, PrivacySettings(exclude=("/home/dev/*",)))
    started(recorder)
    recorder.write(lines.turn(0, 1))
    recorder.life.take_in(recorder.transcript)
    assert left(recorder) == {}


def test_what_is_stored_stays_and_nothing_comes_after_it(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    recorder.ingest.take_in(recorder.transcript)
    with_privacy(recorder, PrivacySettings(exclude=("/home/dev/*",)))
    recorder.write(lines.turn(2000, 2))
    recorder.life.follow(recorder.transcript)
    recorder.flag(FlagKind.CLEANUP, 3000)
    recorder.life.handle_flags()
    assert recorder.rows("SELECT prompt_text FROM user_prompts") == [("Do number 1",)]
    assert recorder.rows("SELECT count(*) FROM flags") == [(0,)]


@pytest.mark.parametrize(
    ("entrypoint", "is_taken"),
    [
        ("cli", True),
        ("sdk-cli", True),  # `claude -p`
        ("claude-vscode", True),
        ("", True),  # of older versions
        ("sdk-py", False),
        ("sdk-ts", False),
        ("sdk-of-tomorrow", False),
    ],
)
def test_another_programs_sessions_are_left_out(recorder: Recorder, entrypoint: str, is_taken: bool) -> None:
    play(recorder, entered(entrypoint))
    assert bool(left(recorder)) is is_taken


def test_unless_the_settings_take_them_in(recorder: Recorder) -> None:
    with_privacy(recorder, PrivacySettings(sdk_sessions=True))
    play(recorder, entered("sdk-py"))
    assert recorder.rows("SELECT count(*) FROM user_prompts") == [(1,)]


@pytest.mark.parametrize("sdk_sessions", [True, False])
def test_the_memorys_own_agent_is_never_taken_in(recorder: Recorder, sdk_sessions: bool) -> None:
    """It writes no transcript; if it did all the same, its folder would tell."""
    with_privacy(recorder, PrivacySettings(sdk_sessions=sdk_sessions))
    own = str(recorder.settings.home / "agent").encode()
    play(recorder, lines.turn(0, 1).replace(b"/home/dev/api", own))
    assert left(recorder) == {}


def test_nor_is_the_typescript_ones(recorder: Recorder) -> None:
    with_privacy(recorder, PrivacySettings(sdk_sessions=True))
    recorder.transcript = recorder.settings.projects / f"-home-dev-{OBSERVERS}" / f"{SESSION}.jsonl"
    play(recorder)
    assert left(recorder) == {}


@pytest.mark.parametrize(
    "privacy", [PrivacySettings(ignore=("a[",)), PrivacySettings(exclude=("clients",))], ids=["ignore", "exclude"]
)
def test_a_pattern_that_is_none_is_a_usage_error(
    settings: Settings, database: Database, privacy: PrivacySettings
) -> None:
    with pytest.raises(UsageError):
        Ingest(database, settings.capture, privacy)


def test_ignored_files_are_kept_by_the_tools_name(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Look."))
    recorder.write(lines.tool_use(1, "t-1", "Read", file_path="/home/dev/api/.env"), lines.tool_result(2, "t-1", "KEY"))
    recorder.write(lines.tool_use(3, "t-2", command="cat .env"), lines.tool_result(4, "t-2", "KEY"))
    recorder.write(lines.tool_use(5, "t-3", "Write", file_path=".env.local", content="KEY"))
    recorder.write(lines.tool_use(6, "t-4", "Read", file_path="/home/dev/api/.env.example"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT name, status, input, output, files_read, files_modified FROM tool_uses") == [
        ("Read", "skipped", None, None, "[]", "[]"),
        ("Bash", "skipped", None, None, "[]", "[]"),
        ("Write", "skipped", None, None, "[]", "[]"),
        ("Read", "open", '{"file_path":"/home/dev/api/.env.example"}', None, '["/home/dev/api/.env.example"]', "[]"),
    ]


def test_a_watcher_goes_by_what_the_settings_say_now(
    settings: Settings, database: Database, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever excludes a folder expects that from the next session on, whichever watcher runs."""
    monkeypatch.setenv("CLAUDE_MEM_HOME", str(settings.home))
    events: list[Event] = []
    watch = Watch(settings, database, recorder.agent, listener=events.append)
    with watch:
        assert not settings.excluded.exists()
        settings.config.write_text('[privacy]\nexclude = ["/home/dev/*"]\nsdk_sessions = true\n')
        watch._heed_settings()
        assert settings.excluded.read_text() == "/home/dev\n/home/dev/*"
        assert settings.sdk_sessions.exists()
        assert watch._ingest.admission.is_private("/home/dev/api")
        settings.config.write_text('[privacy]\nexclude = ["dev"]\n')
        watch._heed_settings()
        assert "is no whole path" in events[-1].text
        assert watch._ingest.admission.is_private("/home/dev/api")
        ((name, text),) = recorder.rows("SELECT name, text FROM conditions")
        assert (name, text) == ("settings", "[privacy] exclude: 'dev' is no whole path; the settings stay as they were")
        settings.config.unlink()
        watch._heed_settings()
        assert recorder.rows("SELECT name FROM conditions") == []
        assert not settings.excluded.exists()
        assert not settings.sdk_sessions.exists()
        assert not watch._ingest.admission.is_private("/home/dev/api")


def test_replaced_settings_are_used_by_all_who_take_in(settings: Settings, database: Database, tmp_path: Path) -> None:
    excluding = replace(settings, privacy=PrivacySettings(exclude=("/home/dev/*",)))
    recorder = Recorder(excluding, database)
    recorder.ingest = Ingest(database, excluding.capture, excluding.privacy)
    recorder.write(lines.turn(0, 1))
    assert not recorder.ingest.take_in(recorder.transcript)
    assert left(recorder) == {}


def test_a_watcher_that_an_error_has_ended_is_told_of_in_its_words(
    settings: Settings, database: Database, recorder: Recorder
) -> None:
    with pytest.raises(OpenToOthersError), Watch(settings, database, recorder.agent):
        raise OpenToOthersError("other users can write into it", hint="chmod go= it")
    with pytest.raises(ZeroDivisionError), Watch(settings, database, recorder.agent):
        raise ZeroDivisionError("a defect")
    assert recorder.rows("SELECT stop_reason FROM watchers ORDER BY id") == [
        ("crashed: other users can write into it",),
        ("crashed: ZeroDivisionError('a defect')",),
    ]
