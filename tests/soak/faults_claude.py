"""Owns what befalls the user's own Claude Code, with the real one: killed in the middle of a turn, and ten at once."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress

from tests.claude_cli import ALLOW_TOOLS, CLITimeoutError, started_print, transcripts, wait_until
from tests.messages_api import MessagesAPI, Reply, Request, ToolCall
from tests.soak import ten
from tests.soak.ledger import Ledger
from tests.soak.table import Place, Tally
from tests.world import PLUGIN, World

KILLS = 8  # a round


class _Model:
    """Has a tool used again and again."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()

    def answer(self, request: Request) -> Reply:
        self.is_asked.set()
        step = sum("tool_result" in str(message) for message in request["messages"])
        return Reply(f"Step {step}.", [ToolCall("Bash", {"command": f"echo step {step}"})])


def killed(place: Place) -> Tally:
    """Kill Claude Code with SIGKILL at work, at any time: no Stop, no SessionEnd, no last words."""
    models: dict[str, _Model] = {}

    def answer(request: Request) -> Reply:
        text = ten.said_by_user(request)
        return next(model for name, model in models.items() if name in text).answer(request)

    with MessagesAPI(answer) as api, World(place.folder, api) as world:
        world.environment |= {"CLAUDE_MEM_AGENT": "extractive", "CLAUDE_MEM_WATCH_SCAN_INTERVAL": "0.2"}
        for number in range(KILLS):
            name = f"Task {number:04d} of {place.random.randrange(1 << 30)}"
            model = models[name] = _Model()
            args = (*PLUGIN, *ALLOW_TOOLS)
            with started_print(name, environment=world.environment, cwd=world.project, args=args):
                assert model.is_asked.wait(60), world.logs()
                time.sleep(place.random.uniform(0.0, 1.2))
        ledger = _written(world)
        ledger.settle(world)
        with suppress(CLITimeoutError):  # told below
            wait_until(lambda: world.rows(_OPEN) == [(0,)])
        left = [one for one in world.processes() if "watch" not in one[1]]
        world.claude_mem("watch", "--stop")
        tally = Tally.of(KILLS, ledger, world, left + world.processes())
        if world.rows(_OPEN) != [(0,)]:
            tally.told.append(f"sessions that never end: {world.rows(_OPEN)}")
        return tally


_OPEN = "SELECT count(*) FROM sdk_sessions WHERE status = 'active'"


def _written(world: World) -> Ledger:
    """Return what stands in the transcripts, line by whole line."""
    ledger = Ledger(each_observed=False)
    for path in transcripts(world.home):
        for line in path.read_bytes().split(b"\n")[:-1]:
            entry = json.loads(line)
            if entry["type"] == "user" and entry.get("promptSource") == "sdk":
                ledger.prompts.add(entry["uuid"])
                ledger.turns[path.stem] += 1
            if entry["type"] == "assistant":
                content = entry["message"]["content"]
                ledger.tool_uses |= {block["id"] for block in content if block["type"] == "tool_use"}
    return ledger


def ten_at_once(place: Place) -> Tally:
    """Run ten real sessions at once."""
    result = ten.run(place.folder)
    tally = Tally.of(ten.SESSIONS, result.ledger, result.world, result.left)
    late = [wait for wait in result.waits if wait.seconds > wait.bound]
    tally.told += [f"waited too long: {wait}" for wait in late]
    if max(result.model.most_at_once, result.most_agents) > 2:
        tally.told.append(f"{result.told()}")
    return tally
