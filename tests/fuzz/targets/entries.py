"""The reader of entries: any bytes, any JSON, and real lines with something wrong in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.values import changed, json_bytes, json_values, parsed, transcript_lines
from watcher.transcript import entries, excerpts

WORDS = (
    *("type", "user", "assistant", "system", "attachment", "message", "content", "tool_use", "tool_result", "text"),
    *("timestamp", "2026-11-25T10:00:00.000Z", "0001-01-01T00:00:00+23:59", "uuid", "isMeta", "origin", "id", "name"),
    *(
        "input",
        "queued_command",
        "prompt",
        "<command-message>",
        "</command-message>",
        "<command-name>",
        "</command-name>",
    ),
    *("<command-args>", "</command-args>", "cwd", "customTitle", "title", "stop_hook_summary", "2026-11-25"),
)
REAL = [parsed(line) for line in transcript_lines()]
USED = [value for value, line in zip(REAL, transcript_lines(), strict=True) if entries.understand(line).entries]
CASES = (
    json_bytes(changed(REAL, *WORDS))
    | json_bytes(changed(USED, *WORDS, most=2))
    | json_bytes(changed(USED, *WORDS, most=1))
    | json_bytes(json_values(*WORDS))
    | st.binary()
)
EXAMPLES = 300
SEEDS = (
    rb'{"type":"user","timestamp":"2026-11-25T10:00:00Z","uuid":"u","message":{"content":"a \ud83d b"}}',
    b'{"type":"user","timestamp":"2026-11-25T10:00:00Z","uuid":"u","message":{"content":"a \xed\xa0\xbd b"}}',
    b'{"a":' * 990 + b"0" + b"}" * 990,
)
LIMIT = 200  # characters of an excerpt


def check(line: bytes, folder: Path) -> None:
    line = line.replace(b"\n", b"")
    if entries.is_useless(line):
        assert entries.understand(line) == entries.NOTHING
        _check_nothing_lost(line)
    try:
        meaning = entries.understand(line)
    except entries.BrokenLineError as error:
        if str(error):
            return
        raise
    meaning.cwd.encode()
    for entry in meaning.entries:
        _check_entry(entry)


def _check_nothing_lost(line: bytes) -> None:
    """See that a line that is left out by its beginning would have been found to hold nothing, read whole."""
    try:
        pairs = json.loads(line, object_pairs_hook=lambda pairs: pairs)
        names = [name for name, _ in pairs]
        entry = json.loads(line)
    except (ValueError, RecursionError, TypeError):
        return  # broken: there is nothing in it
    # A name that stands there twice is no writer's; what an attachment is in a line of another type is nobody's guess.
    is_one = len(set(names)) == len(names) and not _has_twice(pairs)
    if is_one and (names[0] == "type" or entry.get("type") == "attachment"):
        assert entries.understand(json.dumps({"first": 0, **entry}).encode()).entries == ()


def _has_twice(value: Any) -> bool:
    """Say whether a name stands twice in the object that an attachment is."""
    attachment = dict(value).get("attachment")
    names = [pair[0] for pair in attachment if isinstance(pair, tuple)] if isinstance(attachment, list) else []
    return len({str(name) for name in names}) < len(names)


def _check_entry(entry: entries.Entry) -> None:
    assert 0 <= entry.at < entries.YEAR_9999
    match entry:
        case entries.ToolUse():
            assert entry.tool_use_id
            assert entry.name
            text = excerpts.input_excerpt(entry.input, LIMIT)
            assert len(text) <= 2 * LIMIT + 60
            assert "\0" not in text
            for name in (entry.tool_use_id, entry.name, text, *excerpts.files_read(entry.name, entry.input)):
                name.encode()
        case entries.ToolResult():
            assert entry.tool_use_id
            _check_text(entry.text)
        case entries.Prompt():
            assert entry.uuid
            assert entry.text.strip()
            _check_text(entry.text)
        case entries.AssistantText() | entries.Title():
            assert entry.text.strip()
            _check_text(entry.text)


def _check_text(text: str) -> None:
    """See that a text can be stored."""
    text.encode()
    short = excerpts.excerpt(text, LIMIT)
    assert len(short) <= LIMIT + 60
    assert "\0" not in short


def work(line: bytes) -> None:
    try:
        entries.understand(line)
    except entries.BrokenLineError:
        return


def grown(line: bytes, times: int) -> bytes:
    """Return a prompt with the line in it, so many times."""
    text = "<command-message>" + line.decode("utf-8", "replace") * times
    entry = {"type": "user", "timestamp": "2026-11-25T10:00:00Z", "uuid": "u", "message": {"content": text}}
    return json.dumps(entry).encode()
