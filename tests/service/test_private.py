"""A private prompt, and all that is done about it, leaves nothing but the names of tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.recorder import PROJECT, Recorder, ScriptedAgent
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service.ingest import Ingest
from watcher.settings import Settings
from watcher.transcript.long_lines import LIMIT

SECRET = "marmalade"
PRIVATE = f"<private>Find the {SECRET}.</private>"


@pytest.fixture
def memory(settings: Settings, database: Database) -> Recorder:
    return Recorder(settings, database, ScriptedAgent())


def asked(memory: Recorder) -> str:
    """Return all that the agent was shown."""
    assert isinstance(memory.agent, ScriptedAgent)
    while memory.digest.ask_agent(SESSION).name == "DONE":
        pass
    return repr(memory.agent.asked)


def turn(at: int, prompt: bytes, name: str, words: str) -> list[bytes]:
    """Return the lines of a turn with one tool use."""
    use = lines.tool_use(at + 10, name, "Read", file_path=f"/x/{words}")
    return [
        prompt,
        use,
        lines.tool_result(at + 20, name, words),
        lines.words(at + 30, f"Read {words}."),
        lines.turn_end(at + 40),
    ]


def everything(memory: Recorder) -> bytes:
    """Return all bytes of the home."""
    return b"".join(path.read_bytes() for path in sorted(memory.settings.home.rglob("*")) if path.is_file())


def prompts(memory: Recorder) -> list[tuple[object, ...]]:
    return memory.rows("SELECT prompt_number, prompt_text, is_private, closing_text FROM user_prompts ORDER BY 1")


def uses(memory: Recorder) -> list[tuple[object, ...]]:
    return memory.rows("SELECT tool_use_id, name, status, prompt_number FROM tool_uses ORDER BY created_at_epoch")


def finish(memory: Recorder) -> None:
    memory.flag(FlagKind.FINALIZE, 9000, last_assistant_message=f"Read {SECRET}.")
    memory.now += 60_000
    memory.life.handle_flags()
    memory.flag(FlagKind.CLEANUP, 9500)
    memory.life.handle_flags()


def test_a_private_turn_leaves_the_names_of_its_tools(memory: Recorder) -> None:
    memory.write(*turn(0, lines.prompt(0, "Look."), "t-1", "bread"))
    memory.write(*turn(1000, lines.prompt(1000, PRIVATE), "t-2", SECRET))
    memory.write(*turn(2000, lines.prompt(2000, "Go on."), "t-3", "butter"))
    finish(memory)
    assert prompts(memory) == [
        (1, "Look.", 0, "Read bread."),
        (2, "[private]", 1, ""),
        (3, "Go on.", 0, "Read butter."),
    ]
    assert uses(memory) == [("t-1", "Read", "pending", 1), ("t-2", "Read", "skipped", 2), ("t-3", "Read", "pending", 3)]
    assert memory.rows("SELECT prompt_number FROM session_summaries") == [(1,), (3,)]
    shown = asked(memory)
    assert "bread" in shown
    assert "butter" in shown
    assert SECRET not in shown
    assert "private" not in shown
    assert memory.rows("SELECT prompt_number FROM observations") == [(1,), (3,)]
    assert memory.context()
    assert SECRET.encode() not in everything(memory)


def test_a_session_with_nothing_else_is_completed_and_nobody_is_asked(memory: Recorder) -> None:
    memory.write(*turn(0, lines.prompt(0, PRIVATE), "t-1", SECRET))
    finish(memory)
    assert memory.rows("SELECT status, end_reason, tool_use_count FROM sdk_sessions") == [
        ("completed", "SessionEnd", 1)
    ]
    assert memory.rows("SELECT count(*) FROM session_summaries") == [(0,)]
    assert asked(memory) == "[]"
    assert not memory.context()
    memory.life.recover()
    assert memory.rows("SELECT count(*) FROM session_summaries") == [(0,)]
    assert SECRET.encode() not in everything(memory)


def test_each_line_on_its_own_and_by_a_watcher_of_its_own(memory: Recorder) -> None:
    for line in turn(0, lines.prompt(0, PRIVATE), "t-1", SECRET) + turn(1000, lines.prompt(1000, "Go."), "t-2", "jam"):
        memory.write(line)
        Ingest(memory.database, memory.settings.capture).take_in(memory.transcript)
    assert uses(memory) == [("t-1", "Read", "skipped", 1), ("t-2", "Read", "pending", 2)]
    assert prompts(memory) == [(1, "[private]", 1, ""), (2, "Go.", 0, "Read jam.")]
    assert SECRET.encode() not in everything(memory)


def test_what_is_private_in_a_prompt_is_gone_before_it_is_cut(memory: Recorder) -> None:
    for number, after in enumerate(("", "z" * 5000)):
        long = "a" * 5000 + f"<private>{SECRET * 2000}</private>" + after
        memory.write(lines.prompt(number, long))
    memory.ingest.take_in(memory.transcript)
    (_, first, is_private, _), (_, second, _, _) = prompts(memory)
    assert not is_private
    assert first == "a" * 5000 + "[private]"
    assert second == "a" * 4800 + "\n[… 2009 characters left out …]\n" + "z" * 3200
    assert SECRET.encode() not in everything(memory)


def test_of_a_prompt_too_long_to_hold_nothing_behind_the_cut_is_kept(memory: Recorder) -> None:
    memory.write(lines.prompt(0, "a" * LIMIT + f"<private>{'b' * LIMIT}{SECRET}</private>"))
    memory.ingest.take_in(memory.transcript)
    ((_, text, _, _),) = prompts(memory)
    assert str(text).startswith("aaa")
    assert SECRET.encode() not in everything(memory)


def test_a_prompt_typed_into_a_private_turn_does_not_end_it(memory: Recorder) -> None:
    memory.write(lines.prompt(0, PRIVATE), lines.queued(5, "Also the tests."))
    memory.write(*turn(10, b"", "t-1", SECRET))
    finish(memory)
    assert [row[1:3] for row in prompts(memory)] == [("[private]", 1), ("Also the tests.", 1)]
    assert uses(memory) == [("t-1", "Read", "skipped", 2)]
    assert asked(memory) == "[]"
    assert SECRET.encode() not in everything(memory)


def test_a_private_prompt_typed_into_a_turn_makes_the_rest_of_it_private(memory: Recorder) -> None:
    memory.write(lines.prompt(0, "Look."), lines.tool_use(10, "t-1"), lines.tool_result(20, "t-1", "bread"))
    memory.write(lines.queued(30, PRIVATE))
    memory.write(*turn(40, b"", "t-2", SECRET))
    finish(memory)
    assert uses(memory) == [("t-1", "Bash", "pending", 1), ("t-2", "Read", "skipped", 2)]
    shown = asked(memory)
    assert "bread" in shown
    assert "Look." in shown
    assert "private" not in shown
    assert SECRET.encode() not in everything(memory)


def test_a_result_that_comes_in_the_next_turn_is_not_kept(memory: Recorder) -> None:
    memory.write(lines.prompt(0, PRIVATE), lines.tool_use(10, "t-1", command=SECRET))
    memory.ingest.take_in(memory.transcript)
    memory.write(lines.prompt(1000, "Go on."), lines.tool_result(1010, "t-1", SECRET))
    finish(memory)
    assert uses(memory) == [("t-1", "Bash", "skipped", 1)]
    assert SECRET.encode() not in everything(memory)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_subagent_begun_in_a_private_turn_stays_private(memory: Recorder, is_first: bool) -> None:
    """It may run on in the background while the next prompt is answered, and its lines may be read first."""
    agent = memory.transcript.with_suffix("") / "subagents" / "agent-a.jsonl"
    memory.write(lines.words(20, "Let me look."), path=agent)
    memory.write(*turn(1010, b"", "t-a", SECRET), path=agent)
    memory.write(lines.prompt(0, PRIVATE), lines.tool_use(10, "t-1", "Agent", prompt=SECRET))
    memory.write(*turn(1000, lines.prompt(1000, "Go on."), "t-2", "bread"))
    for path in (agent, memory.transcript) if is_first else (memory.transcript, agent):
        memory.life.take_in(path)
    finish(memory)
    states = dict(memory.rows("SELECT tool_use_id, status FROM tool_uses"))
    assert states == {"t-1": "skipped", "t-2": "pending", "t-a": "skipped"}
    assert SECRET not in asked(memory)
    assert SECRET.encode() not in everything(memory)


def test_a_subagent_that_goes_on_in_a_private_turn_is_private_there(memory: Recorder) -> None:
    agent = memory.transcript.with_suffix("") / "subagents" / "agent-a.jsonl"
    memory.write(*turn(10, b"", "t-a", "bread"), *turn(1010, b"", "t-b", SECRET), path=agent)
    memory.write(lines.prompt(0, "Look."), lines.prompt(1000, PRIVATE))
    memory.life.follow(memory.transcript)
    assert uses(memory) == [("t-a", "Read", "pending", 1), ("t-b", "Read", "skipped", 2)]


def test_a_fork_that_copies_a_private_turn_keeps_nothing_of_it(memory: Recorder) -> None:
    history = turn(0, lines.prompt(0, PRIVATE), "t-1", SECRET)
    title = lines.line(0, type="ai-title", aiTitle=SECRET)
    memory.write(*history)
    fork = memory.transcript.with_stem("22222222-2222-4222-8222-222222222222")
    memory.write(*history[:2], lines.tool_use(15, "t-new", command=SECRET), *history[2:], path=fork)
    memory.write(*turn(1000, lines.prompt(1000, "Go on."), "t-2", "bread"), title, path=fork)
    memory.life.take_in(memory.transcript)
    memory.life.take_in(fork)
    assert [row[2] for row in uses(memory)] == ["skipped", "skipped", "pending"]
    assert SECRET.encode() not in everything(memory)


@pytest.mark.parametrize("is_before", [True, False])
def test_the_title_of_a_session_with_a_private_passage_is_not_kept(memory: Recorder, is_before: bool) -> None:
    title = lines.line(0, type="ai-title", aiTitle=SECRET)
    parts = [lines.prompt(0, f"Fix it. {PRIVATE}"), title]
    for part in reversed(parts) if is_before else parts:
        memory.write(part)
        memory.ingest.take_in(memory.transcript)
    memory.write(lines.prompt(1000, "Go on."), title)
    memory.ingest.take_in(memory.transcript)
    assert memory.rows("SELECT title, hides_title FROM sdk_sessions") == [("", 1)]


def test_of_a_line_that_is_broken_nothing_that_was_said_is_kept(memory: Recorder) -> None:
    torn = [lines.prompt(0, PRIVATE), lines.words(0, SECRET), lines.line(0, type="ai-title", aiTitle=SECRET)]
    titled = f'{{"type":"ai-title","aiTitle":"{SECRET}",\n'
    memory.write(*(line[:-3] + b"\n" for line in torn), f"{SECRET}\n".encode(), titled.encode())
    memory.ingest.take_in(memory.transcript)
    assert memory.rows("SELECT count(*) FROM broken_lines") == [(5,)]
    assert SECRET.encode() not in everything(memory)


def test_lines_that_repeat_a_prompt_are_not_taken_in(memory: Recorder) -> None:
    memory.write(
        lines.line(0, type="queue-operation", operation="enqueue", content=PRIVATE),
        lines.prompt(0, PRIVATE),
        lines.line(0, type="last-prompt", lastPrompt=PRIVATE),
        lines.line(0, type="summary", summary=SECRET),
        lines.line(0, type="attachment", attachment={"type": "hook_success", "content": SECRET}, uuid="a"),
        lines.line(0, type="custom-title", customTitle=SECRET),
        lines.line(
            0, type="user", isCompactSummary=True, uuid="c", message={"role": "user", "content": f"About {SECRET}"}
        ),
    )
    memory.ingest.take_in(memory.transcript)
    assert len(prompts(memory)) == 1
    assert SECRET.encode() not in everything(memory)


def test_a_command_with_private_arguments_is_kept_without_them(memory: Recorder) -> None:
    name = "<command-message>review</command-message>\n<command-name>/review</command-name>"
    text = f"{name}\n<command-args>{PRIVATE}</command-args>"
    memory.write(lines.prompt(0, text))
    memory.ingest.take_in(memory.transcript)
    assert [row[1:3] for row in prompts(memory)] == [("/review [private]", 0)]


def test_what_is_private_in_the_words_that_refuse_a_tool_use_is_not_kept(memory: Recorder) -> None:
    said = (
        "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, "
        "the new_string was NOT written to the file). To tell you how to proceed, the user said:\n"
        f"Not so. {PRIVATE} Sorted."
    )
    memory.write(
        lines.prompt(1, "Mend it."),
        lines.tool_use(10, "refused", "Write", file_path="/x/a.py"),
        lines.tool_result(20, "refused", said, is_error=True),
        lines.tool_use(30, "read", "Read", file_path="/x/app.csproj"),
        lines.tool_result(40, "read", "<Private>False</Private>"),
    )
    memory.ingest.take_in(memory.transcript)
    outputs = [str(row[0]) for row in memory.rows("SELECT output FROM tool_uses ORDER BY created_at_epoch")]
    assert SECRET not in outputs[0]
    assert "Not so. [private] Sorted." in outputs[0]
    assert outputs[1] == "<Private>False</Private>"
    assert SECRET.encode() not in everything(memory)


def test_an_image_in_a_private_prompt_changes_nothing(memory: Recorder) -> None:
    blocks = [{"type": "image", "source": {}}, {"type": "text", "text": "<private>"}, {"type": "text", "text": SECRET}]
    memory.write(lines.line(0, type="user", uuid="p", message={"role": "user", "content": blocks}))
    memory.ingest.take_in(memory.transcript)
    assert [row[1:3] for row in prompts(memory)] == [("[private]", 1)]


def test_what_came_before_a_private_first_prompt_is_a_turn_of_its_own(memory: Recorder) -> None:
    memory.write(lines.tool_use(0, "t-0"), lines.tool_result(1, "t-0", "bread"), lines.prompt(10, PRIVATE))
    finish(memory)
    assert "bread" in asked(memory)
    assert memory.rows("SELECT status FROM tool_uses") == [("observed",)]


def test_an_older_hooks_words_go_when_its_flag_is_lowered(memory: Recorder) -> None:
    memory.write(*turn(0, lines.prompt(0, PRIVATE), "t-1", "x"))
    with memory.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO flags (session_id, kind, project, event, raised_at_epoch) VALUES (?, 'finalize', ?, ?, ?)",
            (SESSION, PROJECT, f'{{"last_assistant_message": "{SECRET}"}}', memory.now - 5000),
        )
    memory.life.take_in(memory.transcript)
    memory.life.handle_flags()
    assert memory.rows("SELECT count(*) FROM flags WHERE lowered_at_epoch IS NOT NULL") == [(1,)]
    assert SECRET not in str(memory.rows("SELECT event FROM flags"))


def test_import_of_a_private_turn_keeps_nothing_of_it(memory: Recorder, tmp_path: Path) -> None:
    memory.write(*turn(1000, lines.prompt(1000, "Go on."), "t-2", "bread"))
    memory.ingest.take_in(memory.transcript)
    whole = b"".join(turn(0, lines.prompt(0, PRIVATE), "t-1", SECRET)) + memory.transcript.read_bytes()
    memory.transcript.write_bytes(whole)
    memory.life.take_in(memory.transcript, anew=True)
    states = dict(memory.rows("SELECT tool_use_id, status FROM tool_uses"))
    assert states == {"t-1": "skipped", "t-2": "pending"}
    assert SECRET.encode() not in everything(memory)


def test_what_a_subagent_did_before_its_prompt_was_read_goes_with_it(memory: Recorder) -> None:
    agent = memory.transcript.with_suffix("") / "subagents" / "agent-a.jsonl"
    memory.write(*turn(10, b"", "t-a", SECRET), path=agent)
    memory.life.take_in(agent)
    assert [row[2] for row in uses(memory)] == ["pending"]
    memory.write(lines.prompt(0, PRIVATE))
    memory.life.take_in(memory.transcript)
    assert memory.rows("SELECT status, input, output, files_read FROM tool_uses") == [("skipped", None, None, "[]")]


def test_what_an_older_version_has_kept_of_a_private_passage_is_neither_sent_nor_told(memory: Recorder) -> None:
    memory.write(*turn(0, lines.prompt(0, "Go on"), "t-1", "words"))
    memory.ingest.take_in(memory.transcript)
    with memory.database.write() as connection:
        connection.exec_driver_sql("UPDATE user_prompts SET prompt_text = ?", (f"Go on {PRIVATE}",))
    finish(memory)
    assert memory.rows("SELECT request FROM session_summaries") == [("Go on [private]",)]
    assert SECRET not in memory.context()
    shown = asked(memory)
    assert "Go on" in shown
    assert SECRET not in shown


def test_a_secret_that_an_older_version_has_kept_in_a_summary_is_not_sent(memory: Recorder) -> None:
    key = "AKIA" + "Q3EGRB7X" + "W5ZJ4TNM"
    memory.write(*turn(0, lines.prompt(0, "Go on"), "t-1", "words"))
    finish(memory)
    asked(memory)
    with memory.database.write() as connection:
        connection.exec_driver_sql("UPDATE session_summaries SET summary_text = ?", (f"Used {key}",))
    memory.write(*turn(10_000, lines.prompt(10_000, "And on"), "t-2", "more"))
    memory.now += 60_000
    memory.life.take_in(memory.transcript)
    memory.life.finalize(SESSION)
    memory.now += 60_000
    shown = asked(memory)
    assert "Used [redacted: aws-access-key]" in shown
    assert key not in shown
