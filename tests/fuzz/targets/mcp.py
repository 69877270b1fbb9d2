"""The MCP server's stdin: whatever stands there, it answers in JSON-RPC what wants an answer, and goes on."""

from __future__ import annotations

import io
import json
import math
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.targets.search import _memory as memory
from tests.fuzz.values import changed, json_bytes, json_values, parsed
from tests.memory.past import NOW
from watcher.recall.answers import Answers
from watcher.recall.mcp import serve
from watcher.recall.tools import TOOLS

DEFECT = -32603
WORDS = (
    *("jsonrpc", "2.0", "id", "method", "params", "name", "arguments", "tools/call", "initialize"),
    *(tool.name for tool in TOOLS), *(parameter.name for tool in TOOLS for parameter in tool.parameters),
    *("#1", "S1", "P1", "#99999999999999999999", "s1", "/api", "all", "change", "2026-11-24", "observations"),
    *("newest", "date_desc", "[1, 2]", '["#1"]', "1e5", "0001-01-01", "9999-12-31"),
)  # fmt: skip


def _call(tool: str, **arguments: Any) -> Any:
    params = {"name": tool, "arguments": arguments}
    return parsed(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}))


MESSAGES = [
    _call("search", query="Saw s1", limit=5, offset=0, project="all", type="observations", orderBy="date_asc"),
    _call("search", obs_type="change", file="a.py", concept="gotcha", dateStart="2020-01-01", dateEnd="2030-01-01"),
    _call("timeline", anchor="#1", depth_before=3, depth_after=3),
    _call("timeline", query="Saw", project="/api"),
    _call("timeline", anchor="2026-11-24", project="/api"),
    _call("get_observations", ids=["#1", "S1", "P1"]),
    _call("get_session", session="s1", offset=0),
    parsed(
        '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}'
    ),
    parsed('{"jsonrpc":"2.0","method":"notifications/initialized"}'),
    parsed('{"jsonrpc":"2.0","id":"a","method":"tools/list"}'),
    parsed('{"jsonrpc":"2.0","id":null,"method":"ping"}'),
    parsed('{"jsonrpc":"2.0","id":3,"result":{}}'),
]
LINES = (
    json_bytes(changed(MESSAGES, *WORDS)) | json_bytes(changed(MESSAGES, *WORDS)) | json_bytes(json_values(*WORDS))
    | st.binary(max_size=20)
)  # fmt: skip
CASES = st.lists(LINES, min_size=1, max_size=4)
EXAMPLES = 120
SEEDS = (
    [
        b'{"id":[1],"method":"ping"}',
        b'{"id":' + b"[" * 900 + b"]" * 900 + b',"method":"ping"}',
        b'{"id":NaN,"method":"ping"}',
    ],
    [rb'{"id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":"\ud83d"}}}'],
    [b'{"id":1e999,"method":"ping"}', b'{"id":1,"method":["ping"]}', b'{"id":1,"method":"' + b"x" * 9999 + b'"}'],
)
LONGEST = 200_000  # characters of an answer: as many as a question may have, and 20,000


@cache
def _answers(folder: Path) -> Answers:
    return Answers(memory(folder).path, "/api")


def check(case: list[bytes], folder: Path) -> None:
    lines = [line.replace(b"\n", b"") for line in case]
    ping = {"jsonrpc": "2.0", "id": "last", "method": "ping"}
    incoming = b"".join(line + b"\n" for line in lines) + json.dumps(ping).encode() + b"\n"
    answers, said, told = _answers(folder), io.StringIO(), io.StringIO()
    outgoing = io.BytesIO()
    with redirect_stdout(said), redirect_stderr(told):
        serve(lambda name, given: answers(name, given, now=NOW), io.BytesIO(incoming), outgoing)
    assert (said.getvalue(), told.getvalue()) == ("", "")
    replies = [json.loads(line, parse_constant=_number) for line in outgoing.getvalue().splitlines()]
    assert replies.pop() == {"jsonrpc": "2.0", "id": "last", "result": {}}
    wanting = [line for line in lines if _wants_reply(line)]
    assert len(replies) == len(wanting)
    for line, reply in zip(wanting, replies, strict=True):
        _check_reply(line, reply)


def _check_reply(line: bytes, reply: Any) -> None:
    assert reply["jsonrpc"] == "2.0"
    assert ("result" in reply) != ("error" in reply)
    if "error" in reply:
        assert reply["error"]["code"] != DEFECT
        assert reply["error"]["message"]
    elif content := reply["result"].get("content"):
        assert content[0]["text"]
        assert len(content[0]["text"]) < LONGEST + len(line)
    assert isinstance(reply["id"], str | int | float | None)
    if "result" in reply:
        assert reply["id"] == json.loads(line)["id"]


def _wants_reply(line: bytes) -> bool:
    """Say whether a line is to be answered: a request, or what is no message at all."""
    if not line.strip():
        return False
    try:
        message = json.loads(line, parse_constant=_number, parse_float=_number)
    except (ValueError, RecursionError):
        return True
    return not isinstance(message, dict) or ("id" in message and "method" in message)


def _number(text: str) -> float:
    """Read a number; one that JSON does not have, or could not be sent back, is none."""
    if not math.isfinite(float(text)):
        raise ValueError(f"{text} is no JSON")
    return float(text)
