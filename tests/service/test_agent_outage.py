"""An outage of the model, with the real CLI: work is kept, few requests are made, and recovery is no storm."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.agent.conftest import living
from tests.claude_cli import clean_environment, wait_until
from tests.messages_api import MessagesAPI, Reply, Request, text_of
from tests.service.recorder import Recorder, ScriptedAgent
from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines
from watcher.agent.base import AgentError
from watcher.memory.database import Database
from watcher.settings import Settings

# An answer that the CLI does not try again by itself: one request a try.
DOWN = Reply(status=529, error_type="overloaded_error", headers={"retry-after": "3600"})


class Model:
    """A model that is down until it is told to be up; keeps who asked, and how many at once."""

    def __init__(self) -> None:
        self.is_up = False
        self.refused = 0
        self.answered: list[int] = []  # the numbers of the turns, in order
        self.at_once: list[int] = []  # how many requests were under way with each of them
        self.hold = threading.Event()  # the first answer waits for it
        self._pair = threading.Barrier(2)  # the second and the third have to be under way at once
        self._under_way = 0
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        """Answer a request about `lines.turn`."""
        with self._lock:
            self._under_way += 1
            if not self.is_up:
                self.refused += 1
                self._under_way -= 1
                return DOWN
            self.answered.append(number_of(request))
            self.at_once.append(self._under_way)
            place = len(self.answered)
        if place == 1:
            self.hold.wait(30)
        elif place in (2, 3):
            self._pair.wait(30)
        with self._lock:
            self._under_way -= 1
        return answer(number_of(request))


def number_of(request: Request) -> int:
    """Return which of `lines.turn` a request is about."""
    found = re.search(r"<prompt>Do number (\d+)</prompt>", text_of(request))
    assert found
    return int(found[1])


def answer(number: int) -> Reply:
    return Reply(
        f"<observation><title>Seen {number}</title><tool_uses>1</tool_uses></observation>"
        f"<summary><request>Asked {number}</request></summary>"
    )


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[WatcherProcess]:
    """A watcher; nothing of it is left afterwards."""
    with WatcherProcess(tmp_path) as process:
        yield process
        below = psutil.Process(process.pid).children(recursive=True) if process.is_alive() else []
    wait_until(lambda: not living(below), timeout=10, otherwise=lambda: f"left: {living(below)}")


def follow(watcher: WatcherProcess, api: MessagesAPI, **settings: str) -> None:
    """Start the watcher with the scripted API."""
    watcher.environment["CLAUDE_MEM_WATCH_SCAN_INTERVAL"] = "0.1"
    chosen = {f"CLAUDE_MEM_AGENT_{name.upper()}": value for name, value in settings.items()}
    watcher.environment |= clean_environment(watcher.home, api.url) | {"CLAUDE_MEM_AGENT": "claude"} | chosen
    watcher.start()


def write_turn(watcher: WatcherProcess, number: int) -> str:
    """Write a session of one turn; those with a higher number have waited less. Return its id."""
    session = f"{number:08}-0000-4000-8000-000000000000"
    at = int(time.time() * 1000) - lines.BEGIN - 20_000 + 1000 * number
    watcher.write(lines.turn(at, number), session=session)
    return session


@pytest.mark.cli
def test_an_outage_is_a_pause(watcher: WatcherProcess) -> None:
    model = Model()
    for number in (1, 2, 3, 4):
        write_turn(watcher, number)
    with MessagesAPI(agent=model.answer) as api:
        follow(watcher, api, retry_pause="0.1")
        wait_until(lambda: model.refused >= 4, otherwise=watcher.output.read_text)
        assert watcher.rows("SELECT status, attempts, count(*) FROM tool_uses GROUP BY 1, 2") == [("pending", 0, 4)]
        assert watcher.rows("SELECT name, state FROM conditions") == [("agent", "overloaded")]
        model.is_up = True
        wait_until(lambda: model.answered, otherwise=watcher.output.read_text)
        time.sleep(1.0)  # in which a storm would break
        assert model.answered == [1]
        model.hold.set()
        watcher.wait_for_rows("SELECT count(*) FROM tool_uses WHERE status = 'observed'", [(4,)])

    # Those that waited longest go first, and two at a time.
    assert model.answered[0] == 1
    assert set(model.answered[1:3]) == {2, 3}
    assert model.answered[3:] == [4]
    assert max(model.at_once) == 2

    assert watcher.rows("SELECT title FROM observations ORDER BY title") == [(f"Seen {n}",) for n in (1, 2, 3, 4)]
    assert watcher.rows("SELECT request, source, last_error FROM session_summaries ORDER BY request") == [
        (f"Asked {n}", "agent", None) for n in (1, 2, 3, 4)
    ]
    assert watcher.rows("SELECT name FROM conditions") == []


def test_pauses_grow_to_an_hour_and_not_beyond(settings: Settings, database: Database) -> None:
    agent = ScriptedAgent()
    agent.faults = [AgentError("down", kind="overloaded") for _ in range(10)]
    recorder = Recorder(settings, database, agent)
    recorder.write(lines.turn(0, 1))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(lines.SESSION)
    answered = threading.Semaphore(0)
    moment = 0.0
    asking = recorder.asking(retry_pause=30.0, wake=answered.release, pace=lambda: moment)
    for tries, pause in enumerate((30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600), start=1):
        asking.go_on()
        assert answered.acquire(timeout=10)
        asking.go_on()
        moment += pause - 1
        asking.go_on()
        assert len(agent.asked) == tries
        assert not asking
        moment += 1
    asking.go_on()
    assert answered.acquire(timeout=10)
    asking.close()
    assert recorder.rows("SELECT status, attempts FROM tool_uses") == [("observed", 0)]


@pytest.mark.cli
def test_what_is_never_answered_readably_is_given_up_and_shown(watcher: WatcherProcess) -> None:
    """And holds up nobody else."""
    asked: list[int] = []

    def model(request: Request) -> Reply:
        asked.append(number := number_of(request))
        return Reply("I would rather not.") if number == 1 else answer(number)

    given_up, fine = write_turn(watcher, 1), write_turn(watcher, 2)
    with MessagesAPI(agent=model) as api:
        follow(watcher, api, retry_pause="0.05", max_attempts="2")
        watcher.wait_for_rows(
            "SELECT session_id, status, attempts FROM tool_uses ORDER BY id",
            [(given_up, "failed", 2), (fine, "observed", 0)],
        )
        third = write_turn(watcher, 3)
        watcher.wait_for_rows(f"SELECT status FROM tool_uses WHERE session_id = '{third}'", [("observed",)])
    assert sorted(asked) == [1, 1, 2, 3]
    ((source, request, error),) = watcher.rows(
        f"SELECT source, request, last_error FROM session_summaries WHERE session_id = '{given_up}'"
    )
    assert (source, request) == ("provisional", "Do number 1")
    assert error.startswith("unreadable: ")
    assert "Do number 1" in watcher.run("context", "--project", "/home/dev/api").stdout
    assert "1 failed" in watcher.run("status").stdout


@pytest.mark.cli
def test_half_an_answer_costs_one_request_more_and_loses_nothing(watcher: WatcherProcess) -> None:
    halves = [
        Reply("<observation><title>Seen 1</title><tool_uses>1</tool_uses></observation><summ"),
        Reply("<summary><request>Asked 1</request></summary>"),
    ]
    write_turn(watcher, 1)
    with MessagesAPI(agent=halves) as api:
        follow(watcher, api)
        watcher.wait_for_rows("SELECT request, source FROM session_summaries", [("Asked 1", "agent")])
        first, second = api.requests
    assert "<tool_use " in text_of(first)
    assert "<tool_use " not in text_of(second)
    assert "<title>Seen 1</title>" in text_of(second)
    assert watcher.rows("SELECT title FROM observations") == [("Seen 1",)]
    assert watcher.rows("SELECT status, attempts FROM tool_uses") == [("observed", 0)]


@pytest.mark.cli
def test_killed_in_the_middle_of_a_turn(watcher: WatcherProcess) -> None:
    """No process is left behind, and the next watcher asks again."""
    asked = threading.Event()

    def model(request: Request) -> Reply:
        is_first = not asked.is_set()
        asked.set()
        return Reply(delay=60) if is_first else answer(number_of(request))

    write_turn(watcher, 1)
    with MessagesAPI(agent=model) as api:
        follow(watcher, api)
        assert asked.wait(30)
        below = psutil.Process(watcher.pid).children(recursive=True)
        assert any("claude" in process.name() for process in below)
        watcher.kill()
        wait_until(lambda: not living(below), timeout=10, otherwise=lambda: f"left: {living(below)}")
        watcher.start()
        watcher.wait_for_rows("SELECT title FROM observations", [("Seen 1",)])
        assert len(api.requests) == 2
    assert watcher.rows("SELECT status, attempts FROM tool_uses") == [("observed", 0)]
