"""Owns what a line of a transcript means: typed entries of what a memory needs; the rest is skipped.

Observed of Claude Code 2.1.330; `tests/transcript/test_entries.py` and the recorded fixtures would show a change.
Nineteen bytes in twenty are of no use to a memory. Most lines that hold none are known by their first bytes and
never decoded; the pattern lists known useless beginnings and is anchored at the first byte, because any text at all
can be quoted further behind. A line it does not know is decoded and judged by its `type`.

Entries are tuples: there are many, and one is made in a third of the time of a frozen dataclass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson


class Prompt(NamedTuple):
    """What a human asked."""

    at: int  # epoch in milliseconds, as in every entry
    uuid: str
    text: str
    is_queued: bool  # typed while the turn before still ran


class ToolUse(NamedTuple):
    """A call of a tool."""

    at: int
    tool_use_id: str
    name: str
    input: Mapping[str, Any]


class ToolResult(NamedTuple):
    """What came of a call."""

    at: int
    tool_use_id: str
    text: str
    is_error: bool  # a denied call is one too


class AssistantText(NamedTuple):
    """Something the assistant said."""

    at: int
    text: str


class TurnEnd(NamedTuple):
    """The assistant has stopped and waits for the human."""

    at: int


class Compaction(NamedTuple):
    """The conversation before this point was replaced by a summary of it."""

    at: int


class Title(NamedTuple):
    """The session's title; written again and again, the last one counts."""

    at: int  # 0: title lines carry no time
    text: str


Entry = Prompt | ToolUse | ToolResult | AssistantText | TurnEnd | Compaction | Title


class BrokenLineError(ValueError):
    """The line is no JSON object, or one without what its type needs."""


class Meaning(NamedTuple):
    """What one line holds: no entries where it is of no use to a memory."""

    entries: tuple[Entry, ...] = ()
    cwd: str = ""  # where Claude Code was when it wrote the line


NOTHING = Meaning()


class Origin(NamedTuple):
    """Where a line was written."""

    cwd: str
    entrypoint: str  # of Claude Code: cli, sdk-cli (`claude -p`), sdk-py, sdk-ts, claude-vscode, …; empty in old lines


YEAR_9999 = 253_370_764_800_000  # epoch

_USELESS = re.compile(
    rb'\{(?:"type":"(?:api-request|api-request-blob|api-request-shape|atis-latch|cost-state|file-history-delta'
    rb"|file-history-snapshot|last-prompt|mode|permission-mode|queue-operation|tools-used)\""
    rb'|"parentUuid":(?:null|"[0-9a-f-]{36}"),"isSidechain":(?:true|false),(?:"agentId":"[0-9A-Za-z_-]+",)?'
    rb'"attachment":\{"type":"(?:agent_listing_delta|date|deferred_tools_delta|environment|hook_additional_context'
    rb"|hook_success|model|prompt_snapshot|remote_session_change|session_context|skill_listing)\")"
)

# Lines of type `user` that no human typed as a prompt: local commands such as /clear, which begin with their name,
# their output, notes to the model.
_MACHINE_TEXT = re.compile(
    r"<(?:command-name|local-command-|bash-(?:input|stdout|stderr)|task-notification|system-reminder"
    r"|user-memory-input)|\[Request interrupted by user"
)
# A command or skill that starts a turn begins with its message instead. No tag stands in that, nor in the name: a text
# that holds thousands of them is passed over at once.
_COMMAND = re.compile(
    r"<command-message>[^<]*</command-message>\s*<command-name>(?P<name>[^<]*)</command-name>"
    r"(?:\s*<command-args>(?P<args>.*?)</command-args>)?",
    re.DOTALL,
)


def is_useless(data: bytes, start: int = 0) -> bool:
    """Say whether the line that begins there is known at a glance to hold nothing of use.

    Of a line that it says no of, `understand` may say so.
    """
    return _USELESS.match(data, start) is not None


def understand(line: bytes) -> Meaning:
    """Return what a line holds.

    Raises:
        BrokenLineError: it is no entry at all; what this version does not know is merely of no use.
    """
    # A writer that went on at its old offset after the file was cut off leaves a hole of NULs before its line.
    line = line.lstrip(b"\0") or line
    if not line or _USELESS.match(line):
        return NOTHING
    entry = _decode(line)
    kind = entry.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        return NOTHING
    cwd = entry.get("cwd")
    return Meaning(tuple(read(entry)), cwd if isinstance(cwd, str) else "")


def origin(line: bytes) -> Origin | None:
    """Return where a line was written; None where it does not say, or is no entry."""
    try:
        entry = _decode(line.lstrip(b"\0"))
    except BrokenLineError:
        return None
    cwd, entrypoint = entry.get("cwd"), entry.get("entrypoint")
    return Origin(cwd, entrypoint if isinstance(entrypoint, str) else "") if isinstance(cwd, str) and cwd else None


def _decode(line: bytes) -> dict[str, Any]:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        entry = _decode_leniently(line)
    if not isinstance(entry, dict):
        raise BrokenLineError("not a JSON object")
    return entry


def _decode_leniently(line: bytes) -> object:
    """Decode what orjson refuses and files hold all the same: half a surrogate pair, a BOM, stray and control bytes."""
    text = line.decode("utf-8-sig", "replace")
    try:
        decoded = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise BrokenLineError(f"not JSON: {error}") from error
    # A lone surrogate is no text to SQLite nor to anything else further on: say so with a question mark.
    return json.loads(json.dumps(decoded, ensure_ascii=False).encode("utf-8", "replace"))


def _of_user(entry: Mapping[str, Any]) -> list[Entry]:
    at = _time(entry)
    content = _message(entry).get("content")
    results: list[Entry] = [
        ToolResult(at, _needed(block, "tool_use_id"), _result_text(block.get("content")), bool(block.get("is_error")))
        for block in _blocks(content)
        if block.get("type") == "tool_result"
    ]
    if results or not _is_human(entry):
        return results
    text = _prompt_text(content)
    return [Prompt(at=at, uuid=_needed(entry, "uuid"), text=text, is_queued=False)] if text else []


def _is_human(entry: Mapping[str, Any]) -> bool:
    """Say whether a human gave it: the terminal names the origin, `-p` and the SDK only the prompt's source."""
    if entry.get("isMeta") or entry.get("isCompactSummary") or entry.get("isSidechain"):
        return False
    origin = entry.get("origin")
    return not isinstance(origin, dict) or origin.get("kind") == "human"


def _of_assistant(entry: Mapping[str, Any]) -> list[Entry]:
    found: list[Entry] = []
    if entry.get("isApiErrorMessage"):
        return found  # The error's prose stands where the answer would, from a model named <synthetic>.
    at = _time(entry)
    for block in _blocks(_message(entry).get("content")):
        kind = block.get("type")
        if kind == "tool_use":
            arguments = block.get("input")
            arguments = arguments if isinstance(arguments, dict) else {}
            found.append(ToolUse(at, _needed(block, "id"), _needed(block, "name"), arguments))
        elif kind == "text" and (text := _text(block.get("text")).strip()):
            found.append(AssistantText(at, text))
    return found


def _of_system(entry: Mapping[str, Any]) -> list[Entry]:
    """Read turn ends: `stop_hook_summary` where there are Stop hooks, `turn_duration` in the terminal only.

    A Stop hook that blocks lets the turn go on, and its line looks like any other: what comes after it tells.
    """
    match entry.get("subtype"):
        case "stop_hook_summary" | "turn_duration":
            return [TurnEnd(at=_time(entry))]
        case "compact_boundary":
            return [Compaction(at=_time(entry))]
        case _:
            return []


def _of_attachment(entry: Mapping[str, Any]) -> list[Entry]:
    """Read a prompt typed mid-turn: it stands nowhere else than in this attachment."""
    attachment = entry.get("attachment")
    if not isinstance(attachment, dict) or attachment.get("type") != "queued_command":
        return []
    if attachment.get("commandMode") != "prompt" or entry.get("isSidechain"):
        return []
    text = _prompt_text(attachment.get("prompt"))
    return [Prompt(at=_time(entry), uuid=_needed(entry, "uuid"), text=text, is_queued=True)] if text else []


def _of_title(entry: Mapping[str, Any]) -> list[Entry]:
    for key in ("aiTitle", "customTitle", "title"):
        if title := _text(entry.get(key)).strip():
            return [Title(at=0, text=title)]
    return []


_READERS: dict[str, Callable[[Mapping[str, Any]], list[Entry]]] = {
    "user": _of_user,
    "assistant": _of_assistant,
    "system": _of_system,
    "attachment": _of_attachment,
    "ai-title": _of_title,
    "custom-title": _of_title,
}


def _message(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    message = entry.get("message")
    if not isinstance(message, dict):
        raise BrokenLineError(f"{entry.get('type')} entry without a message")
    return message


def _blocks(content: object) -> list[Mapping[str, Any]]:
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict)]


def _prompt_text(content: object) -> str:
    """Return what a human asked, empty where no human did; pictures in it are named, not kept."""
    text = content.strip() if isinstance(content, str) else _result_text(content)
    if command := _COMMAND.match(text):
        return f"{command['name'].strip()} {(command['args'] or '').strip()}".strip()
    return "" if _MACHINE_TEXT.match(text) else text


def _result_text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = []
    for block in _blocks(content):
        kind = block.get("type")
        parts.append(_text(block.get("text")) if kind == "text" else f"[{kind}]")
    return "\n".join(parts).strip()


def _time(entry: Mapping[str, Any]) -> int:
    written = _needed(entry, "timestamp")
    try:
        at = round(datetime.fromisoformat(written).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BrokenLineError(f"no time: {written[:40]!r}") from error
    if not 0 <= at < YEAR_9999:  # what cannot be written as a date again would keep all other lines out
        raise BrokenLineError(f"no time of ours: {written[:40]!r}")
    return at


def _needed(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    if not isinstance(value, str) or not value:
        raise BrokenLineError(f"no {key}")
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
