from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import FIXTURES
from tests.transcript import lines
from tests.transcript.lines import BEGIN
from watcher.transcript import entries
from watcher.transcript.entries import (
    AssistantText,
    BrokenLineError,
    Compaction,
    Prompt,
    Title,
    ToolResult,
    ToolUse,
    TurnEnd,
)


def only(line: bytes) -> entries.Entry:
    (entry,) = entries.understand(line.strip()).entries
    return entry


def user(content: Any, **more: Any) -> bytes:
    return lines.line(0, type="user", uuid="u", message={"role": "user", "content": content}, **more)


def test_a_prompt_of_the_print_mode() -> None:
    assert only(lines.prompt(5, " Fix it ")) == Prompt(BEGIN + 5, "prompt-5", "Fix it", is_queued=False)


def test_a_prompt_of_the_terminal() -> None:
    line = user("Fix it", origin={"kind": "human"}, promptSource="typed")
    assert only(line) == Prompt(BEGIN, "u", "Fix it", is_queued=False)


def test_a_command_or_skill_that_starts_a_turn_is_a_prompt() -> None:
    text = (
        "<command-message>review</command-message>\n<command-name>/review</command-name>\n"
        "<command-args>the parser,\ncarefully</command-args>"
    )
    assert only(user(text)) == Prompt(BEGIN, "u", "/review the parser,\ncarefully", is_queued=False)
    assert only(user(text.split("\n<command-args>")[0])) == Prompt(BEGIN, "u", "/review", is_queued=False)


def test_a_stop_hook_that_ends_the_turn_for_good_ends_it() -> None:
    line = lines.line(9, type="system", subtype="stop_hook_summary", preventedContinuation=True)
    assert only(line) == TurnEnd(BEGIN + 9)


def test_a_prompt_with_a_picture() -> None:
    line = user([{"type": "image", "source": {"data": "AAAA"}}, {"type": "text", "text": "What is this?"}])
    assert only(line) == Prompt(BEGIN, "u", "[image]\nWhat is this?", is_queued=False)


def test_a_prompt_typed_mid_turn() -> None:
    assert only(lines.queued(7, "Also this")) == Prompt(BEGIN + 7, "queued-7", "Also this", is_queued=True)


@pytest.mark.parametrize(
    "line",
    [
        user("note", isMeta=True),
        user("This session is being continued", isCompactSummary=True),
        user("task of a subagent", isSidechain=True),
        user("a report", origin={"kind": "task-notification"}),
        user("<command-name>/clear</command-name>"),
        user("<local-command-stdout>done</local-command-stdout>"),
        user("[Request interrupted by user]"),
        user("   "),
        lines.line(0, type="attachment", uuid="u", attachment={"type": "queued_command", "commandMode": "task"}),
        lines.line(0, type="attachment", uuid="u", attachment={"type": "hook_success", "content": "memory"}),
        lines.line(0, type="something-new", uuid="u"),
        lines.line(0, type="system", subtype="local_command", uuid="u"),
        b"{}",
        b"",
    ],
)
def test_what_no_human_said_is_of_no_use(line: bytes) -> None:
    assert entries.understand(line.strip()).entries == ()


def test_a_tool_use_and_its_result() -> None:
    assert only(lines.tool_use(1, "t1", "Read", file_path="/a")) == ToolUse(
        BEGIN + 1, "t1", "Read", {"file_path": "/a"}
    )
    assert only(lines.tool_result(2, "t1", "content")) == ToolResult(BEGIN + 2, "t1", "content", is_error=False)
    assert only(lines.tool_result(2, "t1", "no", is_error=True)) == ToolResult(BEGIN + 2, "t1", "no", is_error=True)


def test_a_result_in_blocks() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    line = user([{"type": "tool_result", "tool_use_id": "t", "content": content}])
    assert only(line) == ToolResult(BEGIN, "t", "a\n[image]\nb", is_error=False)


def test_several_blocks_in_one_line() -> None:
    content = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Look:"},
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {}},
    ]
    line = lines.line(0, type="assistant", message={"role": "assistant", "content": content})
    found = entries.understand(line.strip())
    assert found.entries == (AssistantText(BEGIN, "Look:"), ToolUse(BEGIN, "t", "Bash", {}))
    assert found.cwd == "/home/dev/api"


def test_an_api_error_is_not_what_the_assistant_said() -> None:
    message = {"role": "assistant", "model": "<synthetic>", "content": [{"type": "text", "text": "API Error: 500"}]}
    assert entries.understand(lines.line(0, type="assistant", message=message, isApiErrorMessage=True)).entries == ()


def test_turn_ends_compaction_and_titles() -> None:
    assert only(lines.turn_end(9)) == TurnEnd(BEGIN + 9)
    assert only(lines.line(9, type="system", subtype="turn_duration")) == TurnEnd(BEGIN + 9)
    assert only(lines.line(9, type="system", subtype="compact_boundary")) == Compaction(BEGIN + 9)
    assert only(b'{"type":"ai-title","aiTitle":"Fix the parser","sessionId":"s"}') == Title(0, "Fix the parser")


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[1]",
        b'"text"',
        b"\x00\x00",
        b"[" * 100_000,
        b'{"type":"user","x":' + b"[" * 100_000,
        b'{"type":"user","uuid":"u","timestamp":"2026-01-01T00:00:00Z"}',
        b'{"type":"user","uuid":"u","message":{"content":"no time"}}',
        b'{"type":"user","uuid":"u","timestamp":"yesterday","message":{"content":"x"}}',
        b'{"type":"assistant","timestamp":"2026-01-01T00:00:00Z","message":{"content":[{"type":"tool_use","name":"x"}]}}',
    ],
)
def test_a_broken_line_is_said(line: bytes) -> None:
    with pytest.raises(BrokenLineError):
        entries.understand(line)


@pytest.mark.parametrize("line", [b'{"type":["user"]}', b'{"type":null}', b"{}", b'{"type":"of tomorrow"}'])
def test_a_type_that_is_not_known_is_of_no_use(line: bytes) -> None:
    assert entries.understand(line) == entries.NOTHING


def test_half_a_surrogate_pair_is_read_as_a_question_mark() -> None:
    line = lines.prompt(0, "PLACE").replace(b"PLACE", b"cut \\ud83d here")
    entry = only(line)
    assert isinstance(entry, Prompt)
    assert entry.text == "cut ? here"
    entry.text.encode()


def test_stray_bytes_and_a_byte_order_mark_are_read() -> None:
    assert only(b"\xef\xbb\xbf" + lines.prompt(0, "text")) == Prompt(BEGIN, "prompt-0", "text", is_queued=False)
    entry = only(lines.prompt(0, "PLACE").replace(b"PLACE", b"caf\xe9"))
    assert isinstance(entry, Prompt)
    assert entry.text == "caf\ufffd"


def test_useless_lines_are_known_by_their_beginning_only() -> None:
    """A prompt that quotes a useless line is no useless line."""
    quoted = '{"type":"mode","mode":"normal"} {"type":"attachment","attachment":{"type":"prompt_snapshot"'
    assert only(lines.prompt(0, quoted)) == Prompt(BEGIN, "prompt-0", quoted, is_queued=False)


def test_the_skip_pattern_only_skips_what_decoding_would_skip_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every recorded line: decoded or skipped by its first bytes, the entries are the same."""
    recorded = [
        line
        for path in sorted(FIXTURES.glob("*/**/*.jsonl"))
        if path.name != "hooks.jsonl"
        for line in path.read_bytes().split(b"\n")
        if line
    ]
    skipped = [line for line in recorded if entries._USELESS.match(line)]
    assert len(skipped) > len(recorded) // 4
    for line in skipped:
        assert entries.understand(line) is entries.NOTHING
        monkeypatch.setattr(entries, "_USELESS", entries.re.compile(rb"(?!)"))
        assert entries.understand(line).entries == ()
        monkeypatch.undo()


def test_every_recorded_kind_of_entry_is_understood() -> None:
    """What the real CLI wrote holds each kind of entry that this reader knows."""
    kinds = set()
    for path in sorted(FIXTURES.glob("*/**/*.jsonl")):
        if path.name == "hooks.jsonl":
            continue
        for line in path.read_bytes().split(b"\n"):
            try:
                kinds |= {type(entry) for entry in entries.understand(line).entries}
            except BrokenLineError:
                assert path.parent.name == "torn-then-resumed"
    assert kinds >= {Prompt, ToolUse, ToolResult, AssistantText, TurnEnd, Compaction}
