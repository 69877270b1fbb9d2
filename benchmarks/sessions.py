"""What a whole session of the real Claude Code costs with claude-mem, and what one more tool call does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.measure import Figure, pairs, progress, temporary_folder, wall_seconds
from tests.claude_cli import ALLOW_TOOLS, cli_path, wait_until
from tests.messages_api import Kind, MessagesAPI, Reply, Request, ToolCall, text_of
from tests.soak import scripted
from tests.world import PLUGIN, World

PAIRS = 9
FEW, MANY = 2, 12  # tool calls
COUNTED = 3  # sessions of each kind
POLL = 0.002  # seconds between two looks for processes, where strace is not at hand
DONE = """
SELECT (SELECT count(*) FROM sdk_sessions WHERE status = 'active'),
    (SELECT count(*) FROM tool_uses WHERE status IN ('open', 'pending')),
    (SELECT count(*) FROM session_summaries WHERE source = 'provisional')
"""


def session_figures() -> Iterator[Figure]:
    """Measure `claude -p` with two tool calls, with the plugin and its watcher, and without."""
    with _two_users() as (user, other):
        user.claude_mem("watch", "--background")

        def say(world: World) -> float:
            plugin = PLUGIN if world is user else ()
            seconds = wall_seconds(lambda: world.say(f"Read it {FEW} times.", plugin=plugin))
            _wait_until_done(world)  # so that its agent is at work beside no other session
            progress(f"session: {seconds:.2f} s {'with' if plugin else 'without'}")
            return seconds

        both = pairs(PAIRS, lambda: say(user), lambda: say(other))
        name = "`claude -p` with two tool calls, plugin and watcher running (agent: claude), wall"
        yield Figure(name, both.against("the same without the plugin"), both.ratios, 1.10)


def tool_call_figures() -> Iterator[Figure]:
    """Count what a session with more tool calls starts and asks, and divide by the calls it has more."""
    counter = _Strace() if shutil.which("strace") else _Polling()
    processes: dict[tuple[bool, int], list[int]] = {}
    requests: dict[int, list[int]] = {}
    with _two_users() as (user, other), counter.watcher(user):
        for number in range(COUNTED):
            for calls in (FEW, MANY):
                for world in (user, other):
                    asked = len(world.api.requests_of(Kind.AGENT))
                    started = counter.count(world, f"Read it {calls} times.", PLUGIN if world is user else ())
                    processes.setdefault((world is user, calls), []).append(started)
                    if world is user:
                        requests.setdefault(calls, []).append(len(world.api.requests_of(Kind.AGENT)) - asked)
                    progress(f"tool-calls: {started} processes, {calls} calls, round {number + 1} of {COUNTED}")
    more = MANY - FEW

    def each(counts: dict[int, list[int]]) -> tuple[float, ...]:
        return tuple((many - few) / more for few, many in zip(counts[FEW], counts[MANY], strict=True))

    with_it, without = (each({calls: processes[plugin, calls] for calls in (FEW, MANY)}) for plugin in (True, False))
    added = tuple(one - other for one, other in zip(with_it, without, strict=True))
    what = f"One more tool call (a session with {MANY} against one with {FEW})"
    told = f"without the plugin: {sum(without) / len(without):.1f} ({counter.means})"
    yield Figure(f"{what}: processes started", told, added, 0, "processes")
    yield Figure(f"{what}: requests of the memory agent", "", each(requests), 0, "requests")


@contextmanager
def _two_users() -> Iterator[tuple[World, World]]:
    """Give two whose model reads a file as often as it is told to; the second is to be without claude-mem."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        api = stack.enter_context(MessagesAPI(_model, agent=lambda request: Reply(scripted.answer(text_of(request)))))
        worlds = [stack.enter_context(World(folder / name, api)) for name in ("with", "without")]
        # The hooks' `python3` may be a shim of a version manager's: forty processes of its own, each time.
        (folder / "bin").mkdir()
        (folder / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
        for world in worlds:
            world.environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{world.environment['PATH']}"
            (world.project / "notes.txt").write_text("Nothing of note.\n")
            world.environment["CLAUDE_MEM_AGENT_QUIET"] = "0"
        yield worlds[0], worlds[1]


def _model(request: Request) -> Reply:
    wanted = re.findall(r"Read it (\d+) times", str(request["messages"]))
    step = sum("tool_result" in str(message) for message in request["messages"])
    if not wanted or step >= int(wanted[-1]):
        return Reply("It says nothing of note.")
    # A tool that starts no process of its own.
    (folder,) = re.findall(r"[^\s\"]+/project", text_of(request))[:1]
    return Reply(tool_uses=[ToolCall("Read", {"file_path": f"{folder}/notes.txt"})])


def _wait_until_done(world: World) -> None:
    if world.rows(DONE):
        world.wait_for_rows(DONE, [(0, 0, 0)], timeout=60.0)


class _Strace:
    """Counts the programs that are run by a session and by the watcher, with strace."""

    means = "strace"

    @contextmanager
    def watcher(self, world: World) -> Iterator[None]:
        """Run the watcher, all that it starts being told."""
        self._trace = world.folder / "watcher.trace"
        command = [*self._traced(self._trace), sys.executable, "-m", "watcher", "watch"]
        with (world.folder / "watch.out").open("wb") as out:
            process = subprocess.Popen(command, cwd=world.home, env=world.environment, stdout=out, stderr=out)
        try:
            wait_until(lambda: world.rows("SELECT pid FROM watchers"))
            yield
        finally:
            for pid in world.watchers():
                psutil.Process(pid).terminate()
            process.wait(30)

    def count(self, world: World, prompt: str, plugin: Sequence[str]) -> int:
        """Return how many programs were run for one session."""
        before = self._executed(self._trace)
        trace = world.folder / "session.trace"
        command = [*self._traced(trace), str(cli_path()), "-p", prompt, *plugin, *ALLOW_TOOLS]
        subprocess.run(
            command,
            cwd=world.project,
            env=world.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )
        _wait_until_done(world)
        return self._executed(trace) + self._executed(self._trace) - before

    def _traced(self, path: Path) -> list[str]:
        return ["strace", "-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", str(path)]

    def _executed(self, path: Path) -> int:
        return sum(" = 0" in line and "execve" in line for line in path.read_text(errors="replace").splitlines())


class _Polling:
    """Counts the processes that are seen, where they live for some milliseconds, by looking again and again."""

    means = f"psutil, looking every {POLL * 1000:.0f} ms"

    @contextmanager
    def watcher(self, world: World) -> Iterator[None]:
        """Run the watcher."""
        world.claude_mem("watch", "--background")
        yield

    def count(self, world: World, prompt: str, plugin: Sequence[str]) -> int:
        """Return how many processes were there during one session, that were not there before it."""
        before, seen, is_over = set(psutil.pids()), Counter[int](), threading.Event()

        def look() -> None:
            while not is_over.wait(POLL):
                seen.update(set(psutil.pids()) - before)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            world.say(prompt, plugin=plugin)
            _wait_until_done(world)
        finally:
            is_over.set()
            looking.join()
        return len(seen)
