"""Owns what befalls the agent: killed in the middle of a turn, and every fault that a model and its API have."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from tests.claude_cli import clean_environment
from tests.messages_api import MessagesAPI, Reply, Request, text_of
from tests.soak import scripted, story
from tests.soak.kills import LONGEST_REST, home_with
from tests.soak.nursery import Home, Mortal
from tests.soak.scripted import scripted_cli
from tests.soak.story import Manner
from tests.soak.table import Place, Tally
from tests.soak.writer import Writer

IN_A_ROW = 3  # faults before an answer is let through: the watcher waits twice as long after each
USUAL = 0.5  # seconds in which the agent is asked, or answers, if it is to be at all
FAULTS = (
    "429 rate limit",
    "500 api error",
    "529 overloaded",
    "0 Request timed out",
    "0 refused",
    "cut",
    "half",
    "prose",
)


class _ScriptedModel:
    """A home whose agent is the scripted CLI, and a story that gives it work."""

    def __init__(self, place: Place, **settings: object) -> None:
        self._place = place
        self.cli = scripted_cli(place.folder / "claude")
        self.hold = place.folder / "hold"
        self.fault = place.folder / "fault"
        self._asked = place.folder / "asked"
        self._asked.touch()
        settings = {"agent_cli_path": self.cli, "agent_retry_pause": 0.01, **settings}
        self.home = home_with(place.folder / "home", **settings)
        self.story = story.tell(place.random.randrange(1 << 30), place.begin(), sessions=16, manner=Manner(by_hook=0))
        self._writer = Writer(self.home, self.story)
        for _ in range(len(self.story.steps) // 2):  # so that there is work from the beginning
            self._writer.step()
        self.watcher = place.nursery.start(self.home, thinks=None)
        self._seen = 0

    def write(self, steps: int) -> bool:
        """Take some steps; say whether there are more, or the agent has work."""
        for _ in range(steps):
            self._writer.step()
        return bool(self._writer.left or self.home.rows(_PROVISIONAL))

    def asked(self, longest: float = USUAL) -> int | None:
        """Wait for the next request; return the process that was asked, None where none is asked for long."""
        deadline = time.monotonic() + longest
        while time.monotonic() < deadline:
            pids = self._asked.read_text().split()
            if len(pids) > self._seen:
                self._seen += 1
                return int(pids[self._seen - 1])
            self._writer.step()
            time.sleep(0.005)
        return None

    def tally(self, injected: int) -> Tally:
        """Let all be finished, and settle the account."""
        self.hold.unlink(missing_ok=True)
        self.fault.unlink(missing_ok=True)
        while self.write(10):
            assert self.watcher.is_alive(), self.home.log()
            time.sleep(0.01)
        self.story.ledger.settle(self.home, 2 * LONGEST_REST)
        code = self.watcher.end()
        tally = Tally.of(injected, self.story.ledger, self.home, gone(self.home))
        if code:
            tally.told.append(f"the watcher ended with {code}:\n{self.home.log()[-2000:]}")
        return tally


def gone(home: Home, longest: float = 5.0) -> list[int]:
    """Wait until no process of a home is left; end and return those that are."""
    deadline = time.monotonic() + longest
    while (left := home.processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def killed(place: Place) -> Tally:
    """Kill the agent's process while it thinks: `kill -9` of the agent, or now and then of its watcher too."""
    model = _ScriptedModel(place)
    injected = 0
    while model.write(8):
        model.hold.touch()
        for _ in range(IN_A_ROW):
            pid = model.asked()
            if pid is None:
                break
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                injected += 1
        if injected and place.random.random() < 0.2:
            model.watcher.kill()
            injected += 1
            assert gone(model.home) == []
            model.watcher = place.nursery.start(model.home, thinks=None)
        model.hold.unlink()
        _await_answer(model)
    return model.tally(injected)


def faults(place: Place) -> Tally:
    """Have the agent's CLI end in every fault of the model, then answer; and now and then in none at all."""
    model = _ScriptedModel(place, agent_timeout=0.8)
    injected = 0
    while model.write(8):
        for _ in range(IN_A_ROW):
            if place.random.random() < 0.05:
                model.hold.touch()
                injected += model.asked() is not None
                _await_log(model, "no answer within")
                model.hold.unlink()
                continue
            model.fault.write_text(place.random.choice(FAULTS))
            deadline = time.monotonic() + USUAL
            while model.fault.exists() and time.monotonic() < deadline:
                model.write(1)
                time.sleep(0.005)
            if model.fault.exists():
                break
            injected += 1
        model.fault.unlink(missing_ok=True)
        _await_answer(model)
    return model.tally(injected)


def _await_answer(model: _ScriptedModel) -> None:
    """Wait until the agent has answered something again, if it is asked at all."""
    before = model.home.rows(_ANSWERS)
    deadline = time.monotonic() + USUAL
    while model.home.rows(_ANSWERS) == before and time.monotonic() < deadline:
        time.sleep(0.01)


def _await_log(model: _ScriptedModel, text: str) -> None:
    before = model.home.log().count(text)
    deadline = time.monotonic() + 3.0
    while model.home.log().count(text) == before and time.monotonic() < deadline:
        time.sleep(0.02)


_PROVISIONAL = "SELECT 1 FROM session_summaries WHERE source = 'provisional' LIMIT 1"
_ANSWERS = "SELECT count(*) FROM session_summaries WHERE source = 'agent'"


class _FaultyAPI(MessagesAPI):
    """Answers the memory agent as the scripted CLI does, but for the faults that are put in front."""

    def __init__(self, place: Place) -> None:
        super().__init__(agent=self._reply)
        self._random = place.random
        self.injected = 0
        self.is_well = False

    def _reply(self, request: Request) -> Reply:
        if self.is_well or self._random.random() < 0.3:
            return Reply(str(scripted.answer(text_of({"messages": request["messages"]}))))
        self.injected += 1
        return self._random.choice(_API_FAULTS)


_API_FAULTS = (
    *[Reply(status=429, error_type="rate_limit_error")] * 3,
    *[Reply(status=500)] * 3,
    *[Reply(status=529, error_type="overloaded_error")] * 3,
    *[Reply("Cut off.", cut_after=200)] * 3,
    Reply(delay=30.0),  # the slowest to tell, so the rarest
)


def api_faults(place: Place) -> Tally:
    """Have the API answer the real agent with faults, through the SDK and the CLI that it ships."""
    with _FaultyAPI(place) as api:
        home = home_with(place.folder / "home", agent_timeout=3.0)
        home.environment = {**clean_environment(home.folder, api.url), **home.environment}
        told = story.tell(place.random.randrange(1 << 30), place.begin(), sessions=16, manner=Manner(by_hook=0))
        writer = Writer(home, told)
        watcher: Mortal = place.nursery.start(home, thinks=None)
        while writer.left:
            writer.step()
            time.sleep(0.01)
            assert watcher.is_alive(), home.log()
        _await_faults(api, 30)
        api.is_well = True
        told.ledger.settle(home, 2 * LONGEST_REST)
        code = watcher.end()
        tally = Tally.of(api.injected, told.ledger, home, gone(home))
    if code:
        tally.told.append(f"the watcher ended with {code}:\n{home.log()[-2000:]}")
    return tally


def _await_faults(api: _FaultyAPI, number: int) -> None:
    deadline = time.monotonic() + 2 * LONGEST_REST
    while api.injected < number and time.monotonic() < deadline:
        time.sleep(0.1)
