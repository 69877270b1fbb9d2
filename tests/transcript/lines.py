"""Owns small transcript lines in the shape that Claude Code writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

SESSION = "11111111-1111-4111-8111-111111111111"
COMMAND = "cat a.py"  # of a tool use that is not told another
BEGIN = 1_780_000_000_000  # epoch in milliseconds


def line(at: int, **entry: Any) -> bytes:
    """Return one line, `at` milliseconds after the beginning."""
    moment = datetime.fromtimestamp((BEGIN + at) / 1000, UTC).isoformat(timespec="milliseconds")
    whole = {"timestamp": moment.replace("+00:00", "Z"), "cwd": "/home/dev/api", "sessionId": SESSION, **entry}
    return json.dumps(whole, ensure_ascii=False).encode() + b"\n"


def prompt(at: int, text: str, uuid: str = "") -> bytes:
    """Return a human prompt as `-p` writes it."""
    message = {"role": "user", "content": text}
    return line(at, type="user", message=message, uuid=uuid or f"prompt-{at}", promptSource="sdk", isSidechain=False)


def queued(at: int, text: str) -> bytes:
    """Return a prompt that was typed while a turn ran."""
    attachment = {"type": "queued_command", "prompt": text, "commandMode": "prompt"}
    return line(at, type="attachment", attachment=attachment, uuid=f"queued-{at}", isSidechain=False)


def tool_use(at: int, tool_use_id: str, name: str = "Bash", **arguments: Any) -> bytes:
    """Return a call of a tool."""
    block = {"type": "tool_use", "id": tool_use_id, "name": name, "input": arguments or {"command": COMMAND}}
    return line(at, type="assistant", message={"role": "assistant", "content": [block]}, uuid=f"use-{tool_use_id}")


def tool_result(at: int, tool_use_id: str, text: str = "ok", is_error: bool = False) -> bytes:
    """Return what came of a call."""
    block = {"type": "tool_result", "tool_use_id": tool_use_id, "content": text, "is_error": is_error}
    return line(at, type="user", message={"role": "user", "content": [block]}, uuid=f"result-{tool_use_id}")


def words(at: int, text: str) -> bytes:
    """Return something the assistant said."""
    block = {"type": "text", "text": text}
    return line(at, type="assistant", message={"role": "assistant", "content": [block]}, uuid=f"words-{at}")


def turn_end(at: int) -> bytes:
    """Return the entry that Claude Code writes after its Stop hooks."""
    return line(at, type="system", subtype="stop_hook_summary", preventedContinuation=False, uuid=f"end-{at}")


def turn(at: int, number: int, tools: int = 1) -> bytes:
    """Return a whole turn: a prompt, some tool uses, closing words, and its end."""
    lines = [prompt(at, f"Do number {number}")]
    for index in range(tools):
        tool_use_id = f"tool-{number}-{index}"
        lines += [tool_use(at + 10 + index, tool_use_id), tool_result(at + 500 + index, tool_use_id)]
    return b"".join([*lines, words(at + 900, f"Did number {number}."), turn_end(at + 950)])
