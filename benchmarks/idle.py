"""What a watcher costs while nothing happens: a thousand known transcripts, twenty sessions open and silent."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from benchmarks import homes, transcripts
from benchmarks.measure import Figure, memory, progress, temporary_folder
from benchmarks.transcripts import Session
from tests.claude_cli import API_KEY, wait_until
from tests.messages_api import Kind, MessagesAPI, Reply, text_of
from tests.service.watcher_process import WatcherProcess
from tests.soak import scripted
from watcher.agent import worker

KNOWN = 1000  # transcripts, those of the active sessions among them
ACTIVE = 20  # sessions
SIZES = (1, 1)  # bytes: one turn each
WINDOWS = 3
WINDOW = 25.0  # seconds
AGENT_IDLES = 180.0  # seconds after which an agent must be gone, whatever its limit is
DONE = """
SELECT (SELECT count(*) FROM tool_uses WHERE status IN ('open', 'pending'))
    + (SELECT count(*) FROM session_summaries WHERE source = 'provisional')
    + (SELECT count(*) FROM sdk_sessions WHERE session_id NOT IN (SELECT session_id FROM session_summaries))
"""


def figures() -> Iterator[Figure]:
    """Measure CPU time and memory of all processes of the home, the agent having been used and done."""
    with ExitStack() as stack:
        home = stack.enter_context(temporary_folder())
        api = stack.enter_context(MessagesAPI(agent=lambda request: Reply(scripted.answer(text_of(request)))))
        watcher = stack.enter_context(WatcherProcess(home))
        homes.begin_a_year_ago(watcher)
        homes.write_year(watcher.projects, KNOWN - ACTIVE, SIZES)
        progress("idle: the transcripts of a year are taken in")
        homes.until_idle(watcher.environment | homes.HURRY)
        assert watcher.rows(homes.LEFT) == [(0,)]
        watcher.environment |= {
            "CLAUDE_MEM_AGENT": "claude",
            "CLAUDE_MEM_AGENT_QUIET": "0",
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_API_KEY": API_KEY,
        }
        watcher.start()
        progress("idle: the agent is asked about the open sessions")
        _open_sessions(watcher)
        wait_until(lambda: watcher.rows("SELECT count(*) FROM sdk_sessions") == [(KNOWN,)], timeout=60)
        wait_until(lambda: watcher.rows(DONE) == [(0,)], timeout=180, otherwise=watcher.output.read_text)
        assert api.requests_of(Kind.AGENT)
        done_at = time.monotonic()
        with suppress(AssertionError):  # told below
            wait_until(lambda: not _agents(home), timeout=AGENT_IDLES)
        gone_after = time.monotonic() - done_at
        progress(f"idle: no agent {gone_after:.1f} s after its last answer; measuring")
        shares, held = [], []
        for _ in range(WINDOWS):
            before, begun = _cpu(home), time.monotonic()
            time.sleep(WINDOW)
            shares.append(100 * (_cpu(home) - before) / (time.monotonic() - begun))
            held.append(sum(memory(process.pid)[1] for process in _processes(home)))
        assert watcher.rows("SELECT count(*) FROM sdk_sessions WHERE status = 'active'") == [(ACTIVE,)]
        left = len(_agents(home))
    what = f"Watcher with {KNOWN:,} known transcripts and {ACTIVE} silent open sessions, after an agent was used"
    yield Figure(f"{what}: of a core", f"nothing, {WINDOWS * WINDOW:.0f} s", tuple(shares), 0.3, "%")
    yield Figure(f"{what}: memory (PSS)", "", tuple(held), 70, "MB")
    told = f"gone {gone_after:.1f} s after the last answer"
    yield Figure(f"{what}: the agent's processes", told, (float(left),), 0, "processes")


def _open_sessions(watcher: WatcherProcess) -> None:
    """Let some sessions have had a turn a moment ago, whose processes live."""
    claims = watcher.home / ".claude" / "sessions"
    claims.mkdir(parents=True)
    started = round(psutil.Process().create_time() * 1000)
    for number in range(KNOWN - ACTIVE, KNOWN):
        begun = round(time.time() * 1000) - 10_000
        session = Session(transcripts.session_id(number), homes.project(number), seed=1, begun=begun, step=10)
        path = homes.transcript(watcher.projects, session)
        transcripts.write(path, session, 1, tool_uses=2)
        said = {"pid": os.getpid(), "sessionId": session.session_id, "startedAt": started, "updatedAt": begun}
        (claims / f"{number}.json").write_text(json.dumps(said))


def _processes(home: Path) -> list[psutil.Process]:
    """Return every process that was started in a home."""
    found = []
    for process in psutil.process_iter(["status"]):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.info["status"] != psutil.STATUS_ZOMBIE and process.environ().get("HOME") == str(home):
                found.append(process)
    return found


def _agents(home: Path) -> list[psutil.Process]:
    """Return those of them that are an agent's: the one that asks, Claude Code, and what guards it."""
    found = []
    for process in _processes(home):
        with suppress(psutil.NoSuchProcess):
            if {"stream-json", worker.__name__} & set(process.cmdline()):
                found.append(process)
    return found


def _cpu(home: Path) -> float:
    """Return the CPU time of all processes of a home and of what they waited for, in seconds."""
    used = 0.0
    for process in _processes(home):
        with suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:4])  # the children's too
    return used
