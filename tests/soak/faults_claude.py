"""Owns what befalls the user's own Claude Code, with the real one: killed in the middle of a turn, and ten at once."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from tests.claude_cli import ALLOW_TOOLS, CLITimeoutError, started_print, wait_until
from tests.messages_api import MessagesAPI, Reply, Request, ToolCall
from tests.soak import ten
from tests.soak.ledger import Ledger
from tests.soak.table import Place, Tally
from tests.world import PLUGIN, World

KILLS = 8  # a round


class _Model:
    """Has a tool used some times, and then says nothing any more."""

    def __init__(self, tools: int) -> None:
        self.tools = [ToolCall("Bash", {"command": f"echo step {step}"}) for step in range(tools)]
        self.is_silent = threading.Event()

    def answer(self, request: Request) -> Reply:
        step = sum("tool_result" in str(message) for message in request["messages"])
        if step < len(self.tools):
            return Reply(f"Step {step}.", [self.tools[step]])
        self.is_silent.set()
        return Reply(delay=60)


def killed(place: Place) -> Tally:
    """Kill Claude Code with SIGKILL while its model thinks: no Stop, no SessionEnd, no last words."""
    ledger = Ledger(each_observed=False)
    models: dict[str, _Model] = {}

    def answer(request: Request) -> Reply:
        text = ten.said_by_user(request)
        return next(model for name, model in models.items() if name in text).answer(request)

    with MessagesAPI(answer) as api, World(place.folder, api) as world:
        world.environment |= {"CLAUDE_MEM_AGENT": "extractive", "CLAUDE_MEM_WATCH_SCAN_INTERVAL": "0.2"}
        for number in range(KILLS):
            name = f"Task {number:04d} of {place.random.randrange(1 << 30)}"
            model = models[name] = _Model(place.random.randrange(1, 4))
            args = (*PLUGIN, *ALLOW_TOOLS)
            with started_print(name, environment=world.environment, cwd=world.project, args=args):
                assert model.is_silent.wait(60)
                time.sleep(place.random.uniform(0.1, 0.4))  # as long as it takes to write down what was done
            ledger.tool_uses |= {call.id for call in model.tools}
        with suppress(CLITimeoutError):  # told below
            wait_until(lambda: world.rows(_OVER) == [("completed", KILLS)])
        ledger.turns.update(session_id for (session_id,) in world.rows("SELECT session_id FROM sdk_sessions"))
        ledger.settle(world)
        left = [one for one in world.processes() if "watch" not in one[1]]
        world.claude_mem("watch", "--stop")
        tally = Tally.of(KILLS, ledger, world, left + world.processes())
        if (over := world.rows(_OVER)) != [("completed", KILLS)]:
            tally.told.append(f"sessions end as {over}")
        return tally


_OVER = "SELECT status, count(*) FROM sdk_sessions GROUP BY status"


def ten_at_once(place: Place) -> Tally:
    """Run ten real sessions at once."""
    result = ten.run(place.folder)
    tally = Tally.of(ten.SESSIONS, result.ledger, result.world, result.left)
    late = [wait for wait in result.waits if wait.seconds > wait.bound]
    tally.told += [f"waited too long: {wait}" for wait in late]
    if max(result.model.most_at_once, result.most_agents) > 2:
        tally.told.append(f"{result.told()}")
    return tally
