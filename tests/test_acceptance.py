"""The critical goal, with real parts: a session ends, a summary is made, and the next session has it in its context.

The user's Claude Code is the real CLI, with this checkout as its plugin; the memory agent is the real SDK with the
same CLI; hooks and watcher are the processes that they are for a user. Only the model is scripted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.claude_cli import ALLOW_TOOLS, Interactive
from tests.messages_api import Kind, MessagesAPI, Reply, Request, Script, ToolCall
from tests.world import AGENT_SUMMARY, PLUGIN, World, agent_answer, is_about

pytestmark = pytest.mark.cli

FIRST = "Write the greeting into test.txt, and read it back."
SECOND = "What did we do last session?"
CLOSING = "Wrote test.txt and read it back: it says hello."

Say = Callable[[World, str], None]


def user_model(project: Path) -> Script:
    """Return the user's model: it writes and reads test.txt when asked to, else it just answers."""
    path = str(project / "test.txt")
    steps = [
        Reply(text="Writing it.", tool_uses=[ToolCall("Write", {"file_path": path, "content": "hello\n"})]),
        Reply(tool_uses=[ToolCall("Read", {"file_path": path})]),
        Reply(text=CLOSING),
    ]

    def answer(request: Request) -> Reply:
        if is_about(request, SECOND):
            return Reply(text="I have read the notes.")
        return steps[sum("tool_result" in str(message) for message in request["messages"])]

    return answer


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world whose memory agent's model answers as the test's parameter says."""
    agent: Reply = getattr(request, "param", agent_answer())
    script = user_model(tmp_path / "project")
    with MessagesAPI(script, agent=lambda _request: agent) as api, World(tmp_path, api) as made:
        yield made


def in_print_mode(world: World, prompt: str) -> None:
    world.say(prompt)


def in_the_terminal(world: World, prompt: str) -> None:
    """Type the prompt into the interactive CLI, wait for the answer, and leave."""
    with Interactive(environment=world.environment, cwd=world.project, args=(*PLUGIN, *ALLOW_TOOLS)) as claude:
        claude.wait_ready()
        claude.type_line(prompt)
        claude.wait_for("it says hello" if prompt == FIRST else "I have read the notes.")
        claude.exit()


both_modes = pytest.mark.parametrize("say", [in_print_mode, in_the_terminal])


def last_request(world: World) -> Request:
    return world.api.requests_of(Kind.MAIN)[-1]


def wait_for_agent_summary(world: World) -> None:
    world.wait_for_rows("SELECT count(DISTINCT session_id) FROM session_summaries WHERE source = 'agent'", [(1,)])


@both_modes
def test_stop_and_session_end_raise_one_flag_each_and_the_watcher_handles_them(world: World, say: Say) -> None:
    """0.1 and 0.2: one flag each; a watcher that only the hook started makes the agent's summary of six fields."""
    say(world, FIRST)
    wait_for_agent_summary(world)
    world.wait_for_rows(
        "SELECT kind, lowered_at_epoch IS NOT NULL FROM flags ORDER BY id", [("finalize", 1), ("cleanup", 1)]
    )
    fields = ", ".join(AGENT_SUMMARY)
    assert world.rows(f"SELECT {fields} FROM session_summaries") == [tuple(AGENT_SUMMARY.values())]
    assert world.rows("SELECT status FROM sdk_sessions") == [("completed",)]
    assert world.rows("SELECT name, status FROM tool_uses ORDER BY id") == [("Write", "observed"), ("Read", "observed")]
    assert world.rows("SELECT title FROM observations") == [("test.txt holds the greeting",)]
    assert len(world.api.requests_of(Kind.AGENT)) == 1
    assert len(world.watchers()) == 1
    # What the user's documents query, as they write it.
    ((text,),) = world.rows("SELECT summary_text FROM session_summaries ORDER BY created_at DESC LIMIT 1")
    assert "the marmalade protocol" in text
    assert len(world.rows("SELECT * FROM session_summaries ORDER BY created_at DESC LIMIT 1")) == 1
    assert world.rows("SELECT * FROM sdk_sessions WHERE status='active'") == []
    # 0.3: the context of the next session holds it.
    assert "the marmalade protocol" in world.claude_mem("context")


@both_modes
@pytest.mark.parametrize(
    "world",
    [agent_answer(), agent_answer(delay=5.0), Reply(status=400, error_type="invalid_request_error")],
    ids=["model answers at once", "model takes 5 s", "no model"],
    indirect=True,
)
def test_the_next_session_started_at_once_knows(world: World, say: Say) -> None:
    """0.4: the request of a session started right after the first one's end holds the first one's summary."""
    say(world, FIRST)
    say(world, SECOND)
    request = last_request(world)
    assert is_about(request, SECOND)
    assert is_about(request, "Memory of earlier sessions")
    # The provisional summary says it in the user's own words; the agent's, where it is there already, in its.
    assert is_about(request, CLOSING) or is_about(request, AGENT_SUMMARY["learned"])


@pytest.mark.parametrize("world", [agent_answer(delay=5.0)], ids=["model takes 5 s"], indirect=True)
def test_the_third_session_gets_what_a_slow_model_wrote(world: World) -> None:
    world.say(FIRST)
    world.say(SECOND)
    assert not is_about(last_request(world), AGENT_SUMMARY["learned"])
    assert is_about(last_request(world), CLOSING)
    wait_for_agent_summary(world)
    world.say("And now?" + SECOND)
    assert is_about(last_request(world), AGENT_SUMMARY["learned"])


@pytest.mark.parametrize("world", [Reply(status=401, error_type="authentication_error")], indirect=True)
def test_without_a_model_the_work_is_kept(world: World) -> None:
    world.say(FIRST)
    world.wait_for_rows("SELECT source, last_error IS NOT NULL FROM session_summaries", [("provisional", 1)])
    assert world.rows("SELECT DISTINCT status, attempts FROM tool_uses") == [("pending", 0)]
    assert "login" in world.claude_mem("status")


def test_the_watcher_ends_when_told_to(world: World) -> None:
    world.say(FIRST)
    wait_for_agent_summary(world)
    (pid,) = world.watchers()
    assert f"pid {pid}" in world.claude_mem("status")
    assert f"stopped (pid {pid})" in world.claude_mem("watch", "--stop")
    assert world.processes() == []
    assert world.rows("SELECT stop_reason FROM watchers") == [("SIGTERM",)]


def test_after_an_install_no_plugin_is_needed(world: World) -> None:
    assert "add" in world.claude_mem("install")
    world.say(FIRST, plugin=())
    world.say(SECOND, plugin=())
    assert is_about(last_request(world), CLOSING) or is_about(last_request(world), AGENT_SUMMARY["learned"])
    assert "nothing to change" in world.claude_mem("install")
    assert len(world.watchers()) == 1
    world.claude_mem("uninstall")
    assert world.processes() == []
    world.say(SECOND, plugin=())
    assert not is_about(last_request(world), "Memory of earlier sessions")
    assert world.rows("SELECT count(*) FROM sdk_sessions") == [(2,)]


def test_installed_and_as_a_plugin_at_once_nothing_is_there_twice(world: World) -> None:
    world.claude_mem("install")
    world.say(FIRST)
    world.say(SECOND)
    assert json.dumps(last_request(world)).count("Memory of earlier sessions") == 1
    # A question and an answer of a few words are worth no request; they have their summary all the same.
    world.wait_for_rows("SELECT source FROM session_summaries ORDER BY id", [("agent",), ("brief",)])
    world.wait_for_rows(
        "SELECT kind, count(*) FROM flags WHERE lowered_at_epoch IS NOT NULL GROUP BY kind",
        [("cleanup", 2), ("finalize", 2)],
    )
    assert world.rows("SELECT count(*) FROM session_summaries") == [(2,)]
    assert world.rows("SELECT count(*) FROM tool_uses") == [(2,)]
    assert len(world.watchers()) == 1


def test_what_matches_a_prompt_reaches_the_model_with_it_where_that_is_wanted(world: World) -> None:
    """A prompt hook's plain output stands beside the prompt in the request, and never comes back as a prompt."""
    world.environment["CLAUDE_MEM_CONTEXT_AT_PROMPT"] = "3"
    world.say(FIRST)
    wait_for_agent_summary(world)
    assert not is_about(last_request(world), "that may match the prompt")
    world.write_rows("UPDATE contexts SET text = ''")  # else the session knows it from its start
    world.say(f"{SECOND} The greeting in test.txt, I mean.")
    assert is_about(last_request(world), "that may match the prompt")
    assert is_about(last_request(world), "test.txt holds the greeting")
    world.wait_for_rows("SELECT count(*) FROM sdk_sessions WHERE status = 'completed'", [(2,)])
    assert not world.rows("SELECT * FROM user_prompts WHERE prompt_text LIKE '%may match%'")
