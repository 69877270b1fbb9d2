"""Owns the Messages API of the tests: a scripted one on loopback, spoken to by the real Claude Code CLI.

    with MessagesAPI([Reply(tool_uses=[ToolCall("Bash", {"command": "ls"})]), Reply(text="Done.")]) as api:
        run_print("List the files.", environment=clean_environment(home, api.url), cwd=project)
    assert api.requests_of(Kind.MAIN)

Several kinds of request reach it. The user's conversation and its subagents get what the test scripted; the
memory agent, which is a Claude Code process too, is told apart by a marker in its system prompt; everything
else that a client asks on the side (titles, summaries of tool output, token counts) gets a harmless default.
"""

from __future__ import annotations

import enum
import json
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Self

Request = dict[str, Any]
"""A parsed request body of `POST /v1/messages`: model, system, messages, tools, stream, …"""

AGENT_MARKER = "claude-mem observer"
SUBAGENT_MARKER = "cc_is_subagent=true"  # the client's own, in the first block of the system prompt
COMPACTION_MARKER = "CRITICAL: Respond with TEXT ONLY."  # how the client's request for a summary begins
DEFAULT_SUMMARY = "<summary>\nThe conversation so far, summarised.\n</summary>"
SCRIPT_IS_OVER = "The script is over."
DELTA_SIZE = 4096  # characters per streamed delta
MAX_REQUESTS = 500


class Kind(enum.Enum):
    """Whose request it is."""

    MAIN = "main"  # the user's conversation
    SUBAGENT = "subagent"  # a sidechain of it, started by the Agent tool
    COMPACTION = "compaction"  # `/compact`: the conversation once more, to be summarised
    AGENT = "agent"  # the memory agent
    SIDE = "side"  # titles and the like


@dataclass(frozen=True)
class ToolCall:
    """A tool_use block. Its id is unique over all runs unless given, as the real one's is."""

    name: str
    input: dict[str, Any]
    id: str = field(default_factory=lambda: f"toolu_{secrets.token_hex(12)}")


@dataclass(frozen=True)
class Reply:
    """What the scripted model answers: text first, then tool uses; or an error where `status` is not 200."""

    text: str = ""
    tool_uses: Sequence[ToolCall] = ()
    delay: float = 0.0  # seconds before the first byte
    status: int = 200
    error_type: str = "api_error"
    headers: Mapping[str, str] = field(default_factory=dict)  # of an error, such as retry-after
    cut_after: int | None = None  # bytes of an answer after which the connection ends; None: not at all


Script = Callable[[Request], Reply] | Iterable[Reply]
"""Answers a request; or the answers to a conversation's requests, in order."""


class MessagesAPI:
    """Serves a script on a free loopback port while its `with` block is open.

    `script` answers the user's conversation, `subagent` its sidechains, `compaction` its summaries, and
    `agent` every request whose system prompt contains `agent_marker`. Requests beyond `max_requests` are
    refused with 500.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        agent: Script = (),
        agent_marker: str = AGENT_MARKER,
        subagent: Script = (),
        compaction: Script = (),
        max_requests: int = MAX_REQUESTS,
    ) -> None:
        self._scripts = {
            Kind.MAIN: _as_callable(script),
            Kind.SUBAGENT: _as_callable(subagent),
            Kind.COMPACTION: _as_callable(compaction or [Reply(text=DEFAULT_SUMMARY)]),
            Kind.AGENT: _as_callable(agent),
            Kind.SIDE: _side_reply,
        }
        self._agent_marker = agent_marker
        self._max_requests = max_requests
        self._log: list[tuple[Kind, Request, int]] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The value for `ANTHROPIC_BASE_URL`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Request]:
        """Every request body so far, in order of arrival."""
        with self._lock:
            return [request for _, request, _ in self._log]

    def requests_of(self, kind: Kind) -> list[Request]:
        """The request bodies of one kind, in order of arrival."""
        with self._lock:
            return [request for its_kind, request, _ in self._log if its_kind is kind]

    def sizes_of(self, kind: Kind) -> list[int]:
        """The bytes of the request bodies of one kind as they came, in order of arrival."""
        with self._lock:
            return [size for its_kind, _, size in self._log if its_kind is kind]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()  # cuts every delay short
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request, size: int) -> Reply:
        """Record one request of so many bytes, answer it from its script and sit its delay out."""
        kind = self._kind_of(request)
        with self._lock:
            self._log.append((kind, request, size))
            if len(self._log) > self._max_requests:
                return Reply(status=500, text=f"more than {self._max_requests} requests")
        try:
            reply = self._scripts[kind](request)
        except Exception as error:  # noqa: BLE001  # a script's failed assertion must not look like a dead server
            return Reply(status=400, error_type="invalid_request_error", text=f"the script raised {error!r}")
        self._closing.wait(reply.delay)
        return reply

    def _kind_of(self, request: Request) -> Kind:
        system = _joined(request.get("system"))
        if self._agent_marker in system:
            return Kind.AGENT
        if SUBAGENT_MARKER in system:
            return Kind.SUBAGENT
        # Below the last tool results, where there are any: one message may hold both.
        if f"\n{COMPACTION_MARKER}" in f"\n{last_user_text(request)}":
            return Kind.COMPACTION
        # Only a conversation is offered tools to act with; a side request has none, or one to answer through.
        return Kind.MAIN if len(request.get("tools") or ()) > 1 else Kind.SIDE


def text_of(request: Request) -> str:
    """Everything a model would read in a request, system prompt and tool results included, as one text."""
    return "\n".join(_texts([request.get("system"), request.get("messages")]))


def last_user_text(request: Request) -> str:
    """The last user message of a request as one text: the newest prompt, or the newest tool results."""
    users = [message for message in request.get("messages", ()) if message.get("role") == "user"]
    return _joined(users[-1]) if users else ""


def _joined(content: object) -> str:
    return "\n".join(_texts(content))


def _texts(content: object) -> Iterator[str]:
    """Every text inside a message, a block or a list of either."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _texts(part)
    elif isinstance(content, dict):
        for key in ("text", "content", "input"):
            value = content.get(key)
            yield from [json.dumps(value)] if key == "input" and value else _texts(value)


def _as_callable(script: Script) -> Callable[[Request], Reply]:
    if callable(script):
        return script
    replies = iter(script)
    lock = threading.Lock()

    def next_reply(_: Request) -> Reply:
        with lock:
            return next(replies, Reply(text=SCRIPT_IS_OVER))

    return next_reply


def _side_reply(request: Request) -> Reply:
    """A title, where the client insists on a schema; otherwise a word that no client acts on."""
    wanted = request.get("output_config", {}).get("format", {}).get("schema", {}).get("properties", {})
    return Reply(text=json.dumps(dict.fromkeys(wanted, "A scripted title")) if wanted else "Fine.")


def _message(request: Request, reply: Reply) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if reply.text or not reply.tool_uses:
        content.append({"type": "text", "text": reply.text})
    content += [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.input} for c in reply.tool_uses]
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "scripted"),
        "content": content,
        "stop_reason": "tool_use" if reply.tool_uses else "end_turn",
        "stop_sequence": None,
        # Four characters to the token is near enough for a client that only adds them up.
        "usage": {
            "input_tokens": len(text_of(request)) // 4 + 1,
            "output_tokens": len(json.dumps(content)) // 4 + 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A whole message as the stream of events that the real API sends."""
    usage = message["usage"]
    opening = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": opening}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    is_text = block["type"] == "text"
    whole = block["text"] if is_text else json.dumps(block["input"])
    kind, key = ("text_delta", "text") if is_text else ("input_json_delta", "partial_json")
    for start in range(0, len(whole), DELTA_SIZE):
        yield {"type": kind, key: whole[start : start + DELTA_SIZE]}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that hangs must not hang the test
    api: MessagesAPI

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that was killed in mid-answer is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    # Its parent's default, one connection a request, leaves no thread behind waiting for a next one.
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._send_json(200, {})

    def do_GET(self) -> None:
        self._send_json(200, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._send_json(200, {"input_tokens": len(body) // 4})
        elif path.endswith("/v1/messages"):
            self._answer(json.loads(body), len(body))
        else:
            self._send_json(200, {})

    def _answer(self, request: Request, size: int) -> None:
        reply = self.server.api.answer(request, size)
        if reply.status != 200:
            error = {"type": reply.error_type, "message": reply.text or "scripted error"}
            self._send_json(reply.status, {"type": "error", "error": error}, reply.headers)
        elif request.get("stream"):
            events = _events(_message(request, reply))
            body = b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)
            self._send(200, "text/event-stream", body, cut_after=reply.cut_after)
        else:
            body = json.dumps(_message(request, reply)).encode()
            self._send(200, "application/json", body, cut_after=reply.cut_after)

    def _send_json(self, status: int, value: dict[str, Any], headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._send(status, "application/json", json.dumps(value).encode(), headers)

    def _send(
        self,
        status: int,
        kind: str,
        body: bytes,
        headers: Mapping[str, str] = MappingProxyType({}),
        cut_after: int | None = None,
    ) -> None:
        self.send_response(status)
        # The whole length, so that an early end does not look like a whole answer.
        for name, text in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut_after])
