"""The scripted Messages API, alone and with the real CLI in front of it."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.claude_cli import (
    ALLOW_TOOLS,
    CLITimeoutError,
    Interactive,
    clean_environment,
    end_tree,
    run_print,
    seed_home,
    started_print,
    transcripts,
    wait_until,
)
from tests.messages_api import Kind, MessagesAPI, Reply, Request, ToolCall, last_user_text, text_of

CONVERSATION_TOOLS = [{"name": "Bash"}, {"name": "Read"}]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project whose folder the CLI already trusts."""
    folder = tmp_path / "project"
    folder.mkdir()
    seed_home(tmp_path / "home", trusted=[folder])
    return folder


def environment(project: Path, api: MessagesAPI) -> dict[str, str]:
    return clean_environment(project.parent / "home", api.url)


def post(api: MessagesAPI, **request: Any) -> tuple[int, str]:
    body = json.dumps({"model": "scripted", "messages": [], **request}).encode()
    sent = urllib.request.Request(f"{api.url}/v1/messages?beta=true", data=body)
    try:
        with urllib.request.urlopen(sent, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_list_answers_the_conversation_in_order_and_then_says_so() -> None:
    with MessagesAPI([Reply(text="one"), Reply(text="two")]) as api:
        answers = [json.loads(post(api, tools=CONVERSATION_TOOLS)[1]) for _ in range(3)]
    assert [answer["content"][0]["text"] for answer in answers] == ["one", "two", "The script is over."]


def test_a_stream_carries_text_and_tool_uses_in_whole() -> None:
    call = ToolCall("Write", {"content": "é" * 9000})
    with MessagesAPI([Reply(text="Writing.", tool_uses=[call])]) as api:
        _, stream = post(api, tools=CONVERSATION_TOOLS, stream=True)
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [event["type"] for event in events[:1] + events[-2:]] == ["message_start", "message_delta", "message_stop"]
    assert "".join(delta.get("text", "") for delta in deltas) == "Writing."
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == call.input
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_requests_are_told_apart() -> None:
    compaction = [{"role": "user", "content": "CRITICAL: Respond with TEXT ONLY. Do not act."}]
    title = {"format": {"schema": {"properties": {"title": {"type": "string"}}}}}
    with MessagesAPI([Reply(text="main")], agent=[Reply(text="agent")], subagent=[Reply(text="sub")]) as api:
        post(api, tools=CONVERSATION_TOOLS)
        post(api, system="You are the claude-mem observer.")
        post(api, system=[{"type": "text", "text": "cc_is_subagent=true;"}], tools=CONVERSATION_TOOLS)
        post(api, messages=compaction, tools=CONVERSATION_TOOLS)
        _, titled = post(api, output_config=title)
        counts = {kind: len(api.requests_of(kind)) for kind in Kind}
    assert set(counts.values()) == {1}
    assert json.loads(json.loads(titled)["content"][0]["text"]) == {"title": "A scripted title"}


def test_a_script_sees_what_the_model_would_read() -> None:
    def script(request: Request) -> Reply:
        return Reply(text=f"{last_user_text(request)} / {text_of(request)}")

    result = {"type": "tool_result", "content": [{"type": "text", "text": "the result"}]}
    with MessagesAPI(script) as api:
        _, answer = post(
            api,
            system="the system prompt",
            tools=CONVERSATION_TOOLS,
            messages=[{"role": "user", "content": "the prompt"}, {"role": "user", "content": [result]}],
        )
    assert json.loads(answer)["content"][0]["text"] == "the result / the system prompt\nthe prompt\nthe result"


def test_errors_are_the_scripts_the_limits_or_the_scripts_own_fault() -> None:
    def faulty(_: Request) -> Reply:
        raise KeyError("forgotten")

    with MessagesAPI([Reply(status=529, error_type="overloaded_error")], max_requests=1) as api:
        assert post(api, tools=CONVERSATION_TOOLS)[0] == 529
        assert post(api, tools=CONVERSATION_TOOLS)[0] == 500
    with MessagesAPI(faulty) as api:
        status, answer = post(api, tools=CONVERSATION_TOOLS)
    assert status == 400
    assert "forgotten" in answer


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_can_be_cut_in_the_middle(stream: bool) -> None:
    with MessagesAPI([Reply(text="x" * 500), Reply(text="x" * 500, cut_after=600)]) as api:
        _, whole = post(api, tools=CONVERSATION_TOOLS, stream=stream)
        with pytest.raises(http.client.IncompleteRead) as caught:
            post(api, tools=CONVERSATION_TOOLS, stream=stream)
    assert len(caught.value.partial) == 600
    assert len(whole) > 600


def test_an_error_can_say_when_to_come_back() -> None:
    busy = Reply(status=429, error_type="rate_limit_error", headers={"retry-after": "3600"})
    with MessagesAPI([busy]) as api, pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{api.url}/v1/messages", data=b'{"tools": [{}, {}]}', timeout=10)
    with caught.value as error:
        assert (error.code, error.headers["retry-after"]) == (429, "3600")


def test_closing_cuts_a_delay_short() -> None:
    begun = time.monotonic()
    with MessagesAPI([Reply(text="late", delay=0.2)]) as api:
        post(api, tools=CONVERSATION_TOOLS)
    assert 0.2 < time.monotonic() - begun < 5


def test_a_clean_environment_takes_nothing_of_claude_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "mine")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/mine")
    built = clean_environment(tmp_path, "http://127.0.0.1:1", CLAUDE_MEM_AGENT="extractive")
    assert "mine" not in "".join(built.values())
    assert built["CLAUDE_MEM_AGENT"] == "extractive"


@pytest.mark.cli
def test_print_answers_through_one_tool_use(project: Path) -> None:
    replies = [
        Reply(text="Looking.", tool_uses=[ToolCall("Bash", {"command": "echo $((6 * 7))"})]),
        Reply(text="It is 42."),
    ]
    with MessagesAPI(replies) as api:
        done = run_print("What is it?", environment=environment(project, api), cwd=project, args=ALLOW_TOOLS)
        conversation = api.requests_of(Kind.MAIN)
    assert (done.code, done.stdout) == (0, "It is 42.\n")
    assert [last_user_text(request) for request in conversation][-1] == "42"
    (transcript,) = transcripts(project.parent / "home")
    assert b"It is 42." in transcript.read_bytes()


@pytest.mark.cli
def test_the_screen_takes_a_prompt_and_leaves(project: Path) -> None:
    with (
        MessagesAPI([Reply(text="Hello from the script.")]) as api,
        Interactive(environment=environment(project, api), cwd=project, args=ALLOW_TOOLS) as claude,
    ):
        claude.wait_ready()
        claude.type_line("Say hello.")
        claude.wait_for("Hello from the script.")
        claude.exit()
        assert not psutil.pid_exists(claude.pid)


@pytest.mark.cli
def test_what_does_not_come_is_told_with_the_screen(project: Path) -> None:
    with (
        MessagesAPI() as api,
        Interactive(environment=environment(project, api), cwd=project) as claude,
    ):
        claude.wait_ready()
        with pytest.raises(CLITimeoutError, match="Claude Code v"):
            claude.wait_for("no such text", timeout=0.1)
        claude.kill()
    assert not psutil.pid_exists(claude.pid)


@pytest.mark.cli
def test_a_killed_run_leaves_no_process_behind(project: Path) -> None:
    replies = [Reply(tool_uses=[ToolCall("Bash", {"command": "echo $$ > shell.pid; sleep 60"})])]
    shell = project / "shell.pid"
    with MessagesAPI(replies) as api:
        world = environment(project, api)
        with started_print("Wait.", environment=world, cwd=project, args=ALLOW_TOOLS) as process:
            wait_until(lambda: shell.exists() and shell.read_text(encoding="utf-8").strip())
            end_tree(process.pid)
            process.wait()
    assert not psutil.pid_exists(process.pid)
    assert not psutil.pid_exists(int(shell.read_text(encoding="utf-8")))
