"""The process in which the SDK lives: when it begins, when it ends, and that nobody waits for it for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.agent.conftest import BATCH, TURN, MakeProxy, living
from tests.claude_cli import clean_environment, end_tree, wait_until
from tests.messages_api import MessagesAPI, Reply, Request
from tests.service.watcher_process import WatcherProcess
from tests.transcript import lines
from watcher import __version__, system
from watcher.agent import proxy
from watcher.agent.base import AgentError, Batch, Summary

ROOT = Path(__file__).parents[2]
ANSWER = "<summary><request>Fix the login</request></summary>"
LARGE = replace(BATCH, turns=(replace(TURN, prompts=("x" * (1 << 20),)),))  # more than any pipe holds

# What a process does that speaks as `worker` does, in place of asking a model.
SPEAKER = f"""
import json, os, signal, sys, time
from pathlib import Path

lines = iter(sys.stdin.buffer.readline, b"")
start = json.loads(next(lines))
assert start["version"] == {__version__!r}

def say(number, **said):
    os.write(1, json.dumps({{"id": number, **said}}).encode() + b"\\n")

def answer(line):
    say(json.loads(line)["id"], reply={{"observations": [], "summaries": {{1: {{"request": str(os.getpid())}}}}}})
"""


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a few lines of Python take the place of the process."""

    def use(script: str) -> None:
        monkeypatch.setattr(proxy, "_COMMAND", (sys.executable, "-c", f"{SPEAKER}\n{script}"))

    return use


def children() -> list[psutil.Process]:
    """Return the processes that this one has started, and that live."""
    return living(psutil.Process().children())


@contextmanager
def never_answering() -> Iterator[tuple[MessagesAPI, threading.Semaphore]]:
    """An API that does not answer, and what counts how often it was asked."""
    asked = threading.Semaphore(0)

    def never(_: Request) -> Reply:
        asked.release()
        return Reply(delay=60)

    with MessagesAPI(agent=never) as api:
        yield api, asked


def wait_for(asked: threading.Semaphore, times: int) -> None:
    for _ in range(times):
        assert asked.acquire(timeout=60)


def failing(agent: proxy.AgentProxy, batch: Batch = BATCH) -> AgentError:
    with pytest.raises(AgentError) as caught:
        agent.digest(batch)
    return caught.value


# From its start to its end


def test_one_process_answers_batch_after_batch_and_ends_when_idle(
    make_proxy: MakeProxy, speaker: Callable[[str], None]
) -> None:
    speaker("say(0)\nfor line in lines: answer(line)")
    agent = make_proxy(idle_limit=1.0)
    assert children() == []
    first, second = (agent.digest(BATCH).summaries for _ in range(2))
    (process,) = children()
    assert first == second == {1: Summary(request=str(process.pid))}
    wait_until(lambda: children() == [])
    other = agent.digest(BATCH).summaries
    assert other != first


def test_it_is_not_idle_while_it_is_asked(make_proxy: MakeProxy, speaker: Callable[[str], None]) -> None:
    speaker("time.sleep(0.3)\nsay(0)\nfor line in lines: time.sleep(0.3); answer(line)")
    agent = make_proxy(idle_limit=0.05)
    assert agent.digest(BATCH).summaries


@pytest.mark.cli
def test_a_process_that_is_killed_fails_what_is_under_way_and_nothing_after(make_proxy: MakeProxy) -> None:
    """Both batches, with their Claude Codes."""
    is_well = threading.Event()
    asked = threading.Semaphore(0)

    def answer(_: Request) -> Reply:
        asked.release()
        return Reply(ANSWER) if is_well.is_set() else Reply(delay=60)

    with MessagesAPI(agent=answer) as api, ThreadPoolExecutor(2) as pool:
        agent = make_proxy(api.url)
        running = [pool.submit(failing, agent) for _ in range(2)]
        wait_for(asked, 2)
        (worker,) = children()
        below = worker.children(recursive=True)
        assert len(below) == 2 * (1 + system.LINUX)  # a guard and a CLI each
        worker.kill()
        errors = [one.result(timeout=10) for one in running]
        assert [(error.kind, error.may_recover) for error in errors] == [("crashed", True)] * 2
        assert f"exit code {-signal.SIGKILL}" in str(errors[0])
        if system.LINUX:
            wait_until(lambda: not living(below), timeout=10, otherwise=lambda: f"left: {living(below)}")
        is_well.set()
        assert agent.digest(BATCH).summaries == {1: Summary(request="Fix the login")}
    for process in living(below):
        process.kill()


def test_a_process_that_ends_between_two_batches_fails_none(
    make_proxy: MakeProxy, speaker: Callable[[str], None]
) -> None:
    speaker("say(0)\nfor line in lines: answer(line)")
    agent = make_proxy()
    for _ in range(3):
        agent.digest(BATCH)
        (process,) = children()
        process.kill()
        wait_until(lambda: children() == [])


# What is left by whatever ends the watcher

WATCHER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tests.agent.conftest import BATCH
from watcher.agent import create, proxy
from watcher.settings import AgentSettings

if "unguarded" in sys.argv:
    proxy._COMMAND = (sys.executable, "-c", '''
import sys
from watcher.agent import cli, worker
cli.guarded = lambda path, folder: (path, {})
sys.exit(worker.main())
''')
home = Path.home()
with ThreadPoolExecutor(2) as pool:
    agent = create(AgentSettings(), home / ".claude-mem" / "agent", home / ".claude")
    [pool.submit(agent.digest, BATCH) for _ in range(int(sys.argv[1]))]
"""


@pytest.mark.cli
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("guard", "signals"),
    [
        ("guarded", [signal.SIGKILL]),
        ("unguarded", [signal.SIGKILL]),  # the end of the process's stdin is enough
        ("guarded", [signal.SIGTERM]),
    ],
)
def test_a_killed_watcher_leaves_nothing_behind(home: Path, guard: str, signals: list[int]) -> None:
    with never_answering() as (api, asked):
        command = [sys.executable, "-c", WATCHER, "2", guard]
        with subprocess.Popen(command, env=clean_environment(home, api.url), cwd=ROOT) as watcher:
            try:
                wait_for(asked, 2)
                below = psutil.Process(watcher.pid).children(recursive=True)
                assert len(below) == 1 + 2 * (1 + (system.LINUX and guard == "guarded"))
                for number in signals:
                    watcher.send_signal(number)
                watcher.wait(timeout=10)
                wait_until(lambda: not living(below), timeout=10, otherwise=lambda: f"left: {living(below)}")
            finally:
                end_tree(watcher.pid)
        assert len(api.requests) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_watcher_that_is_killed_while_its_process_loads_leaves_nothing_behind(home: Path) -> None:
    command = [sys.executable, "-c", WATCHER, "1"]
    with subprocess.Popen(command, env=clean_environment(home, "http://127.0.0.1:9"), cwd=ROOT) as watcher:
        try:
            wait_until(lambda: psutil.Process(watcher.pid).children())
            below = psutil.Process(watcher.pid).children(recursive=True)
            watcher.kill()
            watcher.wait(timeout=10)
            wait_until(lambda: not living(below), timeout=10, otherwise=lambda: f"left: {living(below)}")
        finally:
            end_tree(watcher.pid)


@pytest.mark.cli
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_an_interrupt_from_the_terminal_is_not_for_the_process(make_proxy: MakeProxy) -> None:
    is_asked, goes_on = threading.Event(), threading.Event()

    def answer(_: Request) -> Reply:
        is_asked.set()
        goes_on.wait(30)
        return Reply(ANSWER)

    with MessagesAPI(agent=answer) as api, ThreadPoolExecutor(1) as pool:
        running = pool.submit(make_proxy(api.url).digest, BATCH)
        assert is_asked.wait(60)
        (worker,) = children()
        worker.send_signal(signal.SIGINT)
        goes_on.set()
        assert running.result(timeout=30).summaries == {1: Summary(request="Fix the login")}


# A process that is not as it should be


@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        ("sys.exit(3)", "missing", "exit code 3"),
        ("os.kill(os.getpid(), 11)", "missing", "exit code -11"),
        ("say(0, error={'message': 'no such thing', 'kind': 'missing'})", "missing", "no such thing"),
        ("os.close(1); time.sleep(60)", "missing", "nothing more to say"),
        ("time.sleep(60)", "missing", "not ready"),
        ("say(0); next(lines); sys.exit(3)", "crashed", "exit code 3"),
        ("say(0); next(lines); os.write(1, b'Traceback\\n'); time.sleep(60)", "crashed", "no answer"),
        ("say(0); next(lines); os.write(1, b'\\xff\\x00\\n'); time.sleep(60)", "crashed", "no answer"),
        ("say(0); next(lines); os.write(1, b'[1]\\n'); time.sleep(60)", "crashed", "no answer"),
        ("say(0); next(lines); os.write(1, b'[' * 300000 + b'\\n'); time.sleep(60)", "crashed", "no answer"),
        ("say(0); next(lines); say(77); time.sleep(60)", "crashed", "no answer"),
        ("say(0); next(lines); say([]); time.sleep(60)", "crashed", "no answer"),
        ("say(0); next(lines); say(1); time.sleep(60)", "crashed", "its answer is none"),
        ("say(0); next(lines); say(1, reply={'summary': 1}); time.sleep(60)", "crashed", "its answer is none"),
        ("say(0); next(lines); say(1, error={}); time.sleep(60)", "crashed", "its answer is none"),
        ("say(0); next(lines)\nwhile True: os.write(1, b'x' * 65536)", "crashed", "no answer"),
        ("say(0); next(lines)\nwhile True: say(1, reply={'observations': [], 'summary': 1})", "crashed", "none"),
        ("say(0); next(lines); time.sleep(60)", "crashed", "no answer within"),
        ("say(0); time.sleep(60)", "crashed", "no answer within"),
    ],
)
def test_a_process_that_is_unwell_is_a_clear_error(
    make_proxy: MakeProxy,
    speaker: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    kind: str,
    text: str,
) -> None:
    """And gone soon after, whatever it does."""
    starting = "not ready" in text
    monkeypatch.setattr(proxy, "_START_TIMEOUT", 0.3 if starting else 20.0)
    monkeypatch.setattr(proxy, "_ANSWER_GRACE", -19.0 if "within" in text else 0.0)
    monkeypatch.setattr(proxy, "_LEAVE_TIMEOUT", 0.2)
    monkeypatch.setattr(proxy, "_LONGEST", 1 << 20)
    speaker(script)
    error = failing(make_proxy(timeout=2.0), LARGE)
    assert (error.kind, error.may_recover) == (kind, True)
    assert text in str(error)
    assert bool(error.hint) is (kind == "missing" and text != "no such thing")
    if "its answer is none" not in text:  # one bad answer does not end it
        wait_until(lambda: children() == [])


@pytest.mark.parametrize(
    "script",
    [
        "time.sleep(60)",
        "say(0); time.sleep(60)",
        "say(0); next(lines); time.sleep(60)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); say(0); next(lines); os.close(1); time.sleep(60)",
        "say(0); next(lines)\nwhile True: os.write(1, b'x' * 65536)",
    ],
)
def test_close_does_not_wait_for_a_process_that_hangs(
    make_proxy: MakeProxy, speaker: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """Nor for a batch that nobody reads."""
    speaker(script)
    agent = make_proxy()
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(failing, agent, batch) for batch in (BATCH, LARGE)]
        wait_until(lambda: children() != [])
        time.sleep(0.3)  # no matter how far it is by then
        begun = time.monotonic()
        agent.close()
        assert time.monotonic() - begun < proxy._CLOSE_TIMEOUT
        assert children() == []
        assert {one.result(timeout=5).kind for one in running} <= {"stopped", "crashed"}
    assert failing(agent).kind == "stopped"


def test_a_process_that_is_deaf_is_killed_with_what_it_started(
    make_proxy: MakeProxy, speaker: Callable[[str], None], tmp_path: Path
) -> None:
    speaker(
        "import subprocess\n"
        "below = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)\n"
        "for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_IGN)\n"
        "say(0)\nfor line in lines: answer(line)\ntime.sleep(60)"
    )
    agent = make_proxy()
    agent.digest(BATCH)
    (process,) = children()
    below = process.children()
    assert len(below) == 1
    agent.close()
    assert not living([process])
    wait_until(lambda: not living(below))


def test_a_process_that_cannot_be_started(make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "_COMMAND", ("/nowhere/python",))
    error = failing(make_proxy())
    assert error.kind == "missing"
    assert "No such file" in str(error)
    assert error.hint


# The real one, and what is in it


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        ("worker.__version__ = '99.0'", "99.0 is installed by now"),
        ("sys.modules['claude_agent_sdk'] = None", "claude_agent_sdk"),
    ],
)
def test_a_process_of_another_installation_is_no_fault_of_the_batch(
    make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch, patch: str, text: str
) -> None:
    """An upgrade may have changed the files under a watcher that runs."""
    script = f"import sys\nfrom watcher.agent import worker\n{patch}\nsys.exit(worker.main())"
    monkeypatch.setattr(proxy, "_COMMAND", (sys.executable, "-c", script))
    error = failing(make_proxy())
    assert error.kind == "missing"
    assert text in str(error)
    assert "--stop" in error.hint


def test_what_is_printed_in_it_is_no_answer_but_in_the_log(
    make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = """
import os, sys
from watcher.agent import base, claude, worker

def digest(self, batch):
    print("printed by a library", flush=True)
    os.system("echo and by a program")
    if batch.project == "defect":
        raise ZeroDivisionError("by nothing")
    if batch.project == "telling":
        raise ZeroDivisionError("of AKI" + "AIOSFODNN7EXAMPL2")
    return base.Reply((), {1: base.Summary(request="R")})

claude.ClaudeAgent.digest = digest
sys.exit(worker.main())
"""
    monkeypatch.setattr(proxy, "_COMMAND", (sys.executable, "-c", script))
    agent = make_proxy()
    assert agent.digest(BATCH).summaries == {1: Summary(request="R")}
    error = failing(agent, replace(BATCH, project="defect"))
    assert (error.kind, str(error)) == ("crashed", "defect of claude-mem: ZeroDivisionError('by nothing')")
    failing(agent, replace(BATCH, project="telling"))
    assert agent.digest(BATCH).summaries == {1: Summary(request="R")}
    agent.close()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "of [redacted: aws-access-key]" in captured.err
    assert "IOSFODNN" not in captured.err
    assert "printed by a library" in captured.err
    assert "and by a program" in captured.err
    assert "Traceback" in captured.err


def modules_of(pid: int) -> set[str]:
    """Return the packages whose compiled modules a process has loaded."""
    paths = [Path(mapped.path) for mapped in psutil.Process(pid).memory_maps()]
    return {path.parts[path.parts.index("site-packages") + 1] for path in paths if "site-packages" in path.parts}


@pytest.mark.cli
@pytest.mark.skipif(not system.LINUX, reason="only Linux shows what a process has mapped")
def test_the_watcher_itself_never_loads_the_sdk(tmp_path: Path) -> None:
    at = int(time.time() * 1000) - lines.BEGIN
    with WatcherProcess(tmp_path) as watcher, MessagesAPI(agent=lambda _: Reply(ANSWER)) as api:
        watcher.environment |= clean_environment(tmp_path, api.url) | {"CLAUDE_MEM_AGENT": "claude"}
        watcher.start()
        watcher.write(lines.turn(at, 1), session="a")
        watcher.wait_for_rows("SELECT source FROM session_summaries", [("agent",)])
        (worker,) = living(psutil.Process(watcher.pid).children())
        heavy = {"cryptography", "rpds"}  # what the SDK alone brings with it
        assert heavy & modules_of(worker.pid)
        assert not heavy & modules_of(watcher.pid)
        assert watcher.end() == 0
        assert not living([worker])
