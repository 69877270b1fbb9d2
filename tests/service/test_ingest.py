from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.service.recorder import Recorder
from tests.transcript import lines
from tests.transcript.lines import BEGIN, SESSION
from watcher.service.events import EventKind
from watcher.service.ingest import Ingest, source_of
from watcher.service.recording import find
from watcher.transcript import entries


def test_a_turn_comes_in_with_its_checkpoint(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1, tools=2))
    taken = recorder.ingest.take_in(recorder.transcript)
    assert (taken.prompts, taken.tool_uses, taken.results, taken.turn_ends) == (1, 2, 2, 1)
    assert recorder.rows("SELECT session_id, project, status, prompt_count, tool_use_count FROM sdk_sessions") == [
        (SESSION, "/home/dev/api", "active", 1, 2)
    ]
    assert recorder.rows("SELECT prompt_text, closing_text, prompt_number FROM user_prompts") == [
        ("Do number 1", "Did number 1.", 1)
    ]
    assert recorder.rows("SELECT tool_use_id, status, output FROM tool_uses ORDER BY id") == [
        ("tool-1-0", "pending", "ok"),
        ("tool-1-1", "pending", "ok"),
    ]
    assert recorder.rows('SELECT "offset" FROM checkpoints') == [(recorder.transcript.stat().st_size,)]


def test_a_session_is_told_where_it_runs_by_the_first_line_that_says_so(recorder: Recorder) -> None:
    turn = lines.turn(0, 1)
    recorder.write(turn.replace(b'"/home/dev/api"', b'""'))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT project FROM sdk_sessions") == [("",)]
    recorder.write(lines.turn(1000, 2), lines.turn(2000, 3).replace(b"/home/dev/api", b"/home/dev/other"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT project, cwd FROM sdk_sessions") == [("/home/dev/api", "/home/dev/api")]


def test_nothing_new_is_nothing(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    recorder.ingest.take_in(recorder.transcript)
    assert not recorder.ingest.take_in(recorder.transcript)


def test_a_torn_line_comes_in_once_whole(recorder: Recorder) -> None:
    whole = lines.turn(0, 1, tools=3)
    for cut in (1, 100, len(whole) // 2, len(whole) - 1, len(whole)):
        recorder.transcript.write_bytes(whole[:cut])
        recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT count(*) FROM tool_uses") == [(3,)]
    assert recorder.rows("SELECT count(*) FROM user_prompts") == [(1,)]
    assert recorder.rows("SELECT count(*) FROM broken_lines") == [(0,)]


def test_a_file_read_anew_adds_nothing_twice(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1), lines.turn(1000, 2))
    recorder.ingest.take_in(recorder.transcript)
    before = recorder.rows("SELECT * FROM tool_uses") + recorder.rows("SELECT * FROM user_prompts")
    content = recorder.transcript.read_bytes()
    recorder.transcript.unlink()
    recorder.transcript.write_bytes(lines.line(0, type="mode") + content)
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT * FROM tool_uses") + recorder.rows("SELECT * FROM user_prompts") == before
    assert EventKind.RESTARTED in [event.kind for event in recorder.events]


def test_a_broken_line_is_kept_and_what_follows_comes_in(recorder: Recorder) -> None:
    torn = lines.tool_use(5, "torn")[:40] + b"\n"
    recorder.write(lines.prompt(0, "Go"), torn, lines.tool_use(10, "whole"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT tool_use_id FROM tool_uses") == [("whole",)]
    ((offset, length, head),) = recorder.rows('SELECT "offset", length, head FROM broken_lines')
    assert (length, head) == (len(torn) - 1, torn[:-1])
    assert offset == len(lines.prompt(0, "Go"))


def test_prompts_typed_mid_turn_belong_to_the_turn(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "First"), lines.queued(100, "And this"), lines.tool_use(200, "t"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT prompt_number, continues_turn FROM user_prompts") == [(1, 0), (2, 1)]
    assert recorder.rows("SELECT prompt_number FROM tool_uses") == [(2,)]


def test_a_subagents_tool_uses_belong_to_the_prompt_before(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "One"), lines.turn_end(500), lines.prompt(1000, "Two"))
    side = recorder.transcript.with_suffix("") / "subagents" / "agent-a1.jsonl"
    recorder.write(lines.tool_use(100, "early"), lines.words(110, "side talk"), lines.tool_use(1100, "late"), path=side)
    recorder.life.follow(recorder.transcript)
    assert recorder.rows("SELECT tool_use_id, agent_id, prompt_number, session_id FROM tool_uses ORDER BY id") == [
        ("early", "a1", 1, SESSION),
        ("late", "a1", 2, SESSION),
    ]
    assert recorder.rows("SELECT closing_text FROM user_prompts") == [("",), ("",)]


def test_a_subagents_tool_uses_read_before_their_prompt_belong_to_it_all_the_same(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "One"))
    side = recorder.transcript.with_suffix("") / "subagents" / "agent-a1.jsonl"
    recorder.write(lines.tool_use(100, "early"), lines.tool_use(1100, "late"), path=side)
    recorder.ingest.take_in(side)
    recorder.ingest.take_in(recorder.transcript)
    recorder.write(lines.prompt(1000, "Two"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT tool_use_id, prompt_number FROM tool_uses ORDER BY id") == [("early", 1), ("late", 2)]


def test_skipped_tools_are_kept_by_name_only(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Go"), lines.tool_use(1, "t", "TodoWrite", todos="x"), lines.tool_result(2, "t"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT status, input, output FROM tool_uses") == [("skipped", None, None)]


def test_what_was_written_before_the_memory_began_is_left_alone(recorder: Recorder) -> None:
    title = b'{"type":"custom-title","customTitle":"The parser","sessionId":"s"}\n'
    recorder.write(lines.turn(0, 1), title, lines.turn(5000, 2))
    Ingest(recorder.database, recorder.settings.capture, since=BEGIN + 4000).take_in(recorder.transcript)
    assert recorder.rows("SELECT prompt_text FROM user_prompts") == [("Do number 2",)]
    assert recorder.rows("SELECT title FROM sdk_sessions") == [("The parser",)]


def test_a_checkpoint_adds_up_its_lines(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1), lines.line(1, type="mode"))
    recorder.ingest.take_in(recorder.transcript)
    recorder.write(lines.turn(1000, 2), lines.line(1, type="mode"), b"broken\n")
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT lines_taken, lines_skipped FROM checkpoints") == [(10, 2)]


def test_a_tool_use_in_copied_history_that_nobody_knew_is_no_prompts_of_the_fork(recorder: Recorder) -> None:
    recorder.write(lines.prompt(0, "Original", uuid="shared"))
    recorder.ingest.take_in(recorder.transcript)
    fork = recorder.transcript.with_name("22222222-2222-4222-8222-222222222222.jsonl")
    history = [lines.prompt(0, "Original", uuid="shared"), lines.tool_use(5, "unknown")]
    recorder.write(*history, lines.prompt(2000, "Own"), lines.tool_use(2005, "own"), path=fork)
    recorder.ingest.take_in(fork)
    assert recorder.rows("SELECT tool_use_id, prompt_number FROM tool_uses ORDER BY id") == [("unknown", 0), ("own", 1)]


def test_work_after_a_turns_end_opens_it_again(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT ended_at_epoch FROM user_prompts") == [(BEGIN + 950,)]
    recorder.write(lines.tool_use(2000, "more"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT ended_at_epoch FROM user_prompts") == [(None,)]


def test_a_line_that_nobody_foresaw_keeps_no_other_out(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    understand = entries.understand

    def stumble(line: bytes) -> entries.Meaning:
        if b"strange" in line:
            raise KeyError("never thought of")
        return understand(line)

    monkeypatch.setattr(entries, "understand", stumble)
    recorder.write(lines.prompt(0, "strange"), lines.prompt(1, "Go"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT prompt_text FROM user_prompts") == [("Go",)]
    ((reason,),) = recorder.rows("SELECT reason FROM broken_lines")
    assert "defect of claude-mem" in reason


def test_a_number_of_more_than_64_bits_and_a_lone_surrogate(recorder: Recorder) -> None:
    line = lines.tool_use(1, "t", "mcp__x", number=2**80, text="PLACE").replace(b"PLACE", b"\\ud83d")
    recorder.write(lines.prompt(0, "Go"), line, lines.prompt(2, "[" * 5000 + "]" * 5000))
    recorder.ingest.take_in(recorder.transcript)
    ((text,),) = recorder.rows("SELECT input FROM tool_uses")
    assert str(2**80) in text


def test_sources_by_name() -> None:
    main = source_of(Path("/p/slug/abc.jsonl"))
    side = source_of(Path("/p/slug/abc/subagents/deep/agent-7.jsonl"))
    assert (main.session_id, main.agent_id, main.transcript_path) == ("abc", "", "/p/slug/abc.jsonl")
    assert (side.session_id, side.agent_id, side.transcript_path) == ("abc", "7", "/p/slug/abc.jsonl")


@pytest.mark.parametrize(
    ("case", "sessions", "prompts", "tool_uses"),
    [
        ("ordinary", 1, 3, 12),
        ("parallel-tools", 1, 1, 4),
        ("errors-and-denials", 1, 3, 5),
        ("resumed", 1, 3, 2),
        ("forked", 2, 3, 2),
        ("cleared", 2, 2, 2),
        ("compacted", 1, 2, 2),
        ("killed-mid-tool", 1, 1, 1),
        ("queued-mid-turn", 1, 2, 1),
        ("large-outputs", 1, 1, 2),
    ],
)
def test_recorded_sessions(recorder: Recorder, case: str, sessions: int, prompts: int, tool_uses: int) -> None:
    for _twice in range(2):
        for recording in find([FIXTURES / case]):
            recorder.life.follow(recording.path)
    assert recorder.rows("SELECT count(*) FROM sdk_sessions") == [(sessions,)]
    assert recorder.rows("SELECT count(*) FROM user_prompts") == [(prompts,)]
    assert recorder.rows("SELECT count(*) FROM tool_uses") == [(tool_uses,)]
    assert recorder.rows("SELECT count(*) FROM broken_lines") == [(0,)]


def test_a_forks_copied_history_stays_with_its_session(recorder: Recorder) -> None:
    recordings = find([FIXTURES / "forked"])
    for recording in recordings:
        recorder.ingest.take_in(recording.path)
    original, fork = (recording.session_id for recording in recordings)
    assert b'"requestSessionId"' in recordings[1].path.read_bytes()
    copied = recorder.rows(f"SELECT tool_use_id FROM tool_uses WHERE session_id = '{original}'")
    assert copied
    assert all(tool_use_id.encode() in recordings[1].path.read_bytes() for (tool_use_id,) in copied)
    numbers = recorder.rows(f"SELECT prompt_number FROM user_prompts WHERE session_id = '{fork}'")
    assert numbers == [(1,)]


def test_a_torn_line_of_a_killed_session_is_kept_apart(recorder: Recorder) -> None:
    (recording,) = find([FIXTURES / "torn-then-resumed"])
    recorder.ingest.take_in(recording.path)
    assert recorder.rows("SELECT count(*) FROM broken_lines") == [(1,)]
    assert recorder.rows("SELECT count(*) FROM user_prompts") == [(2,)]


def test_where_a_session_runs_may_be_said_by_a_later_line(recorder: Recorder) -> None:
    """Recorded of 2.1.330: the first lines of a transcript name no folder, and may be there before the others."""
    first = lines.line(0, type="mode", mode="normal").replace(b'"cwd": "/home/dev/api", ', b"")
    assert b"cwd" not in first
    recorder.write(first)
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT * FROM project_folders") == []
    recorder.write(lines.turn(10, 1))
    recorder.ingest.take_in(recorder.transcript)
    recorder.write(lines.turn(5000, 2).replace(b"/home/dev/api", b"/somewhere/else"))
    recorder.ingest.take_in(recorder.transcript)
    assert recorder.rows("SELECT folder, project FROM project_folders") == [("/home/dev/api", "/home/dev/api")]
    assert recorder.rows("SELECT project FROM sdk_sessions") == [("/home/dev/api",)]
