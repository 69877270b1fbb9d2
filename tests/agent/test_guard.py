"""What stands between the watcher and the CLI: nothing of an agent is left when the watcher is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.agent.conftest import living
from tests.claude_cli import clean_environment, end_tree, wait_until
from tests.messages_api import MessagesAPI, Reply, Request
from watcher import system

pytestmark = pytest.mark.skipif(not system.LINUX, reason="only Linux tells a process of its parent's death")

ROOT = Path(__file__).parents[2]
GUARD = ROOT / "watcher" / "agent" / "guard.py"

# A thread of its own asks, as in the watcher: it is a thread's death that the kernel tells of.
WATCHER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tests.agent.conftest import BATCH
from watcher.agent import cli
from watcher.agent.claude import ClaudeAgent
from watcher.settings import AgentSettings

if "unguarded" in sys.argv:
    cli.guarded = lambda path, folder: (path, {})
home = Path.home()
with ThreadPoolExecutor(1) as pool:
    pool.submit(ClaudeAgent(AgentSettings(), home / ".claude-mem" / "agent", home / ".claude").digest, BATCH).result()
"""


@contextmanager
def watcher(environment: dict[str, str], *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that asks the agent one batch."""
    with subprocess.Popen([sys.executable, "-c", WATCHER, *args], env=environment, cwd=ROOT) as process:
        try:
            yield process
        finally:
            end_tree(process.pid)


def assert_gone(processes: list[psutil.Process]) -> None:
    try:
        wait_until(lambda: not living(processes), timeout=10, otherwise=lambda: f"left: {living(processes)}")
    finally:
        for process in living(processes):
            process.kill()


@pytest.mark.cli
@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_killed_watcher_leaves_no_cli_behind(home: Path, is_guarded: bool) -> None:
    """And would leave one without the guard, which goes on asking: the proof that there is something to guard."""
    asked, killed, asked_again = threading.Event(), threading.Event(), threading.Event()

    def failing_later(_: Request) -> Reply:
        if asked.is_set():
            asked_again.set()
            return Reply("<nothing/>")
        asked.set()
        killed.wait(30)
        return Reply(status=500)

    with MessagesAPI(agent=failing_later) as api:
        environment = clean_environment(home, api.url)
        with watcher(environment, "guarded" if is_guarded else "unguarded") as process:
            assert asked.wait(30)
            below = psutil.Process(process.pid).children(recursive=True)
            assert len(below) == 1 + is_guarded
            process.kill()
            process.wait()
        if is_guarded:
            assert_gone(below)
        killed.set()
        if not is_guarded:
            assert asked_again.wait(10)
        assert_gone(below)
        assert len(api.requests) == 2 - is_guarded


@pytest.mark.cli
def test_a_killed_watcher_leaves_nothing_of_what_the_cli_started(home: Path) -> None:
    helper = home / "helper.sh"
    helper.write_text(f"#!/bin/sh\ntouch {home}/asked\nsleep 60\n")
    helper.chmod(0o755)
    (home / ".claude" / "settings.json").write_text(f'{{"apiKeyHelper": "{helper}"}}')
    with MessagesAPI() as api:
        environment = clean_environment(home, api.url)
        del environment["ANTHROPIC_API_KEY"]
        with watcher(environment) as process:
            wait_until(lambda: any("sleep" in p.name() for p in below_of(process.pid)))
            below = below_of(process.pid)
            process.kill()
            process.wait()
            assert_gone(below)
            assert len(below) >= 4  # the guard, the CLI, the helper, its command
        assert api.requests == []


def below_of(pid: int) -> list[psutil.Process]:
    return living(psutil.Process(pid).children(recursive=True))


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a shell script through the guard, from a folder with a difficult name."""
    folder = tmp_path / 'it\'s a "folder" $HOME'
    folder.mkdir()
    launcher = system.launcher(folder / "guard", GUARD)
    assert launcher is not None
    started: list[subprocess.Popen[str]] = []

    def make(
        script: str,
        *args: str,
        parent: int | None = None,
        shebang: str = "#!/bin/sh",
        by: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        cli = folder / "claude"
        if script:
            cli.write_text(f"{shebang}\n{script}\n")
            cli.chmod(0o755)
        variables = {"CLAUDE_MEM_PARENT": str(parent or os.getpid()), "CLAUDE_MEM_CLI": str(cli)}
        process = subprocess.Popen(
            [*by, launcher, *args], env=os.environ | variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield make
    for process in started:
        end_tree(process.pid)
        process.communicate()


def test_input_output_arguments_and_exit_code_are_the_clis(start: Start) -> None:
    process = start('cat; printf "%s|" "$@" "$CLAUDE_MEM_PARENT$CLAUDE_MEM_CLI"; exit 7', "a b", "", "$x'\"é")
    assert process.communicate("in", timeout=10)[0] == "ina b||$x'\"é||"
    assert process.returncode == 7


@pytest.mark.parametrize(
    ("script", "shebang", "code"),
    [
        ("kill -KILL $$", "#!/bin/sh", 128 + signal.SIGKILL),
        ("", "", 127),
        ("exit 0", "#!/nowhere/node", 127),
        ("no program", "\x7f", 126),
    ],
)
def test_an_end_that_is_no_exit_is_told_as_shells_do(start: Start, script: str, shebang: str, code: int) -> None:
    process = start(script, shebang=shebang)
    process.communicate(timeout=10)
    assert process.returncode == code


def test_the_cli_starts_as_it_would_without_a_guard(start: Start) -> None:
    """Ignored and blocked signals are handed on to a program: Python ignores some, the guard blocks others."""
    process = start("grep -E '^Sig(Blk|Ign)' /proc/self/status")
    inside = process.communicate(timeout=10)[0]
    outside = subprocess.run(
        ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], capture_output=True, text=True, check=True
    ).stdout
    assert inside == outside


def test_the_guard_holds_no_pipe_open(start: Start) -> None:
    process = start("exec >&-; sleep 10")
    assert process.stdout is not None
    assert process.stdout.read() == ""
    assert below_of(process.pid) != []  # it was not merely the end of all


def test_nothing_is_started_for_a_parent_that_is_dead_already(start: Start) -> None:
    process = start("echo started", parent=1)
    assert process.communicate(timeout=10)[0] == ""


def test_the_death_of_the_parent_is_no_request(start: Start) -> None:
    """It ends a CLI that is deaf to requests too, with what it started."""
    by_another = ("sh", "-c", 'CLAUDE_MEM_PARENT=$$ "$0" & wait')
    process = start("trap '' TERM; sleep 60 & echo ready; wait", by=by_another)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    below = below_of(process.pid)
    assert len(below) == 3
    process.kill()
    assert_gone(below)


def test_a_request_to_end_is_passed_on_and_ends_all(start: Start) -> None:
    process = start("trap 'echo ending; exit 0' TERM; sleep 60 & echo ready; wait")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    below = below_of(process.pid)
    process.terminate()
    assert process.communicate(timeout=10)[0] == "ending\n"
    assert process.returncode == 0
    assert_gone(below)


def test_a_crash_of_the_cli_ends_what_it_started(start: Start) -> None:
    process = start("sleep 60 & echo ready; read line; exit 3")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    below = below_of(process.pid)
    assert len(below) == 2
    assert {os.getsid(process.pid) for process in below} == {below[0].pid}  # a session without a terminal
    process.communicate("go\n", timeout=10)
    assert process.returncode == 3
    assert_gone(below)


def test_what_has_left_the_clis_session_is_let_be(start: Start) -> None:
    """A browser that was opened to log in must not be closed with the user's windows in it."""
    process = start("setsid sleep 60 >/dev/null & echo $!; read line; exit 3")
    assert process.stdout is not None
    browser = psutil.Process(int(process.stdout.readline()))
    try:
        wait_until(lambda: os.getsid(browser.pid) == browser.pid)
        process.communicate("go\n", timeout=10)
        assert living([browser]) == [browser]
    finally:
        browser.kill()


def test_the_launcher_is_written_once_and_whole(tmp_path: Path) -> None:
    path = system.launcher(tmp_path / "guard", GUARD)
    assert path == tmp_path / "guard"
    assert path.stat().st_mode & 0o777 == 0o700
    first = path.stat().st_ino
    system.launcher(path, GUARD)
    assert path.stat().st_ino == first
    system.launcher(path, GUARD.with_name("another.py"))
    assert path.stat().st_ino != first
    assert list(tmp_path.iterdir()) == [path]
