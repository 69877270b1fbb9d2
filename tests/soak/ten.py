"""Owns ten sessions at once: ten `claude -p`, this checkout as their plugin, one scripted API, one watcher.

How long each waited is read off the rows: from the Stop flag to the agent's summary.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from tests.claude_cli import ALLOW_TOOLS, CLITimeoutError, cli_path, started_print, wait_until
from tests.messages_api import MessagesAPI, Reply, Request, ToolCall, last_user_text, text_of
from tests.soak import scripted
from tests.soak.ledger import Ledger
from tests.world import PLUGIN, World

SESSIONS = 10
MODEL_TIME = 1.0  # seconds that the agent's model thinks
LOADING = 4.0  # seconds for the process that asks it to be ready, a second of CPU, beside ten Claude Codes
LONGEST = 120.0  # seconds for all ten, from the first prompt to the last summary


@dataclass
class Model:
    """The scripted model of the ten users and of their agents, and what it has seen."""

    folder: Path
    asked: list[int] = field(default_factory=list)  # the session of each request of an agent
    most_at_once: int = 0
    _at_once: int = 0
    # Starting ten Claude Codes keeps few cores busy for long. So nobody's turn ends before everybody's tools are
    # used: then all ten end at once, and there is a queue.
    _all_at_work: threading.Barrier = field(default_factory=lambda: threading.Barrier(SESSIONS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_users(self, request: Request) -> Reply:
        """Answer a user: two tool uses, then the closing words."""
        number = _number(said_by_user(request))
        step = sum("tool_result" in str(message) for message in request["messages"])
        path = str(self.folder / f"file-{number}.txt")
        steps = [
            Reply("Writing.", [ToolCall("Write", {"file_path": path, "content": f"{number}\n"}, f"toolu_{number}_w")]),
            Reply(tool_uses=[ToolCall("Read", {"file_path": path}, f"toolu_{number}_r")]),
            Reply(f"Wrote and read file-{number}.txt."),
        ]
        if step == len(steps) - 1:
            self._all_at_work.wait(LONGEST)
        return steps[step]

    def of_agents(self, request: Request) -> Reply:
        """Answer an agent after a while."""
        text = last_user_text(request)
        with self._lock:
            self.asked.append(_number(text))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(MODEL_TIME)
        with self._lock:
            self._at_once -= 1
        return Reply(scripted.answer(text))


def prompt(number: int) -> str:
    """Return what user number `number` asks."""
    return f"Please handle task number {number:03d}: write its file and read it back."


def said_by_user(request: Request) -> str:
    """Return the user's own messages, and no memory: there other sessions' prompts may stand."""
    return text_of({"messages": [message for message in request["messages"] if message["role"] == "user"]})


def _number(text: str) -> int:
    found = re.search(r"handle task number (\d{3})", text)
    assert found is not None, text
    return int(found[1])


@dataclass
class Result:
    """What came of the ten."""

    model: Model
    ledger: Ledger
    world: World
    most_agents: int  # processes at once
    watchers: int
    waits: list[Wait]
    left: list[tuple[int, list[str]]]  # processes beside the watcher after all was done, and any after its end

    def told(self) -> str:
        """Return the figures."""
        waits = [f"{wait.seconds:.1f} s behind {wait.ahead} (≤ {wait.bound:.0f} s)" for wait in self.waits]
        return f"agents at once: {self.model.most_at_once}; from Stop to the agent's summary: {', '.join(waits)}"


@dataclass(frozen=True)
class Wait:
    """How long a session waited for its agent, by the rows."""

    number: int
    ahead: int  # sessions that were answered between the end of its turn and its own answer
    seconds: float  # from the end of its turn until its summary was stored

    @property
    def bound(self) -> float:
        """What loading and the model take, and 2 s for each in the queue: those before it, itself, one beside it."""
        return LOADING + MODEL_TIME + 2.0 * min(self.ahead + 2, SESSIONS)


def run(folder: Path) -> Result:
    """Run the ten, and wait until each has an agent's summary; end the watcher then."""
    model = Model(folder / "project")
    ledger = Ledger(tool_uses={f"toolu_{number}_{kind}" for number in range(SESSIONS) for kind in "wr"})
    with MessagesAPI(model.of_users, agent=model.of_agents) as api, World(folder, api) as world:
        # It runs already, as it does for whoever has more than one session: ten at once on few cores make its own
        # beginning slow, and that is no wait in a queue.
        world.environment["CLAUDE_MEM_AGENT_IDLE_LIMIT"] = "1"  # so that what is left is left for good
        world.claude_mem("watch", "--background")
        with _AgentProcesses(world) as agents, ExitStack() as stack:
            for user in [_started(stack, world, number) for number in range(SESSIONS)]:
                _, error = user.communicate(timeout=LONGEST)
                assert user.returncode == 0, error
            wait_until(
                lambda: world.rows(_DONE) == [(SESSIONS, SESSIONS)],
                timeout=LONGEST,
                otherwise=lambda: f"{world.rows(_DONE)} of {SESSIONS}\n{world.logs()}",
            )
            with suppress(CLITimeoutError):  # told below
                wait_until(lambda: len(world.processes()) == 1, timeout=5.0)
        left = [one for one in world.processes() if "watch" not in one[1]]
        ledger.turns.update(session_id for (session_id,) in world.rows("SELECT session_id FROM sdk_sessions"))
        ledger.prompts.update(uuid for (uuid,) in world.rows("SELECT uuid FROM user_prompts"))
        watchers = len(world.watchers())
        world.claude_mem("watch", "--stop")
        left += world.processes()
        return Result(model, ledger, world, agents.most, watchers, _waits(world), left)


def _started(stack: ExitStack, world: World, number: int) -> subprocess.Popen[str]:
    args = (*PLUGIN, *ALLOW_TOOLS)
    return stack.enter_context(
        started_print(prompt(number), environment=world.environment, cwd=world.project, args=args)
    )


def _waits(world: World) -> list[Wait]:
    """Work out from the rows how long each session waited, and how many were before it."""
    rows = world.rows(_TIMES)
    waits = []
    for text, over, summarised in rows:
        ahead = sum(1 for _, _, done in rows if over < done < summarised)
        waits.append(Wait(_number(text), ahead, (summarised - over) / 1000))
    return sorted(waits, key=lambda wait: wait.number)


_DONE = """
SELECT
    (SELECT count(*) FROM session_summaries WHERE source = 'agent'),
    (SELECT count(*) FROM sdk_sessions WHERE status = 'completed')
"""
_TIMES = """
SELECT prompt_text, min(raised_at_epoch), updated_at_epoch
FROM session_summaries JOIN flags USING (session_id) JOIN user_prompts USING (session_id)
WHERE kind = 'finalize' AND source = 'agent' GROUP BY session_id
"""


class _AgentProcesses:
    """Counts the agents' processes in a thread of its own, while its block is open."""

    def __init__(self, world: World) -> None:
        self.most = 0
        self._world = world
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _count(self) -> None:
        while not self._over.wait(0.2):  # seconds; each look costs some hundredths of one
            # Each has a guard in front of it, which is given the same arguments.
            seen = [
                pid
                for pid, command in self._world.processes()
                if "--no-session-persistence" in command and Path(command[0]).name == cli_path().name
            ]
            # A look takes a while, in which one may end and the next begin: those count that are there at its end.
            self.most = max(self.most, sum(map(_runs, seen)))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
