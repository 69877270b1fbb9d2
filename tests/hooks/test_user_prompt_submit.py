"""UserPromptSubmit writes down which session is active."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.hooks.conftest import PROJECT, QUIET, World, epoch, payload
from watcher.memory import sessions
from watcher.memory.database import Database, iso
from watcher.memory.models import SessionStatus

SCRIPT = "user_prompt_submit.py"


def test_records_the_session(watched: World) -> None:
    before = epoch()
    assert watched.run(SCRIPT) == QUIET
    (session,) = watched.execute("SELECT * FROM sdk_sessions")
    at = session["started_at_epoch"]
    assert before <= at <= epoch()
    assert session["started_at"] == iso(at)
    assert datetime.fromisoformat(session["started_at"]) == datetime.fromtimestamp(at / 1000, UTC)
    assert session["last_activity_at_epoch"] == session["last_prompt_at_epoch"] == at
    assert (session["session_id"], session["project"], session["cwd"]) == ("s-1", PROJECT, PROJECT)
    assert session["transcript_path"].endswith("s-1.jsonl")
    assert session["status"] == "active"


def test_the_store_reads_what_was_recorded(watched: World) -> None:
    watched.run(SCRIPT)
    with Database.existing(watched.database).read() as connection:
        known = sessions.session(connection, "s-1")
    assert known is not None
    assert (known.project, known.status) == (PROJECT, SessionStatus.ACTIVE)


def test_prompt_in_an_ended_session_makes_it_active_again(watched: World) -> None:
    watched.run(SCRIPT)
    watched.execute(
        "UPDATE sdk_sessions SET status = 'completed', completed_at = 'x', completed_at_epoch = 1, "
        "end_reason = 'other', started_at = 'then', started_at_epoch = 1, "
        "last_activity_at_epoch = 1, last_prompt_at_epoch = 1, title = 'kept', prompt_count = 3"
    )
    before = epoch()
    watched.run(SCRIPT, payload(SCRIPT, cwd="/elsewhere", transcript_path="/elsewhere.jsonl"))
    (session,) = watched.execute("SELECT * FROM sdk_sessions")
    assert session["status"] == "active"
    assert {session[name] for name in ("completed_at", "completed_at_epoch", "end_reason")} == {None}
    assert min(session["last_activity_at_epoch"], session["last_prompt_at_epoch"]) >= before
    kept = {"started_at": "then", "started_at_epoch": 1, "title": "kept", "prompt_count": 3, "cwd": PROJECT}
    assert kept.items() <= session.items()
    assert session["project"] == PROJECT
    assert session["transcript_path"].endswith("s-1.jsonl")


def test_fills_what_was_empty_and_never_turns_back_time(watched: World) -> None:
    later = epoch() + 60_000
    watched.execute(
        "INSERT INTO sdk_sessions (session_id, started_at, started_at_epoch, last_activity_at_epoch, "
        "last_prompt_at_epoch) VALUES ('s-1', 'then', 1, ?, ?)",
        (later, later),
    )
    watched.run(SCRIPT)
    (session,) = watched.execute("SELECT * FROM sdk_sessions")
    assert (session["project"], session["cwd"]) == (PROJECT, PROJECT)
    assert session["transcript_path"].endswith("s-1.jsonl")
    assert session["last_activity_at_epoch"] == session["last_prompt_at_epoch"] == later


def test_project_stays_where_the_session_was_started(watched: World) -> None:
    watched.extra["CLAUDE_PROJECT_DIR"] = PROJECT
    watched.run(SCRIPT, payload(SCRIPT, cwd=f"{PROJECT}/deeper"))
    (session,) = watched.execute("SELECT project, cwd FROM sdk_sessions")
    assert session == {"project": PROJECT, "cwd": f"{PROJECT}/deeper"}


def test_hook_set_up_twice_records_one_session(watched: World) -> None:
    assert watched.run_both(SCRIPT, payload(SCRIPT)) == [QUIET, QUIET]
    assert len(watched.execute("SELECT * FROM sdk_sessions")) == 1


def test_starts_a_watcher_even_without_a_memory(world: World) -> None:
    world.name_launcher(world.install_launcher(world.user_home / "python", ""))
    assert world.run(SCRIPT) == QUIET
    assert world.wait_started()[0].endswith("watch --until-idle")
