"""Owns the agent that the watcher holds in place of the model's: it starts a process that asks, and ends it.

What asks a model (claude-agent-sdk) takes a second of CPU to load, and 40 MB for as long as its process lives. So it
lives in a process of its own (see `worker`), started for the first batch and ended once nothing was asked for a while.
Batches and answers go through its stdin and stdout (see `wire`). It ends when its stdin does, whatever ends the
watcher; where it ends by itself, what was under way has failed, and the next batch starts another.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from watcher import __version__, system
from watcher.agent import faults, wire
from watcher.agent.base import AgentError, Batch, Reply
from watcher.agent.wire import START
from watcher.settings import AgentSettings

_COMMAND = (sys.executable, "-P", "-m", "watcher.agent.worker")
_START_TIMEOUT = 30.0  # seconds to get ready; it takes one or two
_ANSWER_GRACE = 30.0  # seconds that an answer may take beyond the time-out that the process itself holds to
_LEAVE_TIMEOUT = 2.0  # seconds for a process that is told to end; it takes 0.1, and 1.2 where its CLI is deaf
_CLOSE_TIMEOUT = 10.0  # seconds for one that is killed to be gone; then it is the kernel's
_LONGEST = 32 << 20  # bytes of a line; the longest answer of the CLI that is taken is a fourth of that

_Why = Callable[[], AgentError]


class AgentProxy:
    """Has a process of its own ask the model; none runs before the first batch, nor for long after the last."""

    name = "claude"

    def __init__(self, settings: AgentSettings, workdir: Path, claude_dir: Path) -> None:
        """Start nothing yet; the arguments are those of `ClaudeAgent`."""
        self._start = wire.Start(settings, workdir, claude_dir)
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []  # the last one is asked; any other is about to be gone
        self._closed = False

    def digest(self, batch: Batch) -> Reply:
        """Answer one batch; blocks until answered."""
        with self._lock:
            if self._closed:
                raise faults.stopped()
            asked = self._workers[-1].expect() if self._workers else None
            if asked is None:
                self._workers = [worker for worker in self._workers if not worker.is_gone]
                self._workers.append(_Worker(self._start))
                asked = self._workers[-1].expect()
            worker = self._workers[-1]
        if asked is None:
            raise faults.unusable("it is gone at once")
        return worker.ask(asked, batch)

    def close(self) -> None:
        """End every running `digest`, which then raises, and wait until the process is gone."""
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.ask_no_more(faults.stopped)
        for worker in workers:
            worker.wait()


@dataclass(slots=True)
class _Asked:
    """One thing that an answer is awaited to."""

    number: int
    until: float  # on the monotonic clock; an answer that is not there by then never comes
    late: _Why
    answer: Future[dict[str, Any]] = field(default_factory=Future)


class _Worker:
    """One process, from its start to its end. Two threads see to it: one listens, one keeps time and ends it."""

    def __init__(self, start: wire.Start) -> None:
        """Start it.

        Raises:
            AgentError: it cannot be started.
        """
        self._timeout = _START_TIMEOUT + start.settings.timeout + _ANSWER_GRACE
        self._idle_limit = start.settings.idle_limit
        self._changed = threading.Condition()
        self._numbers = itertools.count(START)
        self._awaited: dict[int, _Asked] = {}
        self._quiet_since = time.monotonic()
        self._why: _Why | None = None  # it is asked nothing more
        self._writing = threading.Lock()
        try:
            self._process = system.start_piped(_COMMAND)
        except OSError as error:
            raise faults.unusable(error.strerror or repr(error)) from error
        self._stdin, self._stdout = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self._started = self._expect(_START_TIMEOUT, lambda: faults.unusable(f"not ready in {_START_TIMEOUT:g} s"))
        self._listener = threading.Thread(target=self._listen, name="agent listens", daemon=True)
        self._keeper = threading.Thread(target=self._keep, name="agent keeps", daemon=True)
        self._listener.start()
        self._keeper.start()
        self._write({"id": START, "version": __version__, "start": start})

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended, and been waited for."""
        return not self._keeper.is_alive()

    def expect(self) -> _Asked | None:
        """Return what is about to be asked; None where nothing more is."""
        with self._changed:
            # It may be gone a moment before its listener says so.
            if self._why is not None or self._process.poll() is not None:
                return None
            return self._expect(self._timeout, lambda: faults.ended(f"no answer within {self._timeout:g} s"))

    def ask(self, asked: _Asked, batch: Batch) -> Reply:
        """Ask, once the process is ready; blocks until answered.

        Raises:
            AgentError: that is the answer, or none comes.
        """
        try:
            _answer(self._started)
            self._write({"id": asked.number, "batch": batch})
            return wire.read(Reply, _answer(asked)["reply"])
        except (KeyError, ValueError) as error:
            raise faults.ended(f"its answer is none: {error!r}") from error

    def ask_no_more(self, why: _Why) -> None:
        """Have it end; what is still awaited of it fails."""
        with self._changed:
            self._why = self._why or why
            self._changed.notify()

    def wait(self) -> None:
        """Wait until it is gone."""
        self._keeper.join(_CLOSE_TIMEOUT)

    def _expect(self, timeout: float, late: _Why) -> _Asked:
        with self._changed:
            asked = _Asked(next(self._numbers), time.monotonic() + timeout, late)
            self._awaited[asked.number] = asked
            self._changed.notify()
            return asked

    def _write(self, message: object) -> None:
        """Write a message; where the process listens no more, whoever awaits an answer is told by its end."""
        left = wire.line(message)
        # Past the file object, which could not be closed under a write that hangs.
        with self._writing, suppress(OSError):
            while left and not self._stdin.closed:
                left = left[os.write(self._stdin.fileno(), left) :]

    def _listen(self) -> None:
        """Hand out what it answers, until its stdout ends or holds something else."""
        try:
            while line := self._stdout.readline(_LONGEST):
                self._take(wire.message(line))
        except (ValueError, TypeError, RecursionError) as error:
            text = f"what it says is no answer ({type(error).__name__})"
            self.ask_no_more(lambda: faults.ended(text))
            return
        try:
            text = f"exit code {self._process.wait(_LEAVE_TIMEOUT)}"
        except subprocess.TimeoutExpired:
            text = "it has nothing more to say"
        with self._changed:
            was_ready = START not in self._awaited
        self.ask_no_more(lambda: faults.ended(text) if was_ready else faults.unusable(text))

    def _take(self, said: dict[str, Any]) -> None:
        with self._changed:
            asked = self._awaited.pop(said.get("id", -1), None)
            self._quiet_since = time.monotonic()
            self._changed.notify()
        if asked is None:
            raise ValueError("an answer to nothing")
        asked.answer.set_result(said)

    def _keep(self) -> None:
        """See that it answers in time, and that it is gone when it is to be asked no more."""
        with self._changed:
            while self._why is None:
                next_one = min(self._awaited.values(), key=lambda asked: asked.until, default=None)
                until = next_one.until if next_one else self._quiet_since + self._idle_limit
                left = until - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                else:
                    self._why = next_one.late if next_one else faults.stopped
            why, awaited = self._why, list(self._awaited.values())
            self._awaited.clear()
        for asked in awaited:
            asked.answer.set_exception(why())
        self._end()

    def _end(self) -> None:
        """Tell the process to end by the end of its stdin; kill it, and all below it, where it does not."""
        self._let_go_of_stdin()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE_TIMEOUT)
        if self._process.poll() is None:
            system.end_tree(self._process.pid)
        self._process.wait()
        self._let_go_of_stdin()
        self._listener.join(_LEAVE_TIMEOUT)
        if not self._listener.is_alive():
            self._stdout.close()

    def _let_go_of_stdin(self) -> None:
        """Close it, unless a write to it hangs."""
        if self._writing.acquire(timeout=_LEAVE_TIMEOUT):
            try:
                self._stdin.close()
            finally:
                self._writing.release()


def _answer(asked: _Asked) -> dict[str, Any]:
    """Wait for an answer.

    Raises:
        AgentError: that is the answer, or none comes.
        ValueError: it is none.
    """
    said = asked.answer.result()
    if "error" in said:
        raise wire.error(said["error"])
    return said
