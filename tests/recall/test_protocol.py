"""What the MCP server says to each message, whoever sends it and whatever it is."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from watcher.errors import UsageError
from watcher.privacy.plain import framed
from watcher.recall.mcp import VERSIONS, serve


def answer(name: str, arguments: Mapping[str, object]) -> str:
    if name == "wrong":
        raise UsageError("cannot be", hint="something else")
    return f"größe 🎉 {name} {dict(arguments)}"


def said(*messages: object) -> list[dict[str, Any]]:
    """Send messages, bytes as they are; return the replies."""
    lines = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in messages]
    outgoing = io.BytesIO()
    serve(answer, io.BytesIO(b"\n".join(lines)), outgoing)
    return [json.loads(line) for line in outgoing.getvalue().splitlines()]


def request(method: str, params: object = None, number: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method} | ({} if params is None else {"params": params})


@pytest.mark.parametrize(
    ("wanted", "given"), [*((version, version) for version in VERSIONS), ("2099-01-01", VERSIONS[0]), (7, VERSIONS[0])]
)
def test_it_speaks_the_version_that_is_wanted(wanted: object, given: str) -> None:
    (reply,) = said(request("initialize", {"protocolVersion": wanted}))
    assert reply["result"]["protocolVersion"] == given
    assert reply["result"]["capabilities"] == {"tools": {}}


@pytest.mark.parametrize("number", [1, "a", 0])
def test_a_reply_has_the_number_of_its_request(number: object) -> None:
    assert said(request("ping", number=number)) == [{"jsonrpc": "2.0", "id": number, "result": {}}]


def test_a_call_is_answered_or_told_what_is_wrong() -> None:
    call = {"name": "search", "arguments": {"query": "x"}}
    one, other, bare = said(
        request("tools/call", call), request("tools/call", {"name": "wrong"}), request("tools/call", {"name": "bare"})
    )
    assert one["result"] == {
        "content": [{"type": "text", "text": framed("größe 🎉 search {'query': 'x'}")}],
        "isError": False,
    }
    text = "cannot be\nTry: something else"
    assert other["result"] == {"content": [{"type": "text", "text": text}], "isError": True}
    assert bare["result"]["content"][0]["text"] == framed("größe 🎉 bare {}")


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        b"",
        b"  ",
        b"{}",
    ],
    ids=str,
)
def test_what_asks_for_nothing_gets_nothing(message: object) -> None:
    assert said(message) == []


@pytest.mark.parametrize(
    ("message", "code", "number"),
    [
        (b"no json", -32700, None),
        (b'{"id": 1', -32700, None),
        (b"\xff", -32700, None),
        (b"[" * 100_000, -32700, None),
        ([request("ping")], -32600, None),
        (b"null", -32600, None),
        (request("resources/list"), -32601, 1),
        (request("server/discover"), -32601, 1),
        (request("ping", [1]), -32602, 1),
        (request("tools/call", {}), -32602, 1),
        (request("tools/call", {"name": 1}), -32602, 1),
        (request("tools/call", {"name": "search", "arguments": [1]}), -32602, 1),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_the_protocol_does_not_have_is_refused_and_the_next_is_answered(
    message: object, code: int, number: object
) -> None:
    refused, pong = said(message, request("ping", number=2))
    assert (refused["error"]["code"], refused["id"]) == (code, number)
    assert pong["result"] == {}


def test_a_defect_is_told_and_the_next_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(name: str, _arguments: Mapping[str, object]) -> str:
        return {"search": "found"}[name]

    outgoing = io.BytesIO()
    calls = [
        {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name}}
        for number, name in enumerate(("timeline", "search"))
    ]
    serve(answer, io.BytesIO("\n".join(map(json.dumps, calls)).encode()), outgoing)
    failed, answered = map(json.loads, outgoing.getvalue().splitlines())
    assert failed["error"]["code"] == -32603
    assert "KeyError" in failed["error"]["message"]
    assert "KeyError" in capsys.readouterr().err
    assert answered["result"]["content"][0]["text"] == framed("found")
