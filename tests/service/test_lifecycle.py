from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.service.recorder import Recorder
from tests.transcript import lines
from tests.transcript.lines import BEGIN, SESSION
from watcher.memory import sessions
from watcher.memory.models import FlagKind


def statuses(recorder: Recorder) -> list[tuple[object, ...]]:
    return recorder.rows("SELECT status, end_reason FROM sdk_sessions")


def test_a_stop_makes_the_turn_readable(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Fix the parser"), lines.tool_use(1, "t"), lines.tool_result(2, "t"))
    recorder.write(lines.words(3, "Fixed it."))
    recorder.flag(FlagKind.FINALIZE, 10, last_assistant_message="Fixed it.")
    assert recorder.life.handle_flags() == 0
    assert recorder.rows("SELECT request, source, prompt_number FROM session_summaries") == [
        ("Fix the parser", "provisional", 1)
    ]
    assert "Fix the parser" in recorder.context()
    assert recorder.rows("SELECT outcome FROM flags WHERE lowered_at_epoch IS NOT NULL") == [("summarised",)]


def test_a_stop_waits_for_the_last_words(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"))
    recorder.flag(FlagKind.FINALIZE, 9_900, last_assistant_message="Done at last.")
    assert recorder.life.handle_flags() == 1
    assert recorder.rows("SELECT count(*) FROM session_summaries") == [(0,)]
    recorder.write(lines.words(9_890, "Done at last."))
    assert recorder.life.handle_flags() == 0
    ((completed,),) = recorder.rows("SELECT completed FROM session_summaries")
    assert "Done at last." in completed


def test_a_stop_does_not_wait_for_ever(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"))
    recorder.flag(FlagKind.FINALIZE, 9_900, last_assistant_message="Never written.")
    assert recorder.life.handle_flags() == 1
    recorder.now += round(recorder.settings.watch.closing_wait * 1000)
    assert recorder.life.handle_flags() == 0
    assert recorder.rows("SELECT count(*) FROM session_summaries") == [(1,)]


def test_a_session_end_does_not_overtake_its_last_stop(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.words(1, "Done."))
    recorder.flag(FlagKind.FINALIZE, 9_900, last_assistant_message="Done.")
    recorder.flag(FlagKind.CLEANUP, 9_950, reason="other")
    assert recorder.life.handle_flags() == 0
    assert statuses(recorder) == [("completed", "other")]
    assert recorder.rows("SELECT kind, outcome FROM flags ORDER BY id") == [
        ("finalize", "summarised"),
        ("cleanup", "completed"),
    ]


def test_a_session_that_has_ended_is_not_waited_for(recorder: Recorder) -> None:
    """At SessionEnd all that will ever be written is in the transcript."""
    recorder.write(lines.prompt(0, "Go"))
    recorder.flag(FlagKind.FINALIZE, 9_900, last_assistant_message="Never written.")
    recorder.flag(FlagKind.CLEANUP, 9_950, reason="other")
    assert recorder.life.handle_flags() == 0
    assert statuses(recorder) == [("completed", "other")]


def test_a_second_end_of_a_session_changes_nothing(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    recorder.flag(FlagKind.CLEANUP, 2000, reason="other")
    recorder.flag(FlagKind.CLEANUP, 2500, reason="logout")
    recorder.life.handle_flags()
    assert statuses(recorder) == [("completed", "other")]
    assert recorder.rows("SELECT outcome FROM flags ORDER BY id") == [("completed",), ("was over already",)]


def test_a_session_end_without_a_stop_keeps_what_was_begun(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.tool_use(1, "unfinished"))
    recorder.flag(FlagKind.CLEANUP, 9_000, reason="prompt_input_exit")
    recorder.life.handle_flags()
    assert statuses(recorder) == [("completed", "prompt_input_exit")]
    assert recorder.rows("SELECT status FROM tool_uses") == [("pending",)]
    assert recorder.rows("SELECT request FROM session_summaries") == [("Go",)]


def test_a_session_of_which_nothing_was_kept_failed(recorder: Recorder) -> None:
    with recorder.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO sdk_sessions (session_id, started_at, started_at_epoch) VALUES (?, '', 0)",
            (SESSION,),
        )
    recorder.flag(FlagKind.CLEANUP, 9_000, reason="other", transcript_path="")
    recorder.life.handle_flags()
    ((status, reason),) = statuses(recorder)
    assert status == "failed"
    assert "nothing to summarise" in str(reason)


def test_a_flag_of_a_session_never_seen_is_lowered(recorder: Recorder) -> None:
    recorder.flag(FlagKind.CLEANUP, 9_000)
    assert recorder.life.handle_flags() == 0
    assert recorder.rows("SELECT outcome FROM flags") == [("unknown session",)]
    assert statuses(recorder) == []


def test_a_flag_with_a_strange_event_is_lowered(recorder: Recorder) -> None:
    for at, event in enumerate(("not json", "[]", '{"transcript_path": 3}')):
        with recorder.database.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO flags (session_id, kind, event, raised_at_epoch) VALUES ('x', 'finalize', ?, ?)",
                (event, at),
            )
    assert recorder.life.handle_flags() == 0
    assert recorder.rows("SELECT count(*) FROM flags WHERE lowered_at_epoch IS NULL") == [(0,)]


def test_a_prompt_after_the_end_makes_a_session_active_again(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    recorder.flag(FlagKind.CLEANUP, 2000, reason="other")
    recorder.life.handle_flags()
    assert statuses(recorder) == [("completed", "other")]
    recorder.write(lines.prompt(3000, "One more thing"))
    recorder.ingest.take_in(recorder.transcript)
    assert statuses(recorder) == [("active", None)]


def test_an_end_that_was_overtaken_by_a_prompt_ends_nothing(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1), lines.prompt(3000, "Resumed"))
    recorder.flag(FlagKind.CLEANUP, 2000, reason="other")
    recorder.life.handle_flags()
    assert statuses(recorder) == [("active", None)]
    assert recorder.rows("SELECT outcome FROM flags") == [("goes on",)]


def test_an_end_that_was_overtaken_by_a_prompt_ends_its_turn(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.prompt(3000, "Resumed"))
    recorder.flag(FlagKind.CLEANUP, 2000, reason="other")
    recorder.life.handle_flags()
    assert recorder.rows("SELECT ended_at_epoch FROM user_prompts ORDER BY id") == [(BEGIN + 2000,), (None,)]


def test_without_hooks_the_transcripts_turn_end_finalizes(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    assert recorder.rows("SELECT request FROM session_summaries") == [("Do number 1",)]


def test_a_turn_that_was_taken_in_and_not_summarised_is_recovered(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    recorder.ingest.take_in(recorder.transcript)  # and the watcher dies
    recorder.life.recover()
    assert recorder.rows("SELECT request FROM session_summaries") == [("Do number 1",)]


def test_a_turn_without_an_end_is_over_when_the_next_begins(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Interrupted"), lines.tool_use(1, "t"), lines.prompt(1000, "Next"))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    assert recorder.rows("SELECT request, prompt_number FROM session_summaries") == [("Interrupted", 1)]


def test_a_flag_that_is_handled_late_ends_its_own_turn(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "First"), lines.words(10, "Done first."), lines.prompt(1000, "Second"))
    recorder.flag(FlagKind.FINALIZE, 20, last_assistant_message="Done first.")
    assert recorder.life.handle_flags() == 0
    assert recorder.rows("SELECT prompt_number, ended_at_epoch FROM user_prompts") == [(1, BEGIN + 20), (2, None)]
    assert recorder.rows("SELECT request FROM session_summaries") == [("First",)]


def test_a_session_without_a_prompt_is_remembered_by_its_work(recorder: Recorder) -> None:
    recorder.write(lines.tool_use(1, "t", "Read", file_path="/src/a.py"), lines.tool_result(2, "t"))
    recorder.flag(FlagKind.CLEANUP, 9_000, reason="other")
    recorder.life.handle_flags()
    assert statuses(recorder) == [("completed", "other")]
    assert recorder.rows("SELECT prompt_number FROM session_summaries") == [(0,)]
    assert recorder.digest.due() == [SESSION]
    recorder.digest.ask_agent(SESSION)
    assert recorder.digest.due() == []


def test_a_title_alone_makes_no_session(recorder: Recorder) -> None:
    recorder.write(b'{"type":"ai-title","aiTitle":"Old","sessionId":"s"}\n')
    recorder.life.follow(recorder.transcript)
    assert statuses(recorder) == []
    recorder.write(b'{"type":"ai-title","aiTitle":"New","sessionId":"s"}\n', lines.prompt(5, "Go"))
    recorder.life.follow(recorder.transcript)
    assert recorder.rows("SELECT title, started_at_epoch FROM sdk_sessions") == [("New", BEGIN + 5)]


def test_a_turn_in_which_a_tool_runs_is_not_quiet(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Run all tests"), lines.tool_use(1, "t"))
    recorder.life.follow(recorder.transcript)
    recorder.now = BEGIN + 3_600_000
    recorder.life.end_quiet()
    assert recorder.rows("SELECT ended_at_epoch FROM user_prompts") == [(None,)]


def test_what_an_earlier_process_left_behind_says_nothing(recorder: Recorder) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    claim(recorder, gone.pid, BEGIN - 3_600_000)
    recorder.write(lines.prompt(0, "Go"))
    recorder.life.follow(recorder.transcript)
    recorder.life.end_quiet()
    assert statuses(recorder) == [("active", None)]


def test_a_quiet_turn_and_an_idle_session_end(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.tool_use(1, "t"), lines.tool_result(2, "t"))
    recorder.life.follow(recorder.transcript)
    recorder.now = BEGIN + 200_000
    recorder.life.end_quiet()
    assert recorder.rows("SELECT count(*) FROM session_summaries") == [(0,)]
    recorder.now = BEGIN + 400_000
    recorder.life.end_quiet()
    assert recorder.rows("SELECT count(*) FROM session_summaries") == [(1,)]
    assert statuses(recorder) == [("active", None)]
    recorder.now = BEGIN + 7_300_000
    recorder.life.end_quiet()
    assert statuses(recorder) == [("completed", "idle")]


def test_an_orphan_fails_and_what_is_known_of_it_is_kept(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.tool_use(1, "t"))
    recorder.life.follow(recorder.transcript)
    recorder.now = BEGIN + 23 * 3_600_000
    assert recorder.life.end_orphans(86_400) == []
    recorder.now = BEGIN + 25 * 3_600_000 + 1
    assert [session.session_id for session in recorder.life.end_orphans(86_400)] == [SESSION]
    assert statuses(recorder) == [("failed", "no activity for 25 h")]
    assert recorder.rows("SELECT request FROM session_summaries") == [("Go",)]
    assert recorder.life.end_orphans(86_400) == []


def test_an_orphan_that_is_prompted_is_active_again(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"))
    recorder.life.follow(recorder.transcript)
    recorder.now = BEGIN + 25 * 3_600_000
    recorder.life.end_orphans(86_400)
    recorder.write(lines.prompt(26 * 3_600_000, "On"))
    recorder.now = BEGIN + 26 * 3_600_000
    recorder.life.follow(recorder.transcript)
    assert statuses(recorder) == [("active", None)]


def claim(recorder: Recorder, pid: int, started_at: int) -> None:
    folder = recorder.settings.claude_dir / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    said = {"pid": pid, "sessionId": SESSION, "startedAt": started_at, "updatedAt": started_at}
    (folder / f"{pid}.json").write_text(json.dumps(said))


def test_a_session_whose_process_was_killed_ends(recorder: Recorder) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    claim(recorder, gone.pid, recorder.now)
    recorder.write(lines.prompt(0, "Go"), lines.tool_use(1, "t"))
    recorder.life.follow(recorder.transcript)
    recorder.life.end_quiet()
    assert statuses(recorder) == [("completed", "process gone")]


def test_a_session_whose_process_lives_goes_on(recorder: Recorder) -> None:
    claim(recorder, os.getpid(), 2**52)
    recorder.write(lines.prompt(0, "Go"))
    recorder.life.follow(recorder.transcript)
    recorder.now += 120_000
    recorder.life.end_quiet()
    assert statuses(recorder) == [("active", None)]


def test_a_pid_that_was_given_to_another_process_claims_nothing(recorder: Recorder) -> None:
    claim(recorder, os.getpid(), BEGIN)  # begun long before this process was
    recorder.write(lines.prompt(0, "Go"))
    recorder.life.follow(recorder.transcript)
    recorder.life.end_quiet()
    assert statuses(recorder) == [("completed", "process gone")]


def test_what_older_hooks_raised_whole_is_heeded_and_loses_its_text(recorder: Recorder) -> None:
    event = {"session_id": SESSION, "transcript_path": str(recorder.transcript), "last_assistant_message": "My secret."}
    recorder.write(lines.prompt(0, "Go"))
    with recorder.database.write() as connection:
        insert = (
            "INSERT INTO flags (session_id, kind, project, event, raised_at_epoch) VALUES (?, 'finalize', '', ?, ?)"
        )
        connection.exec_driver_sql(insert, (SESSION, json.dumps(event), BEGIN + 9_900))
    assert recorder.life.handle_flags() == 1
    ((kept,),) = recorder.rows("SELECT event FROM flags")
    assert "secret" not in kept
    recorder.write(lines.words(9_890, "My secret."))
    assert recorder.life.handle_flags() == 0


def test_the_last_words_of_the_turn_before_are_not_those_of_this(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.words(1, "Done."), lines.prompt(9_000, "And again"))
    recorder.flag(FlagKind.FINALIZE, 9_900, last_assistant_message="Done.")
    assert recorder.life.handle_flags() == 1
    recorder.write(lines.words(9_890, "Done."))
    assert recorder.life.handle_flags() == 0


def test_the_next_prompt_hides_no_last_words(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.words(1, "Done."), lines.prompt(9_950, "And now?"))
    recorder.flag(FlagKind.FINALIZE, 9_900, last_assistant_message="Done.")
    assert recorder.life.handle_flags() == 0


def test_last_words_that_come_too_late_still_make_the_summary_better(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"))
    recorder.flag(FlagKind.FINALIZE, 9_900, last_assistant_message="Done at last.")
    recorder.now += round(recorder.settings.watch.closing_wait * 1000)
    assert recorder.life.handle_flags() == 0
    recorder.write(lines.words(9_890, "Done at last."), lines.turn_end(9_895))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    ((completed,),) = recorder.rows("SELECT completed FROM session_summaries")
    assert "Done at last." in completed


def test_texts_that_older_hooks_have_left_are_gone_from_the_file(recorder: Recorder) -> None:
    event = json.dumps({"session_id": SESSION, "last_assistant_message": "My secret. " * 300})

    def on_disk() -> bytes:
        recorder.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        return recorder.settings.database.read_bytes()

    with recorder.database.write() as connection:
        insert = "INSERT INTO flags (session_id, kind, event, raised_at_epoch, lowered_at_epoch) VALUES (?, ?, ?, 1, 2)"
        for kind in ("finalize", "cleanup"):
            connection.exec_driver_sql(insert, (SESSION, kind, event))
    assert b"My secret" in on_disk()
    for expected in (2, 0):
        with recorder.database.write() as connection:
            assert sessions.reduce_events(connection) == expected
    assert b"My secret" not in on_disk()
