from __future__ import annotations

from dataclasses import replace

import pytest

from tests.service.recorder import Recorder, ScriptedAgent
from tests.transcript import lines
from tests.transcript.lines import SESSION
from watcher.agent.base import AgentError, Batch
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service.digest import Outcome
from watcher.settings import Settings


@pytest.fixture
def agent() -> ScriptedAgent:
    return ScriptedAgent()


@pytest.fixture
def recorder(settings: Settings, database: Database, agent: ScriptedAgent) -> Recorder:
    small = replace(settings, agent=replace(settings.agent, batch_size=5, max_attempts=3))
    return Recorder(small, database, agent)


def take_in(recorder: Recorder) -> None:
    recorder.life.follow(recorder.transcript)
    recorder.life.finalize(SESSION)


def test_a_turn_costs_one_request(recorder: Recorder, agent: ScriptedAgent) -> None:
    recorder.write(lines.turn(0, 1, tools=5))
    take_in(recorder)
    assert recorder.digest.due() == [SESSION]
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert recorder.digest.ask_agent(SESSION) is Outcome.NOTHING_TO_DO
    assert recorder.digest.due() == []
    (batch,) = agent.asked
    (turn,) = batch.turns
    assert turn.wants_summary
    assert turn.prompts == ("Do number 1",)
    assert turn.closing_text == "Did number 1."
    assert len(turn.tool_uses) == 5
    assert recorder.rows("SELECT count(*) FROM observations") == [(5,)]
    assert recorder.rows("SELECT agent_requests, input_tokens, output_tokens, cost_usd FROM sdk_sessions") == [
        (1, 100, 10, 0.001)
    ]


def test_the_agents_summary_takes_the_provisional_ones_place(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    ((first, source),) = recorder.rows("SELECT id, source FROM session_summaries")
    assert source == "provisional"
    recorder.digest.ask_agent(SESSION)
    assert recorder.rows("SELECT id, source, learned, agent FROM session_summaries") == [
        (first, "agent", "found", "scripted")
    ]
    assert "found" in recorder.context()
    ((text,),) = recorder.rows("SELECT summary_text FROM session_summaries ORDER BY created_at DESC LIMIT 1")
    assert text == (
        "Request: asked\nInvestigated: looked\nLearned: found\nCompleted: did\nNext steps: go on\nNotes: note"
    )


def test_a_long_turn_goes_in_batches_the_last_with_the_summary(recorder: Recorder, agent: ScriptedAgent) -> None:
    recorder.write(lines.turn(0, 1, tools=12))
    take_in(recorder)
    while recorder.digest.ask_agent(SESSION) is Outcome.DONE:
        pass
    assert [len(batch.tool_uses) for batch in agent.asked] == [5, 5, 2]
    assert [batch.wanted for batch in agent.asked] == [(), (), (1,)]
    assert len(agent.asked[2].earlier_titles) == 10
    assert recorder.rows("SELECT DISTINCT status, input, output FROM tool_uses") == [("observed", None, None)]


def test_a_long_turns_first_tool_uses_are_observed_while_it_runs(recorder: Recorder, agent: ScriptedAgent) -> None:
    recorder.write(lines.prompt(0, "Go"))
    for number in range(6):
        recorder.write(lines.tool_use(number, f"t{number}"), lines.tool_result(number, f"t{number}"))
    take_in(recorder)
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert recorder.digest.ask_agent(SESSION) is Outcome.NOTHING_TO_DO
    assert agent.asked[0].wanted == ()
    assert recorder.rows("SELECT count(*) FROM session_summaries") == [(0,)]


def test_files_come_from_the_tool_uses(recorder: Recorder) -> None:
    recorder.write(
        lines.prompt(0, "Go"),
        lines.tool_use(1, "r", "Read", file_path="/a"),
        lines.tool_result(2, "r"),
        lines.tool_use(3, "e", "Edit", file_path="/b"),
        lines.tool_result(4, "e"),
        lines.tool_use(5, "x", "Edit", file_path="/never"),
        lines.tool_result(6, "x", "no such file", is_error=True),
        lines.turn_end(7),
    )
    take_in(recorder)
    recorder.digest.ask_agent(SESSION)
    assert recorder.rows("SELECT title, files_read, files_modified, tool_use_ids FROM observations ORDER BY id") == [
        ("Saw r", '["/a"]', "[]", '["r"]'),
        ("Saw e", "[]", '["/b"]', '["e"]'),
        ("Saw x", "[]", "[]", '["x"]'),
    ]


def test_a_reply_that_comes_late_does_not_undo_what_is_known_since(recorder: Recorder, agent: ScriptedAgent) -> None:
    recorder.write(lines.turn(0, 1))
    take_in(recorder)

    def meanwhile(_batch: Batch) -> None:
        recorder.write(lines.words(2000, "The final report."))
        recorder.flag(FlagKind.FINALIZE, 2010, last_assistant_message="The final report.")
        recorder.life.handle_flags()

    agent.meanwhile = meanwhile
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert "The final report." in recorder.context()
    assert recorder.rows("SELECT count(*) FROM observations") == [(1,)]
    agent.meanwhile = None
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert recorder.rows("SELECT source FROM session_summaries") == [("agent",)]


def test_an_outage_costs_the_work_nothing(recorder: Recorder, agent: ScriptedAgent) -> None:
    agent.faults = [AgentError("no", kind=kind) for kind in ("rate_limit", "overloaded", "unreachable", "login") * 3]
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    for _ in range(12):
        assert recorder.digest.ask_agent(SESSION) is Outcome.FAILED
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert recorder.rows("SELECT status FROM tool_uses") == [("observed",)]


def test_a_batch_that_is_given_up_does_not_take_the_others_with_it(recorder: Recorder, agent: ScriptedAgent) -> None:
    agent.faults = [AgentError("what?", kind="unreadable")] * 3
    recorder.write(lines.turn(0, 1, tools=12))
    take_in(recorder)
    outcomes = [recorder.digest.ask_agent(SESSION) for _ in range(6)]
    assert outcomes == [Outcome.FAILED] * 3 + [Outcome.DONE] * 2 + [Outcome.NOTHING_TO_DO]
    assert recorder.rows("SELECT status, count(*) FROM tool_uses GROUP BY status") == [("failed", 5), ("observed", 7)]
    assert recorder.rows("SELECT source FROM session_summaries") == [("agent",)]


def test_a_background_task_is_observed_in_batches(recorder: Recorder, agent: ScriptedAgent) -> None:
    """Subagents run on after the turn is over; each of their tool uses must not cost a request."""
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    recorder.digest.ask_agent(SESSION)
    side = recorder.transcript.with_suffix("") / "subagents" / "agent-a1.jsonl"
    for number in range(4):
        at = 3000 + number
        recorder.write(lines.tool_use(at, f"s{number}"), lines.tool_result(at, f"s{number}"), path=side)
        recorder.life.follow(recorder.transcript)
        assert recorder.digest.due() == []
    recorder.now += 60_000
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert recorder.digest.ask_agent(SESSION) is Outcome.NOTHING_TO_DO
    assert [len(batch.tool_uses) for batch in agent.asked] == [1, 4]
    assert agent.asked[1].turns[0].summary.startswith("Request: asked")


def test_a_prompt_typed_after_the_summary_belongs_to_it(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    recorder.write(lines.queued(2000, "And this"), lines.words(2100, "Did that too."), lines.turn_end(2200))
    take_in(recorder)
    assert recorder.rows("SELECT prompt_number FROM session_summaries") == [(2,)]


def test_a_defect_is_counted_like_a_fault(recorder: Recorder, agent: ScriptedAgent) -> None:
    def fail(_batch: Batch) -> None:
        raise KeyError("never thought of")

    agent.meanwhile = fail
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    for _ in range(3):
        with pytest.raises(KeyError):
            recorder.digest.ask_agent(SESSION)
    assert recorder.digest.due() == []
    assert recorder.rows("SELECT status FROM tool_uses") == [("failed",)]


def test_a_turn_that_was_given_up_gets_new_tries_when_it_goes_on(recorder: Recorder, agent: ScriptedAgent) -> None:
    agent.faults = [AgentError("what?", kind="unreadable")] * 3
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    for _ in range(3):
        recorder.digest.ask_agent(SESSION)
    assert recorder.digest.due() == []
    recorder.write(lines.words(2000, "One thing more."), lines.turn_end(2010))
    take_in(recorder)
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE


def test_an_observation_that_names_no_tool_use_rests_on_the_batch(recorder: Recorder, agent: ScriptedAgent) -> None:
    agent.names_tool_uses = False
    recorder.write(lines.prompt(0, "Go"))
    for name in ("a", "b"):
        recorder.write(lines.tool_use(1, name, "Read", file_path=f"/{name}"), lines.tool_result(2, name))
    recorder.write(lines.turn_end(3))
    take_in(recorder)
    recorder.digest.ask_agent(SESSION)
    assert recorder.rows("SELECT DISTINCT files_read, tool_use_ids FROM observations") == [('["/a","/b"]', '["a","b"]')]


def test_a_fault_keeps_the_work(recorder: Recorder, agent: ScriptedAgent) -> None:
    agent.faults = [AgentError("what?", kind="unreadable")]
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    assert recorder.digest.ask_agent(SESSION) is Outcome.FAILED
    assert recorder.rows("SELECT status, attempts FROM tool_uses") == [("pending", 1)]
    assert recorder.rows("SELECT source, last_error FROM session_summaries") == [("provisional", "unreadable: what?")]
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert recorder.rows("SELECT source, last_error FROM session_summaries") == [("agent", None)]


def test_after_the_last_try_the_provisional_summary_stands(recorder: Recorder, agent: ScriptedAgent) -> None:
    agent.faults = [AgentError("what?", kind="unreadable")] * 3
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    for _ in range(3):
        assert recorder.digest.ask_agent(SESSION) is Outcome.FAILED
    assert recorder.digest.ask_agent(SESSION) is Outcome.NOTHING_TO_DO
    assert recorder.rows("SELECT status FROM tool_uses") == [("failed",)]
    assert recorder.rows("SELECT source FROM session_summaries") == [("provisional",)]


def test_words_after_the_summary_have_it_written_again(recorder: Recorder, agent: ScriptedAgent) -> None:
    """A background task's report starts a second turn under the same prompt."""
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    recorder.digest.ask_agent(SESSION)
    recorder.write(lines.words(2000, "And now the report."))
    recorder.flag(FlagKind.FINALIZE, 2010, last_assistant_message="And now the report.")
    recorder.life.handle_flags()
    # Until then the next session is told what is known now, not what the agent knew.
    assert recorder.rows("SELECT source FROM session_summaries") == [("provisional",)]
    assert "And now the report." in recorder.context()
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert agent.asked[1].turns[0].closing_text == "And now the report."
    assert recorder.digest.ask_agent(SESSION) is Outcome.NOTHING_TO_DO


def test_the_same_observation_is_kept_once(recorder: Recorder) -> None:
    recorder.write(lines.turn(0, 1))
    take_in(recorder)
    recorder.digest.ask_agent(SESSION)
    with recorder.database.write() as connection:
        connection.exec_driver_sql("UPDATE tool_uses SET status = 'pending'")  # as if the mark had been lost
    recorder.digest.ask_agent(SESSION)
    assert recorder.rows("SELECT count(*) FROM observations") == [(1,)]


def test_turns_are_digested_in_order(recorder: Recorder, agent: ScriptedAgent) -> None:
    recorder.write(lines.turn(0, 1), lines.turn(1000, 2))
    take_in(recorder)
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    recorder.write(lines.turn(2000, 3))
    take_in(recorder)
    assert recorder.digest.ask_agent(SESSION) is Outcome.DONE
    assert [[turn.prompts for turn in batch.turns] for batch in agent.asked] == [
        [("Do number 1",), ("Do number 2",)],
        [("Do number 3",)],
    ]
    assert agent.asked[0].previous_summary == ""
    assert agent.asked[1].previous_summary.startswith("Request: asked")
    assert recorder.rows("SELECT prompt_number, title FROM observations ORDER BY id") == [
        (1, "Saw tool-1-0"),
        (2, "Saw tool-2-0"),
        (3, "Saw tool-3-0"),
    ]


def test_without_a_model_a_long_turn_is_summarised_whole(settings: Settings, database: Database) -> None:
    recorder = Recorder(replace(settings, agent=replace(settings.agent, batch_size=5)), database)
    edit = lines.tool_use(10, "first", "Edit", file_path="/home/dev/api/first.py", old_string="a", new_string="b")
    recorder.write(lines.prompt(0, "Change it"), edit, lines.tool_result(20, "first"))
    recorder.write(lines.turn(1000, 2, tools=12).split(b"\n", 1)[1])
    take_in(recorder)
    while recorder.digest.ask_agent(SESSION) is Outcome.DONE:
        pass
    ((completed, source),) = recorder.rows("SELECT completed, source FROM session_summaries")
    assert source == "agent"
    assert "first.py" in completed
