"""Owns lifelike transcripts: seeded, of any size, with the lines, keys and proportions of real ones.

Measured of Claude Code 2.1.330, and held by `tests/benchmarks/test_transcripts.py`: six tenths of the bytes are in
lines of no use to a memory (what was sent to the API, snapshots of the prompt, what hooks said), a line has 3.5 kB on
average, and a tool use comes to some 46 kB and 13 lines. Half of all outputs are below 3.6 kB, one in fifteen is as
long as Claude Code lets them be; each stands twice in its line, in the message and in `toolUseResult`. The keys are
those of the recorded fixtures, in their order; the texts are words without meaning, cut from one corpus.

    session = Session("11111111-…", "/home/dev/api", seed=7, begun=now_in_ms)
    path.write_bytes(b"".join([*session.opening(), *session.turn(tool_uses=50)]))
    session.written.tool_uses  # 50
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

CORPUS = 1_000_000  # characters that all texts are cut from
LONGEST_OUTPUT = 30_000  # characters: Claude Code keeps longer ones in files of their own
MEGABYTE = 1_000_000
TOOLS = {"Bash": 40, "Read": 25, "Edit": 18, "Grep": 8, "Write": 4, "TodoWrite": 3, "WebFetch": 2}  # in a hundred
FAILS = 0.06  # of all tool uses
STEP = 4000  # milliseconds between two lines, on average

_WORDS = (
    "parser",
    "token",
    "value",
    "error",
    "result",
    "config",
    "request",
    "handler",
    "session",
    "buffer",
    "index",
    "schema",
    "commit",
    "branch",
    "retry",
    "timeout",
    "cache",
    "worker",
    "queue",
    "stream",
    "encode",
    "decode",
    "window",
    "cursor",
    "offset",
    "header",
    "footer",
    "größe",
    "naïve",
    "batch",
)
_USAGE = (
    b'"usage":{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d,'
    b'"output_tokens_details":{"thinking_tokens":0},"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0},'
    b'"service_tier":"standard","cache_creation":{"ephemeral_1h_input_tokens":0,"ephemeral_5m_input_tokens":%d},'
    b'"inference_geo":"","iterations":[],"speed":"standard","fallback_credit":null}'
)
_ASSISTANT = (
    b'{"parentUuid":%b,"isSidechain":false,"message":{"id":"msg_%b","type":"message","role":"assistant",'
    b'"model":"claude-opus-5-5","content":[%b],"stop_reason":"%b","stop_sequence":null,%b,"stop_details":null},'
    b'"apiBlockIndex":0,"requestRef":"%b","requestedModel":"claude-opus-5-5","promptCacheRequested":"5m",'
    b'"type":"assistant","uuid":"%b","timestamp":"%b","effort":"medium","perTurnEffort":"medium","madeBy":"model",%b'
)
_RESULT = (
    b'{"parentUuid":%b,"isSidechain":false,"promptId":"%b","type":"user","message":{"role":"user","content":'
    b'[{"tool_use_id":"%b","type":"tool_result","content":%b,"is_error":%b}]},"uuid":"%b","timestamp":"%b",'
    b'"toolUseResult":%b,"sandboxed":false,"sourceToolAssistantUUID":%b,'
    b'"permissionDecision":{"decision":"accept","source":"config","reasonType":"rule"},%b'
)
_PROMPT = (
    b'{"parentUuid":%b,"isSidechain":false,"promptId":"%b","type":"user","message":{"role":"user","content":%b},'
    b'"uuid":"%b","timestamp":"%b","permissionMode":"default","origin":{"kind":"human"},"promptSource":"typed",%b'
)
_ATTACHMENT = (
    b'{"parentUuid":%b,"isSidechain":false,"attachment":{"type":"%b","content":%b},"type":"attachment","uuid":"%b",'
    b'"timestamp":"%b",%b'
)
_STOPPED = (
    b'{"parentUuid":%b,"isSidechain":false,"type":"system","subtype":"stop_hook_summary","hookCount":1,"hookInfos":'
    b'[{"command":"python3 stop.py","durationMs":24}],"hookErrors":[],"failedHookErrorIndexes":[],'
    b'"hookAdditionalContext":[],"preventedContinuation":false,"stopReason":"","hasOutput":false,'
    b'"level":"suggestion","timestamp":"%b","uuid":"%b",%b'
)
_DURATION = (
    b'{"parentUuid":%b,"isSidechain":false,"type":"system","subtype":"turn_duration","durationMs":54321,'
    b'"messageCount":15,"timestamp":"%b","uuid":"%b","isMeta":false,%b'
)
_COMMON = (
    b'"userType":"external","entrypoint":"cli","cwd":%b,"sessionId":"%b","version":"2.1.330","gitBranch":"main"}\n'
)


@dataclass
class Written:
    """What a transcript holds so far."""

    size: int = 0  # bytes, as all sizes here
    useless: int = 0  # in lines that hold nothing for a memory
    lines: int = 0
    turns: int = 0
    tool_uses: int = 0  # those of tools that are never looked at, such as TodoWrite, among them
    payload: int = 0  # of the tool uses' inputs and outputs, each once

    def __iadd__(self, other: Written) -> Written:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


class Session:
    """One session's transcript as it is written, line by line."""

    def __init__(
        self, session_id: str, cwd: str, *, seed: int, begun: int, step: int = STEP, long_every: int = 0
    ) -> None:
        """Take when its first line is written (epoch), and `step`, the milliseconds between two lines on average.

        Every `long_every`th tool use has an output of a megabyte, and a useless line of one and a half behind it, so
        that the proportions stay as they are.
        """
        self.session_id = session_id
        self.cwd = cwd
        self.written = Written()
        self.last_prompt = self.closing = ""
        self.now = float(begun)  # epoch of the line last written
        self._random = random.Random(f"{seed} {session_id}")
        self._id = session_id.encode()
        self._step = step
        self._long_every = long_every
        self._common = _COMMON % (orjson.dumps(cwd), self._id)
        self._parent = b"null"
        self._files = [f"{cwd}/src/{self._word()}/{self._word()}_{self._word()}.py" for _ in range(30)]

    def opening(self) -> Iterator[bytes]:
        """Yield the lines before the first prompt, and the one that names the session."""
        yield from self._small()
        title = orjson.dumps(self._sentence(6))
        yield self._count(b'{"type":"ai-title","aiTitle":%b,"sessionId":"%b"}\n' % (title, self._id))
        for kind, size in _OPENING.items():
            yield self._attachment(kind.encode(), size)
        yield self._useless(
            b'{"type":"api-request-shape","sessionId":"%b","shapeHash":"%b","timestamp":"%b","version":"2.1.330",'
            b'"shape":%b}\n' % (self._id, self._hex(64), self._tick(), self._text(38_000)),
        )

    def turn(
        self, tool_uses: int | None = None, *, prompt: str = "", closing: str = "", is_over: bool = True
    ) -> Iterator[bytes]:
        """Yield a turn's lines: a prompt, tool uses, closing words and, where it `is_over`, the lines of its end."""
        count = self._random.randint(1, 15) if tool_uses is None else tool_uses
        self.last_prompt = prompt or self._sentence(self._random.randint(6, 60))
        self.closing = closing or self._sentence(self._random.randint(20, 150))
        prompt_id = self._uuid()
        uuid = self._uuid()
        told = orjson.dumps(self.last_prompt)
        yield self._count(_PROMPT % (self._parent, prompt_id, told, uuid, self._tick(), self._common))
        self._parent = b'"%b"' % uuid
        for _ in range(count):
            yield from self._tool_use(prompt_id)
        yield self._said(b'{"type":"text","text":%b}' % orjson.dumps(self.closing), b"end_turn")
        self.written.turns += 1
        if is_over:
            yield from self.turn_end()

    def turn_end(self) -> Iterator[bytes]:
        """Yield what is written once the Stop hooks have run."""
        for template in (_STOPPED, _DURATION):
            uuid = self._uuid()
            yield self._count(template % (self._parent, self._tick(), uuid, self._common))
            self._parent = b'"%b"' % uuid
        yield from self._small()

    def call(self, tool_use_id: str) -> bytes:
        """Return the line of a tool's call whose result is not there yet."""
        self.written.tool_uses += 1
        given = orjson.dumps({"command": self._cut(80), "description": self._sentence(6)})
        self.written.payload += len(given)
        block = b'{"type":"tool_use","id":"%b","name":"Bash","input":%b}'
        return self._said(block % (tool_use_id.encode(), given), b"tool_use")

    def _tool_use(self, prompt_id: bytes) -> Iterator[bytes]:
        chance = self._random
        if chance.random() < 0.5:
            yield self._said(b'{"type":"text","text":%b}' % orjson.dumps(self._sentence(20)), b"tool_use")
        if chance.random() < 0.4:
            thought = b'{"type":"thinking","thinking":%b,"signature":"%b"}'
            yield self._said(thought % (self._text(900), self._hex(300)), b"tool_use", is_useful=False)
        (name,) = chance.choices(list(TOOLS), list(TOOLS.values()))
        tool_use_id = b"toolu_" + self._hex(24)
        arguments, output, beside = self._work(name)
        given = orjson.dumps(arguments)
        call = b'{"type":"tool_use","id":"%b","name":"%b","input":%b}' % (tool_use_id, name.encode(), given)
        yield self._said(call, b"tool_use")
        asked = self._parent
        yield from self._small()
        if name in ("Edit", "Write"):
            yield self._useless(
                b'{"type":"file-history-delta","messageId":"%b","snapshotMessageId":"%b","trackingPath":%b,'
                b'"backup":{"backupFileName":null,"version":1},"timestamp":"%b"}\n'
                % (self._uuid(), self._uuid(), orjson.dumps(arguments["file_path"]), self._tick()),
            )
        yield self._attachment(b"hook_success", 300)
        is_error = chance.random() < FAILS
        self.written.tool_uses += 1
        is_long = self._long_every and self.written.tool_uses % self._long_every == 0
        said = "Error: Exit code 1\n" + output[:2000] if is_error else "p" * MEGABYTE if is_long else output
        told = orjson.dumps(said)
        beside_it = told if is_error or is_long else beside.replace(b"%OUTPUT%", told)
        self.written.payload += len(given) + len(said.encode())
        uuid = self._uuid()
        yield self._count(
            _RESULT
            % (
                *(asked, prompt_id, tool_use_id, told, b"true" if is_error else b"false", uuid, self._tick()),
                *(beside_it, asked, self._common),
            ),
        )
        self._parent = b'"%b"' % uuid
        yield self._attachment(b"hook_success", 300)
        yield from self._request(3 * MEGABYTE if is_long else self._size(11_000, 1.0))

    def _work(self, name: str) -> tuple[dict[str, object], str, bytes]:
        """Return a tool's input, its output, and what stands beside it; `%OUTPUT%` there is the output again."""
        chance = self._random
        path = chance.choice(self._files)
        size = self._size(3600, 1.5)
        match name:
            case "Bash":
                beside = b'{"stdout":%OUTPUT%,"stderr":"","interrupted":false,"isImage":false,"noOutputExpected":false}'
                command = chance.choice(_COMMANDS).format(path=path, word=self._word())
                arguments: dict[str, object] = {"command": command, "description": self._sentence(6)}
                return arguments, self._cut(size), beside
            case "Read":
                about = orjson.dumps(path)
                beside = (
                    b'{"type":"text","file":{"filePath":%b,"content":%%OUTPUT%%,"numLines":80,"startLine":1}}' % about
                )
                return {"file_path": path}, self._cut(size), beside
            case "Edit":
                old, new, whole = self._cut(self._size(400, 1.0)), self._cut(self._size(500, 1.0)), self._text(size * 2)
                beside = b'{"filePath":%b,"oldString":%b,"newString":%b,"originalFile":%b,"structuredPatch":[%b]}' % (
                    *map(orjson.dumps, (path, old, new)),
                    whole,
                    orjson.dumps({"oldStart": 1, "newStart": 1, "lines": [*old.splitlines(), *new.splitlines()]}),
                )
                given = {"file_path": path, "old_string": old, "new_string": new, "replace_all": False}
                return given, f"The file {path} has been updated successfully.", beside
            case "Write":
                content = self._cut(size)
                beside = b'{"type":"create","filePath":%b,"content":%b,"structuredPatch":[]}'
                told = beside % (orjson.dumps(path), orjson.dumps(content))
                return {"file_path": path, "content": content}, f"File created successfully at: {path}", told
            case "Grep":
                beside = b'{"mode":"content","numFiles":0,"filenames":[],"content":%OUTPUT%,"numLines":10}'
                return {"pattern": self._word(), "path": self.cwd, "output_mode": "content"}, self._cut(size), beside
            case "TodoWrite":
                todos = [{"content": self._sentence(8), "status": "pending", "activeForm": "-"} for _ in range(4)]
                beside = b'{"oldTodos":[],"newTodos":%b}' % orjson.dumps(todos)
                return {"todos": todos}, "Todos have been modified successfully.", beside
            case _:
                beside = b'{"bytes":9000,"code":200,"codeText":"OK","result":%OUTPUT%,"durationMs":900}'
                url = f"https://docs.example.org/{self._word()}/{self._word()}"
                return {"url": url, "prompt": self._sentence(12)}, self._cut(size), beside

    def _request(self, blob: int) -> Iterator[bytes]:
        """Yield what is written of a request to the API."""
        snapshot = 0.13  # of all requests: as often as the prompt's fixed part has changed
        if self._random.random() < snapshot:
            yield self._attachment(b"prompt_snapshot", 57_000)
        yield self._useless(
            b'{"type":"api-request-blob","sessionId":"%b","hash":"%b","message":{"role":"user","content":%b}}\n'
            % (self._id, self._hex(64), self._text(blob)),
        )
        yield self._useless(
            b'{"type":"api-request","sessionId":"%b","id":"%b","timestamp":"%b","version":"2.1.330",'
            b'"querySource":"repl_main_thread","shapeHash":"%b","params":%b}\n'
            % (self._id, self._uuid(), self._tick(), self._hex(64), self._text(900)),
        )

    def _small(self) -> Iterator[bytes]:
        """Yield the short lines that are written again and again."""
        last = orjson.dumps(self.last_prompt[:200])
        for line in (
            b'{"type":"last-prompt","lastPrompt":%b,"sessionId":"%b"}\n' % (last, self._id),
            b'{"type":"mode","mode":"normal","sessionId":"%b"}\n' % self._id,
            b'{"type":"permission-mode","permissionMode":"default","sessionId":"%b"}\n' % self._id,
            b'{"type":"atis-latch","atis":"","sessionId":"%b"}\n' % self._id,
            b'{"type":"tools-used","tools":["Bash","Edit","Read"],"sessionId":"%b"}\n' % self._id,
        ):
            yield self._useless(line)

    def _attachment(self, kind: bytes, size: int) -> bytes:
        uuid = self._uuid()
        line = _ATTACHMENT % (self._parent, kind, self._text(size), uuid, self._tick(), self._common)
        self._parent = b'"%b"' % uuid
        return self._useless(line)

    def _said(self, block: bytes, reason: bytes, *, is_useful: bool = True) -> bytes:
        """Return a line of the assistant's; one block has one line."""
        uuid = self._uuid()
        counts = [self._random.randrange(100_000) for _ in range(5)]
        said = (self._parent, self._hex(24), block, reason, _USAGE % tuple(counts), self._uuid(), uuid, self._tick())
        self._parent = b'"%b"' % uuid
        return self._count(_ASSISTANT % (*said, self._common), is_useful=is_useful)

    def _useless(self, line: bytes) -> bytes:
        return self._count(line, is_useful=False)

    def _count(self, line: bytes, *, is_useful: bool = True) -> bytes:
        self.written.size += len(line)
        self.written.lines += 1
        if not is_useful:
            self.written.useless += len(line)
        return line

    def _tick(self) -> bytes:
        """Return the next time."""
        self.now += self._step * 2 * self._random.random()
        seconds, milliseconds = divmod(int(self.now), 1000)
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%03dZ" % milliseconds

    def _size(self, median: int, spread: float) -> int:
        """Draw a length in characters: many short ones, few long ones (lognormal, capped)."""
        return min(LONGEST_OUTPUT, max(20, int(median * self._random.lognormvariate(0, spread))))

    def _text(self, size: int) -> bytes:
        """Return text of a length as JSON."""
        return orjson.dumps(self._cut(size))

    def _cut(self, size: int) -> str:
        """Return text of a length."""
        corpus = _corpus()
        if size > len(corpus):
            return (corpus * (size // len(corpus) + 1))[:size]
        start = self._random.randrange(len(corpus) - size + 1)
        return corpus[start : start + size]

    def _sentence(self, words: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=words)).capitalize() + "."

    def _word(self) -> str:
        return self._random.choice(_WORDS)

    def _uuid(self) -> bytes:
        digits = b"%032x" % self._random.getrandbits(128)
        return b"-".join((digits[:8], digits[8:12], b"4" + digits[13:16], b"a" + digits[17:20], digits[20:]))

    def _hex(self, length: int) -> bytes:
        return b"%0*x" % (length, self._random.getrandbits(4 * length))


def write(path: Path, session: Session, size: int, *, tool_uses: int | None = None) -> Written:
    """Append turns, one at least, of so many tool uses, until a session has so many bytes; return what it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", 1 << 20) as file:
        if not session.written.size:
            file.writelines(session.opening())
        file.writelines(session.turn(tool_uses))
        while session.written.size < size:
            file.writelines(session.turn(tool_uses))
    return session.written


def session_id(number: int) -> str:
    """Return the id of session number `number`."""
    return f"{number:08x}-0000-4000-8000-000000000000"


_OPENING = {  # attachments, and the characters that each holds of its own
    "environment": 900,
    "model": 400,
    "deferred_tools_delta": 900,
    "agent_listing_delta": 3400,
    "skill_listing": 13_200,
    "session_context": 100,
    "date": 20,
    "remote_session_change": 900,
}
_COMMANDS = (
    "python -m pytest {path} -q",
    "git diff --stat",
    "git log --oneline -20",
    "rg -n {word} src",
    "sed -n 1,120p {path}",
    "make {word}",
    "npm run build -- --{word}",
    "cd src && python -c 'import {word}; print({word}.VERSION)'",
)


@cache
def _corpus() -> str:
    """Return what looks like code, listings and the output of tests, with as many characters to be escaped."""
    chance = random.Random(1)
    lines: list[str] = []
    size = 0
    while size < CORPUS:
        one, two, three, four = chance.choices(_WORDS, k=4)
        number = chance.randrange(10_000)
        line = chance.choice(
            (
                f"def {one}_{two}({three}: str, {four}: int = {number}) -> None:",
                f'    {one} = {two}["{three}"].{four}({number})  # {two} before {four}',
                f"tests/test_{one}.py::test_{two}_{three} PASSED [{number % 100:3}%]",
                f"{number}\tsrc/{one}/{two}.py:{number % 900}: {three} {four}",
                f'{{"{one}": {number}, "{two}": "{three} \\"{four}\\""}}',
                f"        raise {one.capitalize()}Error(f'{two} {{{three}}} of {number}')",
                f"2026-11-24T10:{number % 60:02}:00Z {one} {two}={number} {three}={four}",
                "",
            )
        )
        lines.append(line)
        size += len(line) + 1
    return "\n".join(lines)
