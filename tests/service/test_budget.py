"""What asking may cost: each request is a row, a day and a session have their bounds, and nothing is lost by them."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.claude_cli import wait_until
from tests.conftest import FIXTURES
from tests.service.recorder import PROJECT, Recorder, ScriptedAgent
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher.agent.base import AgentError, Batch, Usage
from watcher.memory import conditions, lookup, usage
from watcher.memory.database import Database, driver
from watcher.memory.models import FlagKind
from watcher.service import recording
from watcher.service.budget import CATCHING_UP, SPENT
from watcher.service.diagnosis.conditions import gravity, told
from watcher.service.diagnosis.finding import State
from watcher.service.digest import Digest, Outcome
from watcher.service.events import EventKind
from watcher.service.replay import Replay
from watcher.settings import Settings

DAY = 86_400_000
ROWS = "SELECT session_id, outcome, turns, tool_uses, input_tokens, output_tokens, cost_usd FROM agent_requests"


@pytest.fixture
def agent() -> ScriptedAgent:
    return ScriptedAgent()


def recorder_with(settings: Settings, database: Database, agent: ScriptedAgent | None, **bounds: float) -> Recorder:
    unbounded: dict[str, Any] = {"daily_requests": 0, "daily_dollars": 0.0, "session_tokens": 0}
    return Recorder(replace(settings, agent=replace(settings.agent, **(unbounded | bounds))), database, agent)


@pytest.fixture
def recorder(settings: Settings, database: Database, agent: ScriptedAgent) -> Recorder:
    return recorder_with(settings, database, agent)


def session_id(number: int) -> str:
    return f"{number:08}-0000-4000-8000-000000000000"


def end_session(recorder: Recorder, number: int, *, tools: int = 1) -> str:
    """Let a session of one turn be over; those with a higher number are the newer ones."""
    name = session_id(number)
    path = recorder.transcript.with_name(f"{name}.jsonl")
    turn = lines.turn(number * 1000, number, tools=tools).replace(b"tool-", b"%d-tool-" % number)
    recorder.write(turn.replace(SESSION.encode(), name.encode()).replace(b"prompt-", b"%d-prompt-" % number), path=path)
    event = json.dumps({"session_id": name, "transcript_path": str(path)})
    with recorder.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO flags (session_id, kind, event, raised_at_epoch) VALUES (?, ?, ?, ?)",
            (name, FlagKind.CLEANUP.value, event, recorder.now + number),
        )
    recorder.life.handle_flags()
    return name


def ask_all(recorder: Recorder) -> list[str]:
    """Ask about all that is due, one after the other; return which sessions, in order."""
    asked = []
    while due := recorder.digest.due()[:1]:
        assert recorder.digest.ask_agent(due[0]) is Outcome.DONE
        asked += due
    return asked


def budget(recorder: Recorder) -> lookup.CurrentCondition | None:
    with recorder.database.read() as connection:
        found = lookup.conditions(driver(connection))
    return next((one for one in found if one.name == conditions.BUDGET), None)


def said(recorder: Recorder) -> list[tuple[EventKind, str]]:
    return [(event.kind, event.text) for event in recorder.events if event.text.startswith("budget: ")]


def restart(recorder: Recorder, agent: ScriptedAgent) -> None:
    """Let the next watcher begin, in another process."""
    with recorder.database.write() as connection:
        conditions.clear_observed(connection)
    recorder.digest = Digest(
        recorder.database, agent, recorder.settings, listener=recorder.events.append, clock=lambda: recorder.now
    )


# The rows


def test_every_request_is_a_row(recorder: Recorder, agent: ScriptedAgent) -> None:
    recorder.write(lines.turn(0, 1, tools=2), lines.turn(1000, 2))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert recorder.rows(ROWS) == [(SESSION, "answered", 2, 3, 100, 10, 0.001)]
    assert recorder.rows("SELECT project, agent, model, created_at, created_at_epoch FROM agent_requests") == [
        (PROJECT, "scripted", "haiku", "2026-05-28T20:26:50.000Z", recorder.now)
    ]
    assert recorder.rows("SELECT agent_requests, input_tokens, output_tokens, cost_usd FROM sdk_sessions") == [
        (1, 100, 10, 0.001)
    ]


@pytest.mark.parametrize(
    ("kind", "cost", "row"),
    [
        ("unreadable", Usage(100, 10, 0.5), ("unreadable", 1, 1, 100, 10, 0.5)),
        ("refused", Usage(100, 0, 0.25), ("refused", 1, 1, 100, 0, 0.25)),
        ("timeout", Usage(), ("timeout", 1, 1, 0, 0, 0.0)),  # nobody knows what was paid
        ("crashed", Usage(), ("crashed", 1, 1, 0, 0, 0.0)),
        ("stopped", Usage(), ("asked", 1, 1, 0, 0, 0.0)),
        ("overloaded", Usage(), None),
        ("login", Usage(), None),
        ("missing", Usage(), None),
        ("unreachable", Usage(), None),
    ],
)
def test_a_failure_is_a_row_where_it_may_have_cost(
    recorder: Recorder, agent: ScriptedAgent, kind: str, cost: Usage, row: tuple[object, ...] | None
) -> None:
    name = end_session(recorder, 1)
    agent.faults = [AgentError("no", kind=kind, usage=cost)]
    recorder.digest.ask_agent(name)
    assert recorder.rows(ROWS) == ([(name, *row)] if row else [])
    counted = [] if row is None or row[0] == "asked" else [(1, cost.input_tokens, cost.cost_usd)]
    found = "SELECT agent_requests, input_tokens, cost_usd FROM sdk_sessions WHERE agent_requests > 0"
    assert recorder.rows(found) == counted


def test_a_row_is_completed_with_what_came_of_it_or_not_at_all(recorder: Recorder, agent: ScriptedAgent) -> None:
    name = end_session(recorder, 1)
    with recorder.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE INSERT ON observations BEGIN SELECT RAISE(ABORT, 'no more'); END"
        )
    with pytest.raises(Exception, match="no more"):
        recorder.digest.ask_agent(name)
    assert recorder.rows(ROWS) == [(name, "asked", 1, 1, 0, 0, 0.0)]
    assert recorder.rows("SELECT status FROM tool_uses") == [("pending",)]
    with recorder.database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER no")
    assert recorder.digest.ask_agent(name) is Outcome.DONE
    assert [row[1] for row in recorder.rows(ROWS)] == ["asked", "answered"]


def test_an_agent_that_costs_nothing_leaves_no_rows_and_has_no_budget(settings: Settings, database: Database) -> None:
    paid = recorder_with(settings, database, ScriptedAgent())  # before the agent was changed
    end_session(paid, 1)
    ask_all(paid)
    recorder = recorder_with(settings, database, None, daily_requests=1, session_tokens=1)
    for number in (2, 3):
        end_session(recorder, number)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE tool_uses SET status = 'pending'")
    recorder.now += 60_000  # so that what is pending of a turn summarised already is due too
    assert len(ask_all(recorder)) == 3
    assert len(recorder.rows(ROWS)) == 1
    assert budget(recorder) is None
    assert said(recorder) == []


def test_a_locked_database_has_nothing_asked_that_could_not_be_stored(
    settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    impatient = Database(settings.database, busy_timeout=0.05)
    recorder = recorder_with(settings, impatient, agent)
    name = end_session(recorder, 1)
    with database.write():
        assert recorder.digest.ask_agent(name) is Outcome.NOTHING_TO_DO
        assert agent.asked == []
    assert recorder.digest.ask_agent(name) is Outcome.DONE
    impatient.close()


# The day's budget


@pytest.mark.parametrize("bounds", [{"daily_requests": 2}, {"daily_dollars": 0.002}], ids=str)
def test_with_the_days_budget_spent_work_waits_for_the_next_day(
    settings: Settings, database: Database, agent: ScriptedAgent, bounds: dict[str, float]
) -> None:
    recorder = recorder_with(settings, database, agent, **bounds)
    names = [end_session(recorder, number) for number in range(1, 6)]
    midnight = usage.day(recorder.now)[1]

    # Ordinarily those that waited longest go first.
    assert ask_all(recorder) == names[:2]
    assert len(agent.asked) == 2
    assert recorder.digest.ask_agent(names[2]) is Outcome.PUT_OFF
    noted = budget(recorder)
    assert noted is not None
    assert (noted.state, noted.until, noted.since) == (SPENT, midnight, recorder.now)
    assert "the day's" in noted.text
    assert [kind for kind, _ in said(recorder)] == [EventKind.TROUBLE]

    # What waits is kept, and known as far as it can be told without the model.
    assert recorder.rows("SELECT status, attempts, count(*) FROM tool_uses GROUP BY 1, 2 ORDER BY 1") == [
        ("observed", 0, 2),
        ("pending", 0, 3),
    ]
    assert recorder.rows("SELECT source, count(*) FROM session_summaries GROUP BY 1 ORDER BY 1") == [
        ("agent", 2),
        ("provisional", 3),
    ]
    assert "Do number 5" in recorder.context()
    assert recorder.digest.next_due_at() == midnight

    # Said once, by whichever process.
    for _ in range(3):
        assert recorder.digest.due() == []
        restart(recorder, agent)
    recorder.now = midnight - 1
    assert recorder.digest.due() == []
    assert budget(recorder) == noted
    assert len(said(recorder)) == 1
    assert len(agent.asked) == 2

    # The next day it is caught up with, the newest first, as far as that day's budget goes; by a new watcher too.
    recorder.now = midnight
    assert recorder.digest.due() == names[:1:-1]
    restart(recorder, agent)
    assert recorder.digest.due() == names[:1:-1]
    caught_up = budget(recorder)
    assert caught_up is not None
    assert (caught_up.state, caught_up.until) == (CATCHING_UP, None)
    assert ask_all(recorder) == [names[4], names[3]]
    assert [kind for kind, _ in said(recorder)] == [EventKind.TROUBLE, EventKind.MENDED, EventKind.TROUBLE]
    recorder.now = usage.day(midnight)[1]
    assert ask_all(recorder) == [names[2]]
    assert budget(recorder) is None
    assert len(agent.asked) == 5
    assert recorder.rows("SELECT DISTINCT status FROM tool_uses") == [("observed",)]


def test_a_budget_that_nothing_asks_for_is_nothing_to_tell(
    settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    recorder = recorder_with(settings, database, agent, daily_requests=1)
    end_session(recorder, 1)
    assert len(ask_all(recorder)) == 1
    assert budget(recorder) is None
    assert recorder.digest.next_due_at() is None


def test_a_budget_that_is_raised_is_caught_up_with_at_once(
    settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    recorder = recorder_with(settings, database, agent, daily_requests=1)
    for number in (1, 2, 3):
        end_session(recorder, number)
    ask_all(recorder)
    recorder.settings = replace(settings, agent=replace(recorder.settings.agent, daily_requests=9))
    restart(recorder, agent)
    assert ask_all(recorder) == [session_id(3), session_id(2)]
    assert budget(recorder) is None


def test_what_is_under_way_counts(settings: Settings, database: Database, agent: ScriptedAgent) -> None:
    """Two agents at once, and a budget for one."""
    recorder = recorder_with(settings, database, agent, daily_requests=1)
    for number in (1, 2):
        end_session(recorder, number)
    answer, answered = threading.Event(), threading.Event()

    def think(_batch: Batch) -> None:
        assert answer.wait(30)

    agent.meanwhile = think
    asking = recorder.asking(retry_pause=0.0, wake=answered.set, pace=lambda: 0.0)
    asking.go_on()
    wait_until(lambda: agent.asked)
    wait_until(answered.is_set)  # the other one was put off
    for _ in range(3):
        asking.go_on()
    answer.set()
    wait_until(lambda: recorder.rows("SELECT outcome FROM agent_requests") == [("answered",)])
    asking.go_on()
    asking.close()
    assert len(agent.asked) == 1
    assert recorder.rows("SELECT outcome FROM agent_requests") == [("answered",)]


def test_a_request_that_died_with_its_watcher_counts(
    settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    recorder = recorder_with(settings, database, agent, daily_requests=1)
    name = end_session(recorder, 1)

    class Killed(BaseException):
        pass

    def die(_batch: Batch) -> None:
        raise Killed

    agent.meanwhile = die
    with pytest.raises(Killed):
        recorder.digest.ask_agent(name)
    restart(recorder, agent)
    assert recorder.digest.due() == []
    assert len(agent.asked) == 1


# A session's tokens


def test_a_session_that_has_had_its_tokens_is_digested_without_the_model(
    settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    recorder = recorder_with(settings, database, agent, session_tokens=110)
    other = end_session(recorder, 9)
    for number in (1, 2, 3, 4):
        recorder.write(lines.turn(number * 1000, number).replace(lines.COMMAND.encode(), b"make %d" % number))
        recorder.life.follow(recorder.transcript)
        recorder.life.finalize(SESSION)
        assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
        restart(recorder, agent)
    assert len(agent.asked) == 1
    its = f"WHERE session_id = '{SESSION}' ORDER BY prompt_number"
    assert recorder.rows(f"SELECT prompt_number, source, agent FROM session_summaries {its}") == [
        (1, "agent", "scripted"),
        (2, "agent", "extractive"),
        (3, "agent", "extractive"),
        (4, "agent", "extractive"),
    ]
    assert recorder.rows(f"SELECT prompt_number, agent FROM observations {its}") == [
        (1, "scripted"),
        (2, "extractive"),
        (3, "extractive"),
        (4, "extractive"),
    ]
    assert recorder.rows(f"SELECT DISTINCT status FROM tool_uses WHERE session_id = '{SESSION}'") == [("observed",)]
    assert [row[:2] for row in recorder.rows(ROWS)] == [(SESSION, "answered")]
    (event,) = [event for event in recorder.events if event.text.startswith("budget: ")]
    assert (event.kind, event.session_id) == (EventKind.TROUBLE, SESSION)
    assert "110 tokens" in event.text
    # Others have theirs.
    assert recorder.digest.ask_agent(other) is Outcome.DONE
    assert len(agent.asked) == 2


def test_tokens_of_both_ways_count_and_no_others(settings: Settings, database: Database, agent: ScriptedAgent) -> None:
    recorder = recorder_with(settings, database, agent, session_tokens=111)
    other = end_session(recorder, 9)
    assert recorder.digest.ask_agent(other) is Outcome.DONE
    for number in (1, 2):
        recorder.write(lines.turn(number * 1000, number))
        recorder.life.follow(recorder.transcript)
        recorder.life.finalize(SESSION)
        assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert len(agent.asked) == 3


def test_what_the_extractive_agent_did_says_nothing_of_the_models_health(
    settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    recorder = recorder_with(settings, database, agent, session_tokens=110)
    for number in (1, 2):
        with recorder.database.write() as connection:
            conditions.put(connection, conditions.AGENT, "overloaded", "down", now=recorder.now)
        recorder.write(lines.turn(number * 1000, number))
        recorder.life.follow(recorder.transcript)
        recorder.life.finalize(SESSION)
        assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
        assert recorder.rows("SELECT name FROM conditions") == [[], [("agent",)]][number - 1]
    assert len(agent.asked) == 1


def test_a_replay_says_that_not_all_was_asked(settings: Settings, database: Database, agent: ScriptedAgent) -> None:
    bounded = replace(settings, agent=replace(settings.agent, daily_requests=1))
    player = Replay(bounded, database, agent)
    assert player.at_once(recording.find([FIXTURES / "ordinary"]))  # one session is one request
    database.close()
    assert not player.at_once(recording.find([FIXTURES / "forked"]))
    assert len(agent.asked) == 1


# Telling of it


def test_a_spent_budget_is_a_note_and_nothing_wrong() -> None:
    condition = lookup.CurrentCondition(conditions.BUDGET, SPENT, "the day's 500 requests are made", "", 0, 3_600_000)
    assert gravity(condition) is State.OK
    assert told(condition, 0) == "spent since 0 s: the day's 500 requests are made; next try in 1 h"
