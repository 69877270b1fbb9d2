"""Everything that goes wrong with a model, through the real CLI where it is its fault, a scripted one else."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.agent.conftest import BATCH, MakeAgent, MakeEither, living
from tests.claude_cli import API_KEY, wait_until
from tests.messages_api import MessagesAPI, Reply, Request
from watcher import system
from watcher.agent import create, faults
from watcher.agent.base import Agent, AgentError, Summary
from watcher.agent.claude import ClaudeAgent
from watcher.settings import AgentSettings

PROSE = "PROSE-OF-THE-API"


def failing(agent: Agent) -> AgentError:
    """The error that a batch ends in."""
    with pytest.raises(AgentError) as caught:
        agent.digest(BATCH)
    assert PROSE not in str(caught.value) + caught.value.hint
    return caught.value


@pytest.mark.cli
@pytest.mark.parametrize(
    ("status", "error_type", "kind", "may_recover", "requests"),
    [
        (500, "api_error", "overloaded", True, 3),  # two retries: two seconds, where ten take three minutes
        (529, "overloaded_error", "overloaded", True, 3),
        (429, "rate_limit_error", "rate_limit", True, 3),
        (401, "authentication_error", "login", False, 3),
        (403, "permission_error", "login", False, 1),
        (404, "not_found_error", "refused", False, 2),
        (413, "request_too_large", "refused", True, 1),
    ],
)
def test_a_fault_of_the_api(
    make_agent: MakeAgent, status: int, error_type: str, kind: str, may_recover: bool, requests: int
) -> None:
    with MessagesAPI(agent=lambda _: Reply(PROSE, status=status, error_type=error_type)) as api:
        error = failing(make_agent(api.url))
        assert len(api.requests) == requests
    assert (error.kind, error.may_recover) == (kind, may_recover)
    assert str(status) in str(error)
    assert bool(error.hint) is not may_recover


@pytest.mark.cli
@pytest.mark.parametrize("seconds", [40, 3600])
def test_a_long_pause_that_the_api_asks_for_is_not_sat_out(make_agent: MakeAgent, seconds: int) -> None:
    """The queue pauses by itself, without a process; and a time-out would count as the batch's own fault."""
    busy = Reply(PROSE, status=429, error_type="rate_limit_error", headers={"retry-after": str(seconds)})
    with MessagesAPI(agent=lambda _: busy) as api:
        error = failing(make_agent(api.url))
        assert len(api.requests) == 1
    assert (error.kind, error.may_recover) == ("rate_limit", True)


@pytest.mark.cli
@pytest.mark.parametrize("cut_after", [0, 6000])
def test_an_answer_that_is_cut_every_time_is_none(make_agent: MakeAgent, cut_after: int) -> None:
    """At 6000 bytes half of the text is there, which alone could be read."""
    text = f"<observation><title>T</title><narrative>{'x' * 9000}</narrative></observation>"
    with MessagesAPI(agent=lambda _: Reply(text, cut_after=cut_after)) as api:
        error = failing(make_agent(api.url))
        assert len(api.requests) == 4  # two retries, and one more without a stream
    assert (error.kind, error.may_recover) == ("unreachable", True)


@pytest.mark.cli
def test_an_answer_that_is_cut_once_is_had_whole_at_the_next_try(make_agent: MakeAgent) -> None:
    text = f"<observation><title>T</title><narrative>{'x' * 3000}</narrative></observation>"
    whole = f"{text * 3}<summary><request>R</request></summary>"
    with MessagesAPI(agent=[Reply(whole, cut_after=6000), Reply(whole)]) as api:
        reply = make_agent(api.url).digest(BATCH)
        assert len(api.requests) == 2
    assert len(reply.observations) == 3
    assert reply.summaries == {1: Summary(request="R")}


@pytest.mark.cli
@pytest.mark.parametrize(
    ("rest", "titles", "summary"),
    [
        ("<observation><title>Second</title><narrative>It was c", ["First", "Second"], None),
        ("<observation><title>Sec", ["First"], None),
        ("<summary><request>Fix", ["First"], Summary(request="Fix …")),
        ("<summary>", ["First"], None),
    ],
)
def test_of_half_an_answer_what_is_there_is_kept(
    make_agent: MakeAgent, rest: str, titles: list[str], summary: Summary | None
) -> None:
    with MessagesAPI(agent=[Reply(f"<observation><title>First</title></observation>{rest}")]) as api:
        reply = make_agent(api.url).digest(BATCH)
    assert [observation.title for observation in reply.observations] == titles
    assert reply.summaries.get(1) == summary


@pytest.mark.cli
def test_nobody_is_logged_in(make_either: MakeEither, monkeypatch: pytest.MonkeyPatch) -> None:
    with MessagesAPI() as api:
        agent = make_either(api.url)
        monkeypatch.delenv("ANTHROPIC_API_KEY")
        error = failing(agent)
        assert api.requests == []
    assert (error.kind, error.may_recover) == ("login", False)
    assert "/login" in error.hint
    assert "extractive" in error.hint


@pytest.mark.cli
def test_the_api_hangs(make_agent: MakeAgent) -> None:
    with MessagesAPI(agent=lambda _: Reply(delay=60)) as api:
        agent = make_agent(api.url, timeout=1.5)
        started = time.monotonic()
        error = failing(agent)
        assert time.monotonic() - started < 3  # seconds; without the interrupt it takes five more
    assert (error.kind, error.may_recover) == ("timeout", True)


@pytest.mark.cli
def test_nothing_listens(make_agent: MakeAgent) -> None:
    error = failing(make_agent("http://127.0.0.1:9"))
    assert (error.kind, error.may_recover) == ("unreachable", True)


@pytest.mark.cli
@pytest.mark.parametrize("answer", ["I cannot help with that.", "<nothing/>", ""])
def test_an_unreadable_answer_is_told_with_its_cost(make_either: MakeEither, answer: str) -> None:
    with MessagesAPI(agent=[Reply(answer)]) as api:
        error = failing(make_either(api.url))
    assert (error.kind, error.may_recover) == ("unreadable", True)
    assert error.usage.input_tokens > 100
    assert error.usage.cost_usd > 0


@pytest.mark.cli
@pytest.mark.parametrize("victim", ["guard", "cli"])
@pytest.mark.skipif(not system.LINUX, reason="only Linux has a guard")
def test_the_cli_is_killed_in_the_middle(make_agent: MakeAgent, victim: str) -> None:
    asked = threading.Event()

    def never(_: Request) -> Reply:
        asked.set()
        return Reply(delay=60)

    with MessagesAPI(agent=never) as api, ThreadPoolExecutor(1) as pool:
        before = set(psutil.Process().children())
        running = pool.submit(failing, make_agent(api.url))
        assert asked.wait(10)
        (guard,) = set(psutil.Process().children()) - before
        (cli,) = guard.children()
        (guard if victim == "guard" else cli).kill()
        error = running.result(timeout=5)
    assert (error.kind, error.may_recover) == ("crashed", True)
    wait_until(lambda: not living([guard, cli]))


def test_there_is_no_cli(make_either: MakeEither, tmp_path: Path) -> None:
    error = failing(make_either(cli_path=str(tmp_path / "nowhere" / "claude")))
    assert (error.kind, error.may_recover) == ("missing", False)
    assert str(tmp_path / "nowhere" / "claude") in str(error)
    assert "cli_path" in error.hint


def test_the_cli_may_not_be_run(make_agent: MakeAgent, tmp_path: Path) -> None:
    (tmp_path / "claude").write_text("no program")
    for mode in (0o644, 0o755):
        (tmp_path / "claude").chmod(mode)
        assert failing(make_agent(cli_path=str(tmp_path / "claude"))).kind == "missing"


@pytest.mark.parametrize("server", [{"claude_code_version": "2.1.247"}, {"claude_code_version": "1.9.999"}, {}])
def test_an_outdated_cli_is_told_nothing(
    make_either: MakeEither, scripted_cli: Callable[[str], str], tmp_path: Path, server: dict[str, str]
) -> None:
    """It would expand `@path` in what was observed, so it must not get to see the prompt."""
    cli = scripted_cli(
        f"answer_initialize(**{server!r})\n"
        "(here / 'told').write_text(json.dumps([m for m in lines if m['type'] == 'user']))"
    )
    error = failing(make_either(cli_path=cli))
    assert (error.kind, error.may_recover) == ("outdated", False)
    assert "claude update" in error.hint
    assert json.loads((tmp_path / "told").read_text()) == []


@pytest.mark.parametrize(
    "script",
    [
        "sys.exit(3)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); sys.exit(3)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); sys.exit(0)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); print('{broken', flush=True); list(lines)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); send({'type': 'result'}); list(lines)",
        "next(lines); print('{broken', flush=True); list(lines)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); os.write(1, b'\\xff\\xfe\\x00\\n'); list(lines)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); print('{' + 'x' * (9 << 20)); list(lines)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); print('Segmentation fault'); sys.exit(139)",
        "answer_initialize(claude_code_version='9.0.0'); next(lines); os.kill(os.getpid(), 11)",
    ],
)
def test_the_cli_fails(make_agent: MakeAgent, scripted_cli: Callable[[str], str], script: str) -> None:
    error = failing(make_agent(cli_path=scripted_cli(script)))
    assert (error.kind, error.may_recover) == ("crashed", True)


@pytest.mark.parametrize(
    ("ending", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 11)", 139 if system.LINUX else -11)]
)
def test_a_crash_is_told_with_its_exit_code(
    make_either: MakeEither, scripted_cli: Callable[[str], str], ending: str, code: int
) -> None:
    cli = scripted_cli(f"answer_initialize(claude_code_version='9.0.0'); next(lines); {ending}")
    assert f"exit code {code}" in str(failing(make_either(cli_path=cli)))


def test_the_cli_never_gets_ready(make_agent: MakeAgent, scripted_cli: Callable[[str], str]) -> None:
    error = failing(make_agent(cli_path=scripted_cli("list(lines)"), timeout=0.5))
    assert (error.kind, error.may_recover) == ("timeout", True)


def test_a_cli_that_is_deaf_is_killed_with_what_it_started(
    make_agent: MakeAgent, scripted_cli: Callable[[str], str], tmp_path: Path
) -> None:
    cli = scripted_cli(
        "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "below = subprocess.Popen(['sleep', '60']); (here / 'below').write_text(str(below.pid))\n"
        "answer_initialize(claude_code_version='9.0.0'); time.sleep(60)"
    )
    agent = make_agent(cli_path=cli, timeout=1.5)
    started = time.monotonic()
    assert failing(agent).kind == "timeout"
    assert time.monotonic() - started < 6  # seconds; the SDK alone takes ten more
    below = int((tmp_path / "below").read_text())
    wait_until(lambda: not psutil.pid_exists(below) or not living([psutil.Process(below)]), timeout=5)


def test_another_prompts_result_is_not_ours(make_agent: MakeAgent, scripted_cli: Callable[[str], str]) -> None:
    cli = scripted_cli(
        "answer_initialize(claude_code_version='9.0.0'); next(lines)\n"
        "result = dict(type='result', subtype='success', duration_ms=1, duration_api_ms=1, is_error=False,"
        " num_turns=1, session_id='s', user_message_uuids=['another'])\n"
        "send(result); list(lines)"
    )
    assert failing(make_agent(cli_path=cli, timeout=0.5)).kind == "timeout"


def test_what_the_cli_is_started_with(
    home: Path,
    make_either: MakeEither,
    scripted_cli: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    agent = make_either(
        cli_path=scripted_cli("(here / 'seen').write_text(json.dumps([sys.argv, dict(os.environ)])); sys.exit(3)")
    )
    settings = {
        "apiKeyHelper": "echo sk-secret",
        "hooks": {"Stop": []},
        "env": {"ANTHROPIC_AUTH_TOKEN": "tok-secret", "FOO": "1", "CLAUDE_CODE_USE_BEDROCK": 1},
    }
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))
    for name in ("CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_PROJECT_DIR", "CLAUDE_PLUGIN_ROOT", "CLAUDE_NEW_ONE"):
        monkeypatch.setenv(name, "of-the-session")
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", "oauth")
    monkeypatch.setenv("CLAUDE_MEM_HOME", "kept")
    assert failing(agent).kind == "crashed"
    argv, environment = json.loads((tmp_path / "seen").read_text())

    assert "secret" not in " ".join(argv)  # any user of the machine can list the arguments of a process
    assert "Fix the login" not in " ".join(argv)
    login = Path(argv[argv.index("--settings") + 1])
    assert json.loads(login.read_text()) == {"apiKeyHelper": "echo sk-secret"}
    assert login.stat().st_mode & 0o777 == 0o600
    assert argv[argv.index("--tools") + 1] == ""
    assert {"--setting-sources=", "--strict-mcp-config", "--no-session-persistence"} <= set(argv)

    assert "of-the-session" not in environment.values()
    assert "CLAUDECODE" not in environment
    assert environment["CLAUDE_CODE_ENTRYPOINT"] == "sdk-py"
    assert environment["CLAUDE_MEM_INSIDE"] == "1"
    assert environment["CLAUDE_MEM_HOME"] == "kept"
    assert environment["CLAUDE_CODE_OAUTH_TOKEN"] == "oauth"
    assert environment["ANTHROPIC_AUTH_TOKEN"] == "tok-secret"
    assert environment["ANTHROPIC_API_KEY"] == API_KEY
    assert environment["CLAUDE_CODE_USE_BEDROCK"] == "1"
    assert environment["API_TIMEOUT_MS"] == "15000"
    assert "FOO" not in environment
    assert "CLAUDE_CONFIG_DIR" not in environment  # it is the default, and naming it may lose the login

    (home / ".claude" / "settings.json").write_text("{broken")
    assert failing(agent).kind == "crashed"
    argv, _ = json.loads((tmp_path / "seen").read_text())
    assert "--settings" not in argv
    assert not login.exists()


def test_another_claude_dir_is_named(make_agent: MakeAgent, scripted_cli: Callable[[str], str], tmp_path: Path) -> None:
    make_agent()
    cli = scripted_cli("(here / 'seen').write_text(os.environ['CLAUDE_CONFIG_DIR']); sys.exit(3)")
    failing(ClaudeAgent(AgentSettings(cli_path=cli), tmp_path / "work", tmp_path / "elsewhere"))
    assert (tmp_path / "seen").read_text() == str(tmp_path / "elsewhere")


def test_the_factory_makes_what_is_named(tmp_path: Path) -> None:
    names = [create(AgentSettings(name=name), tmp_path, tmp_path).name for name in ("claude", "extractive")]
    assert names == ["claude", "extractive"]
    assert list(tmp_path.iterdir()) == []
    assert os.environ.get("CLAUDE_MEM_INSIDE") is None


@pytest.mark.parametrize(
    ("status", "name", "prose", "ending", "kind", "may_recover"),
    [
        (None, "authentication_failed", "Not logged in", "api_error", "login", False),
        (400, "billing_error", "Credit balance is too low", "api_error", "refused", False),
        (400, "invalid_request", "Prompt is too long", "prompt_too_long", "refused", True),
        (None, "invalid_request", "Haiku can't help with this", "api_error", "refused", True),  # stopped by a filter
        (None, "server_error", "Request timed out. If the API is slow", "api_error", "timeout", True),
        (None, "server_error", "Connection refused", "api_error", "unreachable", True),
        (None, "", "", "error_max_turns", "unreadable", True),
        (503, "", "", "api_error", "overloaded", True),
        (None, "rate_limit", "", "api_error", "rate_limit", True),
    ],
)
def test_every_fault_has_a_kind(
    status: int | None, name: str, prose: str, ending: str, kind: str, may_recover: bool
) -> None:
    error = faults.of_result(status, name, prose, ending)
    assert (error.kind, error.may_recover) == (kind, may_recover)
    assert not prose or prose not in str(error)
