"""What the memory agent asks its model: how many requests, and how many bytes they have.

A real watcher, the real Claude Code as the agent's process, and a scripted API that sees every body. A turn whose one
tool use is among those that nobody needs to remember, a to-do list say, asks nothing: it counts 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks import homes, transcripts
from benchmarks.measure import Figure, number, progress, temporary_folder
from benchmarks.transcripts import Session
from tests.claude_cli import API_KEY, wait_until
from tests.messages_api import Kind, MessagesAPI, Reply, Request, last_user_text
from tests.service.watcher_process import WatcherProcess
from tests.soak import scripted
from watcher import resources

SIZES = {1: 1, 10: 1, 50: 1, 200: 4}  # tool uses of a turn, and the requests allowed
ROUNDS = 3
SHORT_TURNS = 10
SHORT = 2  # tool uses
QUIET = 3.0  # seconds of silence before the agent is asked
BETWEEN = 0.4  # seconds between two short turns
LONGEST = 120.0  # seconds
TURNS = "SELECT count(*) FROM session_summaries WHERE session_id = '{}'"
LEFT = """
SELECT (SELECT count(*) FROM tool_uses WHERE status IN ('open', 'pending'))
    + (SELECT count(*) FROM session_summaries WHERE source = 'provisional')
"""


def figures() -> Iterator[Figure]:
    """Count requests and their bytes, turn by turn."""
    with ExitStack() as stack:
        home = stack.enter_context(temporary_folder())
        api = stack.enter_context(MessagesAPI(agent=lambda request: Reply(scripted.answer(last_user_text(request)))))
        login = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": API_KEY}
        quiet = {"CLAUDE_MEM_AGENT_QUIET": str(QUIET)}
        watcher = stack.enter_context(WatcherProcess(home, CLAUDE_MEM_AGENT="claude", **login, **quiet))
        watcher.start()
        asked: dict[int, list[list[Request]]] = {size: [] for size in SIZES}
        payloads = []
        sessions = iter(range(1_000_000))
        for _ in range(ROUNDS):
            for size, found in asked.items():
                session = _session(next(sessions))
                before = len(api.requests_of(Kind.AGENT))
                _play_turn(watcher, session, size)
                _wait_until_done(watcher, session, turns=1)
                found.append(api.requests_of(Kind.AGENT)[before:])
                if size == 50:
                    payloads.append(session.written.payload)
                progress(f"model: {len(found[-1])} requests about {size} tool uses")
        bunch = []
        for _ in range(ROUNDS):
            session = _session(next(sessions))
            before = len(api.requests_of(Kind.AGENT))
            for _ in range(SHORT_TURNS):
                _play_turn(watcher, session, SHORT)
                time.sleep(BETWEEN)
            _wait_until_done(watcher, session, turns=SHORT_TURNS)
            bunch.append(float(len(api.requests_of(Kind.AGENT)) - before))
            progress(f"model: {bunch[-1]:.0f} requests about {SHORT_TURNS} turns")
    for size, most in SIZES.items():
        counts = tuple(float(len(requests)) for requests in asked[size])
        told = f"one a tool use, and one: {size + 1}"
        yield Figure(f"Model requests about a turn of {size} tool uses", told, counts, most, "requests")
    told = f"one a turn: {SHORT_TURNS}"
    yield Figure(f"Model requests about {SHORT_TURNS} short turns in a row", told, tuple(bunch), 2, "requests")
    bodies = tuple(sum(map(_bytes, requests)) / 1000 for requests in asked[50])
    told = f"all inputs and outputs: {number(sum(payloads) / len(payloads) / 1000)} kB"
    yield Figure("Sent to the model about a turn of 50 tool uses", told, bodies, 60, "kB")
    fixed = tuple(_fixed(request) / 1000 for size in (1, 50) for requests in asked[size] for request in requests)
    yield Figure("Of it the fixed part, of each request", "", fixed, 4, "kB")


def _session(number: int) -> Session:
    begun = round(time.time() * 1000)
    return Session(transcripts.session_id(number), homes.project(number), seed=5, begun=begun, step=5)


def _play_turn(watcher: WatcherProcess, session: Session, tool_uses: int) -> None:
    """Write a turn as it would be written, and have the Stop hook say that it is over."""
    path = homes.transcript(watcher.projects, session)
    path.parent.mkdir(parents=True, exist_ok=True)
    session.now = time.time() * 1000 - 50
    opening = [] if session.written.turns else list(session.opening())
    with path.open("ab") as file:
        file.write(b"".join([*opening, *session.turn(tool_uses, is_over=False)]))
    event = {
        "session_id": session.session_id,
        "cwd": session.cwd,
        "transcript_path": str(path),
        "hook_event_name": "Stop",
        "last_assistant_message": session.closing,
    }
    hook = [sys.executable, "-I", "-S", str(resources.hooks() / "stop.py")]
    told = json.dumps(event).encode()
    subprocess.run(hook, env=watcher.environment, input=told, stdout=subprocess.DEVNULL, check=True)
    with path.open("ab") as file:
        file.write(b"".join(session.turn_end()))


def _wait_until_done(watcher: WatcherProcess, session: Session, *, turns: int) -> None:
    """Wait until every turn has its summary, by the agent, and no tool use waits."""
    sql = TURNS.format(session.session_id)
    wait_until(
        lambda: watcher.rows(sql) == [(turns,)] and watcher.rows(LEFT) == [(0,)],
        timeout=LONGEST,
        otherwise=lambda: f"{watcher.rows(sql)}, {watcher.rows(LEFT)}\n{watcher.output.read_text()[-4000:]}",
    )


def _bytes(value: object) -> int:
    """Return how long something is as JSON, as Claude Code writes it."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def _fixed(request: Request) -> int:
    """Return the bytes of a request that are not about what it asks about."""
    return _bytes(request) - _bytes(_about(request))


def _about(request: Request) -> str:
    """Return what a request asks about: the longest text of the user's."""
    texts = []
    for message in request["messages"]:
        content = message["content"]
        texts += [content] if isinstance(content, str) else [block.get("text", "") for block in content]
    return str(max(texts, key=len))
