"""Whatever happens, in whatever order: what stood in a transcript when it was read is in the memory once, digested.

Vector tests its file source by a random interpreter of Write, Rotate, Delete, Truncate, Read and Pause; this one also
tears lines, rewrites, replaces and moves files, raises flags, lets the agent fail, lets the clock jump, and kills the
watcher at any statement. `CLAUDE_MEM_EXAMPLES` is how many lives are played, one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

pytest.register_assert_rewrite("tests.service.random_model", "tests.service.random_world")

from tests.service import random_model  # noqa: E402 - what it asserts is to be told in full
from tests.service.random_world import SESSIONS, STRANGER, World  # noqa: E402
from watcher.agent import base  # noqa: E402
from watcher.memory.models import FlagKind  # noqa: E402

EXAMPLES = int(os.environ.get("RANDOM_LIVES", "0"))

WHO = st.integers(0, 1)
FILE = st.sampled_from([0, 0, 0, 1, 1, 2, 3])  # the sessions' own transcripts, then those of their subagents
KINDS = st.lists(
    st.sampled_from(["prompt", "queued", "use", "use", "result", "words", "end", "broken", "blank"]), max_size=5
)
THEN = st.sampled_from(["step", "glance", "read", "nothing"])  # what the watcher does before the next thing happens
SHARE = st.floats(0, 1)
SECONDS = st.sampled_from([0.5, 3.0, 40.0, 400.0, 8000.0])
FAULTS = st.lists(st.sampled_from(["overloaded", "unreadable", "timeout"]), min_size=1, max_size=6)


class Life(RuleBasedStateMachine):
    """Two sessions beside a watcher that dies at will."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.is_sound = True

    @initialize(is_there=st.booleans())
    def begin(self, is_there: bool) -> None:
        """With or without Claude Code's list of processes: these sessions are not in it."""
        if is_there:
            self.world.forget_processes()

    # Write

    @rule(file=FILE, kinds=KINDS, then=THEN)
    def append(self, file: int, kinds: list[str], then: str) -> None:
        """Write whole lines; a torn one before them is finished first, as Claude Code does."""
        it = self.world.transcripts()[file]
        new = self.world.lines(kinds, it)
        self.world.put(it, it.content + it.torn + it.held + new)
        it.torn = it.held = b""
        self.go_on(file, then)

    @rule(file=FILE, kind=st.sampled_from(["prompt", "use", "words"]), part=SHARE, then=THEN)
    def write_half_a_line(self, file: int, kind: str, part: float, then: str) -> None:
        it = self.world.transcripts()[file]
        line = self.world.lines([kind], it)
        cut = max(1, int(len(line) * part))
        self.world.put(it, it.content + it.torn + line[:cut])
        it.torn = line[cut:]
        self.go_on(file, then)

    @precondition(lambda self: any(it.torn for it in self.world.transcripts()))
    @rule(then=THEN)
    def lose_the_rest_of_a_line(self, then: str) -> None:
        """Kill the writer mid-line; a resumed session ends the torn line and goes on: it stays broken for ever."""
        file, it = next((file, it) for file, it in enumerate(self.world.transcripts()) if it.torn)
        self.world.put(it, it.content + b"\n")
        it.torn = b""
        self.go_on(file, then)

    # Truncate, Rotate, Delete

    @rule(file=FILE, keep=SHARE, then=THEN)
    def cut_off_the_end(self, file: int, keep: float, then: str) -> None:
        it = self.world.transcripts()[file]
        self.world.put(it, it.content[: int(len(it.content) * keep)])
        it.torn = b"\n" if it.content and not it.content.endswith(b"\n") else b""
        self.go_on(file, then)

    @rule(file=FILE, keep=SHARE, kinds=KINDS, then=THEN, by_rename=st.booleans())
    def rewrite_the_tail(self, file: int, keep: float, kinds: list[str], then: str, by_rename: bool) -> None:
        """Keep a part of it, and go on otherwise: in place, or with another inode in its place."""
        it = self.world.transcripts()[file]
        head = it.content[: int(len(it.content) * keep)]
        it.torn = b""
        self.world.put(it, head[: head.rfind(b"\n") + 1] + self.world.lines(kinds, it), by_rename=by_rename)
        self.go_on(file, then)

    @rule(file=FILE, kinds=KINDS, then=THEN)
    def cut_it_to_nothing_under_a_stale_writer(self, file: int, kinds: list[str], then: str) -> None:
        """The writer goes on at its old offset: a hole of NUL bytes is before its next line."""
        it = self.world.transcripts()[file]
        hole = bytes(len(it.content))
        it.torn = b""
        self.world.put(it, b"")
        self.go_on(file, then)
        if new := self.world.lines(kinds, it):
            self.world.put(it, hole + new)

    @rule(file=FILE, kinds=KINDS, then=THEN)
    def rotate(self, file: int, kinds: list[str], then: str) -> None:
        """Rename it away and begin anew."""
        it = self.world.transcripts()[file]
        if it.path.exists():
            it.path.rename(it.path.with_suffix(".1"))
        it.torn = b""
        self.world.put(it, self.world.lines(kinds, it))
        self.go_on(file, then)

    @rule(file=FILE, then=THEN)
    def copy_the_file(self, file: int, then: str) -> None:
        """Put a copy in its place: another inode, the same content."""
        it = self.world.transcripts()[file]
        self.world.put(it, it.content, by_rename=True)
        self.go_on(file, then)

    @rule(file=FILE)
    def delete(self, file: int) -> None:
        self.world.remove(self.world.transcripts()[file])

    @rule(kinds=KINDS, then=THEN)
    def fork(self, kinds: list[str], then: str) -> None:
        """The second session begins anew, with the history of the first, of which some was not read yet."""
        it = self.world.main[0]
        self.world.put(it, it.content + it.torn + self.world.lines(kinds, it))
        it.torn = b""
        self.world.fork()
        self.go_on(1, then)

    @rule()
    def rename_the_project(self) -> None:
        self.world.move_project()

    # Hooks

    @rule(who=WHO)
    def prompt_hook(self, who: int) -> None:
        self.world.prompted(who)

    @rule(
        who=WHO,
        words=st.sampled_from(["", "there", "not yet", "never"]),
        times=st.integers(1, 2),
        ago=st.sampled_from([0, 0, 400]),
        hours=st.sampled_from([None, None, -6]),
    )
    def stop_hook(self, who: int, words: str, times: int, ago: float, hours: int | None) -> None:
        """Raise `finalize`, perhaps late or twice; what was said last may not be in the transcript yet."""
        it = self.world.main[who]
        if words == "not yet":
            it.held += self.world.line("words", it)
        said = {"": "", "there": it.last_words, "not yet": it.last_words, "never": "Nobody wrote this."}[words]
        for _ in range(times):
            self.world.flag(SESSIONS[who], FlagKind.FINALIZE, path=it.path, ago=ago, last_assistant_message=said)
        if hours is not None:
            self.world.set_clock(hours)

    @rule(file=FILE, times=st.integers(1, 2), ago=st.sampled_from([0, 0, 400]), late=KINDS, then=THEN, last=THEN)
    def session_end_hook(self, file: int, times: int, ago: float, late: list[str], then: str, last: str) -> None:
        """Raise `cleanup`, perhaps late or twice; perhaps not all was written before, or is ever."""
        it = self.world.transcripts()[file]
        new = self.world.lines(late, it)
        for _ in range(times):
            path = self.world.main[file % 2].path
            self.world.flag(SESSIONS[file % 2], FlagKind.CLEANUP, path=path, ago=ago, reason="other")
        self.go_on(file, then)
        self.world.put(it, it.content + it.torn + new)
        it.torn = b""
        self.go_on(file, last)

    @rule(kind=st.sampled_from(list(FlagKind)))
    def hook_of_a_stranger(self, kind: FlagKind) -> None:
        self.world.flag(STRANGER, kind, path=self.world.main[0].path.with_name(f"{STRANGER}.jsonl"))

    # The world

    @rule(seconds=SECONDS)
    def pause(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(hours=st.integers(-12, 12))
    def let_the_clock_jump(self, hours: int) -> None:
        """Set the clock to the right time, or hours away from it: it jumps by up to a day."""
        self.world.set_clock(hours)

    @rule(kinds=FAULTS)
    def let_the_agent_fail(self, kinds: list[str]) -> None:
        self.world.agent.faults += [base.AgentError("no answer", kind=kind) for kind in kinds]

    @rule(file=FILE, kinds=KINDS)
    def go_on_while_the_agent_thinks(self, file: int, kinds: list[str]) -> None:
        def meanwhile(_batch: base.Batch) -> None:
            self.world.agent.meanwhile = None
            self.world.has_gone_on = True
            it = self.world.transcripts()[file]
            self.world.put(it, it.content + it.torn + it.held + self.world.lines(kinds, it))
            it.torn = it.held = b""
            self.world.read(it)

        self.world.agent.meanwhile = meanwhile

    # The watcher

    @rule(statements=st.integers(0, 60))
    def kill_it_soon(self, statements: int) -> None:
        """Let it die when it has made so many statements more."""
        self.world.fuse.left = statements

    @rule(statements=st.integers(0, 40), looks=st.booleans())
    def kill_it_in_a_step(self, statements: int, looks: bool) -> None:
        self.world.fuse.left = statements
        self.step(looks)

    @rule()
    def restart(self) -> None:
        self.see(self.world.restart)

    @rule(looks=st.booleans())
    def let_it_step(self, looks: bool) -> None:
        self.step(looks)

    def step(self, looks: bool) -> None:
        """One round of the watcher; it does not look at every file in each."""
        self.see(lambda: self.world.step(looks=looks))

    def go_on(self, file: int, then: str) -> None:
        """Let the watcher do something before the next thing happens."""
        if then in {"step", "glance"}:
            self.step(looks=then == "step")
        elif then == "read":
            self.see(lambda: self.world.read(self.world.transcripts()[file]))

    def see(self, step: Callable[[], object]) -> None:
        """Let the watcher do something, whether it outlives that or not, and see that the promise is kept."""
        self.is_sound = False
        self.world.alive(step)
        random_model.check(self.world)
        self.is_sound = True

    def teardown(self) -> None:
        try:
            if self.is_sound:  # else what is wrong is told already
                self.see(self.world.settle)
                random_model.check_end(self.world)
        finally:
            self.world.close()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=30,
    deadline=None,
    derandomize=not EXAMPLES,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def busy_world() -> World:
    """Return two sessions with new lines: a turn of one is over, the other ends; the agent is due for both."""
    world = World()
    for who, it in enumerate(world.main):
        world.put(it, world.lines(["prompt", "use", "result", "words", "end", "broken", "prompt", "use"], it))
        world.step()
        world.put(it, it.content + world.lines(["result", "words"], it))
        kind = [FlagKind.FINALIZE, FlagKind.CLEANUP][who]
        world.flag(SESSIONS[who], kind, path=it.path, last_assistant_message=it.last_words)
    world.put(world.sides[0], world.lines(["use", "use"], world.sides[0]))
    return world


def test_a_kill_before_any_commit_of_a_busy_round_costs_nothing() -> None:
    commits = 0
    is_killed = True
    while is_killed:
        world = busy_world()
        try:
            world.fuse.writes_left = commits
            is_killed = not world.alive(world.step)
            random_model.check(world)
            world.settle()
            random_model.check(world)
            random_model.check_end(world)
        finally:
            world.close()
        commits += 1
    assert commits > 4
