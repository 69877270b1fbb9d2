"""How few requests a session makes: a moment's patience joins turns, and a few words alone make none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.claude_cli import wait_until
from tests.service.recorder import PROJECT, Recorder, ScriptedAgent
from tests.transcript import lines
from tests.transcript.lines import BEGIN, SESSION
from watcher.agent.base import AgentError, Batch, Observation, ObservationType, Reply
from watcher.memory import figures, outcomes, turns
from watcher.memory.database import Database, driver, iso
from watcher.memory.models import FlagKind
from watcher.service.batches import TURNS_AT_ONCE
from watcher.service.digest import Outcome
from watcher.service.watch import Watch
from watcher.settings import AgentSettings, Settings

QUIET = 20_000  # milliseconds, the default
WORTH_ASKING = AgentSettings().worth_asking
OTHER = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def agent() -> ScriptedAgent:
    return ScriptedAgent()


@pytest.fixture
def recorder(settings: Settings, database: Database, agent: ScriptedAgent) -> Recorder:
    patient = replace(settings, agent=replace(settings.agent, quiet=QUIET / 1000))
    made = Recorder(patient, database, agent)
    made.now = BEGIN
    return made


def play(recorder: Recorder, *written: bytes, at: int) -> None:
    """Write lines, and let the watcher do what it does until some time (`lines` counts), a step every few seconds."""
    recorder.write(*written)
    while True:
        recorder.life.follow(recorder.transcript)
        recorder.life.finalize(SESSION)
        for session_id in recorder.digest.due():
            recorder.digest.ask_agent(session_id)
        if recorder.now >= BEGIN + at:
            return
        recorder.now = min(recorder.now + 4000, BEGIN + at)


def sources(recorder: Recorder) -> list[tuple[int, str]]:
    return recorder.rows("SELECT prompt_number, source FROM session_summaries ORDER BY prompt_number")


def talk(at: int, question: str, answer: str) -> bytes:
    """Return a turn without a tool use."""
    return lines.prompt(at, question) + lines.words(at + 500, answer) + lines.turn_end(at + 900)


def other_session(recorder: Recorder, at: int, project: str = PROJECT, session: str = OTHER) -> None:
    """Do what the UserPromptSubmit hook of another session does."""
    with recorder.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO sdk_sessions (session_id, project, started_at, started_at_epoch) VALUES (?, ?, ?, ?)",
            (session, project, iso(BEGIN + at), BEGIN + at),
        )


def delivery(recorder: Recorder, at: int, session: str = OTHER) -> None:
    """Do what the SessionStart hook does when it prints a context."""
    with recorder.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO deliveries (session_id, source, project, delivered_at_epoch) VALUES (?, 'resume', ?, ?)",
            (session, PROJECT, BEGIN + at),
        )


# A moment's patience


def test_ten_short_turns_in_a_row_are_one_request(recorder: Recorder, agent: ScriptedAgent) -> None:
    for number in range(1, 11):
        at = number * 15_000
        play(recorder, at=at + 950)
        play(recorder, lines.turn(at, number, tools=1 + number % 2), at=at + 950)
        assert agent.asked == []
        assert f"Do number {number}" in recorder.context()  # the provisional one serves meanwhile
    last = BEGIN + 10 * 15_000 + 950
    assert recorder.digest.next_due_at() == last + QUIET
    play(recorder, at=10 * 15_000 + 950 + QUIET - 1)
    assert agent.asked == []
    play(recorder, at=10 * 15_000 + 950 + QUIET)
    (batch,) = agent.asked
    assert [turn.prompts for turn in batch.turns] == [(f"Do number {number}",) for number in range(1, 11)]
    assert [turn.closing_text for turn in batch.turns] == [f"Did number {number}." for number in range(1, 11)]
    assert [len(turn.tool_uses) for turn in batch.turns] == [2, 1] * 5
    assert sources(recorder) == [(number, "agent") for number in range(1, 11)]
    # Each observation stands under the prompt of its own turn.
    titles = recorder.rows("SELECT prompt_number, title FROM observations ORDER BY id")
    assert titles == [(n, f"Saw tool-{n}-{index}") for n in range(1, 11) for index in range(1 + n % 2)]
    assert recorder.digest.next_due_at() is None


@pytest.mark.parametrize(("tools", "requests"), [(1, 1), (10, 1), (50, 1), (51, 2), (200, 4)])
def test_a_turn_makes_as_few_requests_as_it_fits_into(
    recorder: Recorder, agent: ScriptedAgent, tools: int, requests: int
) -> None:
    play(recorder, lines.prompt(0, "Go"), at=0)
    for number in range(tools):
        at = number * 3000
        play(recorder, lines.tool_use(at, f"t{number}"), lines.tool_result(at + 2000, f"t{number}"), at=at + 2900)
    end = tools * 3000
    play(recorder, lines.words(end, "Done."), lines.turn_end(end + 50), at=end + 60_000)
    assert len(agent.asked) == requests
    assert [use.tool_use_id for batch in agent.asked for use in batch.tool_uses] == [f"t{n}" for n in range(tools)]
    assert max(len(batch.tool_uses) for batch in agent.asked) <= 50
    assert sources(recorder) == [(1, "agent")]


def test_many_turns_are_cut_where_the_tool_uses_or_the_summaries_are_too_many(
    recorder: Recorder, agent: ScriptedAgent
) -> None:
    recorder.write(*(lines.turn(number * 1000, number, tools=20) for number in (1, 2, 3)))
    recorder.write(*(lines.turn(number * 1000, number, tools=1) for number in range(4, 24)))
    play(recorder, at=60_000)
    assert [len(batch.tool_uses) for batch in agent.asked] == [50, 10 + TURNS_AT_ONCE - 1, 20 - (TURNS_AT_ONCE - 1)]
    first, second, third = agent.asked
    assert [turn.number for turn in first.turns] == [1, 2, 3]
    assert first.wanted == (1, 2)  # half of the third is left for the next request, and with it the summary
    assert second.wanted == tuple(range(3, 3 + TURNS_AT_ONCE))
    assert third.wanted == tuple(range(3 + TURNS_AT_ONCE, 24))
    assert "Saw tool-3-0" in second.earlier_titles
    assert "Saw tool-1-0" not in second.earlier_titles
    assert sources(recorder) == [(number, "agent") for number in range(1, 24)]


def test_a_running_turn_is_not_asked_about_but_the_one_before_it_is_once_the_session_is_quiet(
    recorder: Recorder, agent: ScriptedAgent
) -> None:
    recorder.now = BEGIN + 6000
    play(recorder, lines.turn(0, 1), lines.prompt(5000, "Go on"), lines.tool_use(6000, "long"), at=6000 + QUIET - 1)
    assert agent.asked == []
    play(recorder, at=6000 + QUIET)
    (batch,) = agent.asked
    assert [turn.number for turn in batch.turns] == [1]
    assert recorder.digest.next_due_at() is None


def test_a_whole_batch_goes_while_a_turn_runs_and_takes_what_waits_with_it(
    recorder: Recorder, agent: ScriptedAgent
) -> None:
    play(recorder, lines.turn(0, 1, tools=30), lines.prompt(2000, "Go on"), at=2000)
    for number in range(20):
        play(recorder, lines.tool_use(3000, f"t{number}"), lines.tool_result(3000, f"t{number}"), at=3000)
    assert agent.asked == []
    play(recorder, lines.tool_use(3500, "t20"), lines.tool_result(3500, "t20"), at=3500)
    (batch,) = agent.asked
    assert [(turn.number, len(turn.tool_uses), turn.wants_summary) for turn in batch.turns] == [
        (1, 30, True),
        (2, 20, False),
    ]


def test_a_session_that_has_ended_is_not_waited_for(recorder: Recorder, agent: ScriptedAgent) -> None:
    play(recorder, lines.turn(0, 1), at=1000)
    recorder.flag(FlagKind.CLEANUP, 1100)
    recorder.life.handle_flags()
    assert recorder.digest.next_due_at() == 0
    play(recorder, at=1000)
    assert len(agent.asked) == 1


def test_a_session_that_begins_in_the_same_project_ends_the_wait(recorder: Recorder, agent: ScriptedAgent) -> None:
    other_session(recorder, 500, session="before it")
    delivery(recorder, 500, session="before it")
    play(recorder, lines.turn(0, 1), at=1000)
    other_session(recorder, 2000, project="/home/dev/elsewhere", session="elsewhere")
    delivery(recorder, 2000, session=SESSION)  # its own: it was resumed
    play(recorder, at=3000)
    assert agent.asked == []
    other_session(recorder, 3000)
    play(recorder, at=3000)
    assert len(agent.asked) == 1
    # What comes after that is waited for as before.
    play(recorder, lines.turn(4000, 2), at=6000)
    assert len(agent.asked) == 1


def test_a_session_that_is_resumed_in_the_same_project_ends_the_wait(recorder: Recorder, agent: ScriptedAgent) -> None:
    play(recorder, lines.turn(0, 1), at=1000)
    delivery(recorder, 1000)
    play(recorder, at=1000)
    assert len(agent.asked) == 1


# Nothing new to remember


def test_a_question_and_a_short_answer_make_no_request(recorder: Recorder, agent: ScriptedAgent) -> None:
    play(recorder, talk(0, "What is a monad?", "A monoid in the category of endofunctors."), at=60_000)
    recorder.flag(FlagKind.CLEANUP, 60_000)
    recorder.life.handle_flags()
    assert recorder.digest.due() == []
    assert recorder.digest.next_due_at() is None
    assert recorder.digest.ask_agent(SESSION) is Outcome.NOTHING_TO_DO
    assert agent.asked == []
    assert sources(recorder) == [(1, "brief")]
    assert "endofunctors" in recorder.context()
    assert "(provisional)" not in recorder.context()
    with recorder.database.write() as connection:
        assert figures.counts(driver(connection)).provisional_summaries == 0
        assert outcomes.retry(connection, 5) == outcomes.Retried(0, 0)
        assert turns.sessions_with_work(connection, 5) == []


def test_it_is_shown_to_the_agent_with_the_next_request(recorder: Recorder, agent: ScriptedAgent) -> None:
    play(recorder, talk(0, "Tabs or spaces?", "Tabs, as in all of it."), at=60_000)
    play(recorder, lines.turn(60_000, 2), at=120_000)
    (batch,) = agent.asked
    assert batch.wanted == (1, 2)
    assert batch.turns[0].closing_text == "Tabs, as in all of it."
    assert sources(recorder) == [(1, "agent"), (2, "agent")]


@pytest.mark.parametrize("long", ["question", "answer"])
def test_a_page_of_words_is_worth_a_request(recorder: Recorder, agent: ScriptedAgent, long: str) -> None:
    page = "We keep SQLite, for it needs no server. " * (WORTH_ASKING // 40 + 1)
    play(recorder, talk(0, *((page, "Yes.") if long == "question" else ("Which one?", page))), at=60_000)
    assert [batch.wanted for batch in agent.asked] == [(1,)]
    assert sources(recorder) == [(1, "agent")]


def test_many_short_answers_come_to_a_request_in_the_end(recorder: Recorder, agent: ScriptedAgent) -> None:
    answer = "x" * (WORTH_ASKING // 4)
    for number in range(1, 5):
        assert agent.asked == []
        play(recorder, talk(number * 60_000, "And?", answer), at=number * 60_000 + 50_000)
    assert [batch.wanted for batch in agent.asked] == [(1, 2, 3, 4)]
    play(recorder, talk(600_000, "And?", answer), at=700_000)
    assert len(agent.asked) == 1  # what was shown counts no more


def test_words_are_counted_by_what_they_say(recorder: Recorder, agent: ScriptedAgent) -> None:
    play(recorder, talk(0, "为什么?", "因为不需要服务器。" * 40), at=60_000)
    assert len(agent.asked) == 1


def test_words_after_an_agents_summary_have_it_written_anew_however_few(
    recorder: Recorder, agent: ScriptedAgent
) -> None:
    play(recorder, talk(0, "Tabs or spaces?", "Tabs. " * WORTH_ASKING), at=60_000)
    play(recorder, lines.words(60_000, "Or spaces."), lines.turn_end(60_100), at=120_000)
    assert [[turn.closing_text[:10] for turn in batch.turns] for batch in agent.asked] == [
        ["Tabs. Tabs"],
        ["Or spaces."],
    ]
    assert sources(recorder) == [(1, "agent")]


def test_tool_uses_that_come_in_late_are_asked_about(recorder: Recorder, agent: ScriptedAgent) -> None:
    play(recorder, talk(0, "Look", "Nothing there."), at=60_000)
    side = recorder.transcript.with_suffix("") / "subagents" / "agent-a1.jsonl"
    recorder.write(lines.tool_use(400, "late"), lines.tool_result(450, "late"), path=side)
    play(recorder, at=120_000)
    assert [batch.wanted for batch in agent.asked] == [(1,)]
    assert sources(recorder) == [(1, "agent")]


def test_an_agent_that_costs_nothing_is_asked_about_everything_at_once(settings: Settings, database: Database) -> None:
    recorder = Recorder(replace(settings, agent=replace(settings.agent, quiet=QUIET / 1000)), database)
    recorder.now = BEGIN
    play(recorder, talk(0, "Tabs or spaces?", "Tabs."), at=1000)
    assert sources(recorder) == [(1, "agent")]


# Answers that are not whole, and tries in vain


def test_a_summary_that_is_missing_counts_a_try_and_comes_with_the_next_request(
    recorder: Recorder, agent: ScriptedAgent
) -> None:
    agent.forgets = {1}
    recorder.write(lines.turn(0, 1), lines.turn(1000, 2))
    recorder.now += 60_000
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    summaries = "SELECT prompt_number, source, attempts, last_error FROM session_summaries ORDER BY 1"
    assert recorder.rows(summaries) == [(1, "provisional", 1, outcomes.MISSING), (2, "agent", 0, None)]
    assert recorder.rows("SELECT DISTINCT status, attempts FROM tool_uses") == [("observed", 0)]
    agent.forgets = set()
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert [turn.number for turn in agent.asked[1].turns] == [1]
    assert agent.asked[1].tool_uses == ()
    assert recorder.rows(summaries) == [(1, "agent", 0, None), (2, "agent", 0, None)]


def test_a_summary_that_is_never_there_is_given_up(recorder: Recorder, agent: ScriptedAgent) -> None:
    """Also where each answer brings another one, and so is of use."""
    agent.forgets = {1}
    for number in range(1, 8):
        play(recorder, lines.turn(number * 60_000, number), at=number * 60_000 + 59_000)
    asked = [batch.wanted for batch in agent.asked if 1 in batch.wanted]
    assert len(asked) == recorder.settings.agent.max_attempts
    assert sources(recorder) == [(1, "provisional"), *((number, "agent") for number in range(2, 8))]


def test_one_bad_turn_does_not_spoil_those_that_it_was_asked_about_with(
    recorder: Recorder, agent: ScriptedAgent
) -> None:
    def refuse(batch: Batch) -> None:
        if any(turn.number == 2 for turn in batch.turns):
            raise AgentError("no", kind="refused")

    agent.meanwhile = refuse
    recorder.write(*(lines.turn(number * 1000, number) for number in (1, 2, 3)))
    recorder.now += 60_000
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    for _ in range(2):
        assert recorder.digest.ask_agent(SESSION) is Outcome.FAILED
    recorder.write(lines.turn(5000, 4))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    while recorder.digest.ask_agent(SESSION) is not Outcome.NOTHING_TO_DO:
        assert len(agent.asked) < 20
    assert recorder.rows("SELECT tool_use_id, status, attempts FROM tool_uses ORDER BY id") == [
        ("tool-1-0", "observed", 2),
        ("tool-2-0", "failed", 5),
        ("tool-3-0", "observed", 2),
        ("tool-4-0", "observed", 0),
    ]
    assert sources(recorder) == [(1, "agent"), (2, "provisional"), (3, "agent"), (4, "agent")]
    assert [[turn.number for turn in batch.turns] for batch in agent.asked] == [
        *[[1, 2, 3]] * 2,
        [1],
        *[[2]] * 3,
        [3],
        [4],
    ]


def test_a_turn_that_failed_before_does_not_join_those_before_it(recorder: Recorder, agent: ScriptedAgent) -> None:
    recorder.write(*(lines.turn(number * 1000, number) for number in (1, 2)))
    recorder.now += 60_000
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    with recorder.database.write() as connection:
        connection.exec_driver_sql("UPDATE tool_uses SET attempts = 2 WHERE prompt_number = 2")
    while recorder.digest.ask_agent(SESSION) is Outcome.DONE:
        pass
    assert [batch.wanted for batch in agent.asked] == [(1,), (2,)]


class Wording(ScriptedAgent):
    """Says what it is told to, of turns 1 and 2 with a tool use each and turn 3 without."""

    def __init__(self, *said: Observation) -> None:
        super().__init__()
        self.said = said

    def digest(self, batch: Batch) -> Reply:
        return replace(super().digest(batch), observations=self.said)


@pytest.mark.parametrize(
    ("tool_use_ids", "turn", "number", "rests_on"),
    [
        (("tool-1-0",), None, 1, '["tool-1-0"]'),
        (("tool-2-0", "tool-1-0"), None, 2, '["tool-1-0","tool-2-0"]'),
        (("tool-1-0",), 3, 1, '["tool-1-0"]'),
        ((), 1, 1, '["tool-1-0"]'),
        ((), 3, 3, "[]"),
        ((), None, 3, '["tool-1-0","tool-2-0"]'),
        (("tool-9-9",), 9, 3, '["tool-1-0","tool-2-0"]'),
    ],
)
def test_an_observation_is_of_the_turn_of_its_tool_uses_else_of_the_one_it_names(
    settings: Settings,
    database: Database,
    tool_use_ids: tuple[str, ...],
    turn: int | None,
    number: int,
    rests_on: str,
) -> None:
    said = Observation(ObservationType.DECISION, "Decided", tool_use_ids=tool_use_ids, turn=turn)
    recorder = Recorder(settings, database, Wording(said))
    recorder.write(lines.turn(0, 1), lines.turn(1000, 2), talk(2000, "So?", "So."))
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)
    recorder.digest.ask_agent(SESSION)
    assert recorder.rows("SELECT prompt_number, tool_use_ids FROM observations") == [(number, rests_on)]


# Beside a running watcher


@contextmanager
def running(watch: Watch) -> Iterator[None]:
    with watch:
        runner = threading.Thread(target=watch.run)
        runner.start()
        try:
            yield
        finally:
            watch.stop("tested")
            runner.join()


def test_a_watcher_wakes_when_the_quiet_time_is_over(settings: Settings, database: Database, tmp_path: Path) -> None:
    agent = ScriptedAgent()
    patient = replace(
        settings,
        agent=replace(settings.agent, quiet=QUIET / 1000),
        watch=replace(settings.watch, scan_interval=0.05, quiet_turn=1e6, idle_session=1e6),
    )
    recorder = Recorder(patient, database, agent)
    recorder.now = BEGIN + 1000
    watch = Watch(patient, database, agent, since=0, clock=lambda: recorder.now)
    with running(watch):
        recorder.write(lines.turn(0, 1))
        wait_until(lambda: sources(recorder) == [(1, "provisional")])
        recorder.now = BEGIN + 950 + QUIET - 1
        seen = threading.Semaphore(0)
        watch._asking.go_on = _told(watch._asking.go_on, seen)  # type: ignore[method-assign]
        for _ in range(3):
            assert seen.acquire(timeout=10)
        assert agent.asked == []
        assert not watch.is_done()
        recorder.now += 1
        wait_until(lambda: sources(recorder) == [(1, "agent")])
        wait_until(watch.is_done)
        recorder.now += 60_000
        recorder.write(talk(60_000, "Thanks.", "Welcome."))
        wait_until(lambda: sources(recorder) == [(1, "agent"), (2, "brief")])
        wait_until(watch.is_done)
    assert len(agent.asked) == 1


def _told(go_on: Callable[[], float], seen: threading.Semaphore) -> Callable[[], float]:
    """Have it said that the watcher has looked whether anything is due."""

    def looked() -> float:
        rest = go_on()
        seen.release()
        return rest

    return looked
