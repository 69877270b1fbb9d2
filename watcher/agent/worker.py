"""Owns the process in which claude-agent-sdk lives: it asks the model for the watcher, and ends with it.

Run as `python -P -m watcher.agent.worker` by `proxy`. It is told what to do on stdin, a line each (see `wire`), and
answers on stdout; batches are under way at once as they come. However the watcher ends, stdin ends too: then every
Claude Code process is ended here, and this one with them.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import suppress

from watcher import __version__
from watcher.agent import faults, wire
from watcher.agent.base import Agent, AgentError, Batch
from watcher.agent.wire import START
from watcher.privacy.redaction import redact


class _Answers:
    """What goes back to the watcher: stdout, and nobody else's."""

    def __init__(self) -> None:
        """Let what others print go to stderr, which is the watcher's log."""
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        self._one_at_a_time = threading.Lock()

    def say(self, number: int, **said: object) -> None:
        """Answer what has that number."""
        left = wire.line({"id": number, **said})
        # Where nobody listens any more, stdin ends too.
        with self._one_at_a_time, suppress(OSError):
            while left:
                left = left[os.write(self._descriptor, left) :]


def main() -> int:
    """Serve until stdin ends; return the exit code."""
    # The terminal's Ctrl-C is for the watcher, which then ends this one in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _Answers()
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    is_ready = threading.Event()
    threading.Thread(target=_hear, args=(heard, is_ready), daemon=True).start()
    try:
        agent = _agent(heard.get())
    except AgentError as error:
        answers.say(START, error=wire.told(error))
        return 1
    is_ready.set()
    answers.say(START)
    while asked := heard.get():
        threading.Thread(target=_answer, args=(agent, asked, answers), daemon=True).start()
    agent.close()
    # Not by way of the interpreter's own end: what did not end in time must not keep this process.
    os._exit(0)


def _hear(heard: queue.SimpleQueue[bytes], is_ready: threading.Event) -> None:
    """Pass on each line, and an empty one at the end; end at once where nothing was begun."""
    for line in sys.stdin.buffer:
        heard.put(line)
    if not is_ready.is_set():
        os._exit(0)
    heard.put(b"")


def _agent(line: bytes) -> Agent:
    """Return the agent that the first line asks for.

    Raises:
        AgentError: it cannot be had.
    """
    try:
        said = wire.message(line)
        if said["version"] != __version__:
            # An upgrade has changed the files under a watcher that runs.
            raise faults.unusable(f"{__version__} is installed by now, and this is {said['version']}")
        start = wire.read(wire.Start, said["start"])
        from watcher.agent.claude import ClaudeAgent  # a second or two: what this process is for
    except (ImportError, KeyError, ValueError) as error:
        _log_defect()
        raise faults.unusable(repr(error)) from error
    return ClaudeAgent(start.settings, start.workdir, start.claude_dir)


def _answer(agent: Agent, line: bytes, answers: _Answers) -> None:
    number = -1
    try:
        said = wire.message(line)
        number = said["id"]
        reply = agent.digest(wire.read(Batch, said["batch"]))
    except AgentError as error:
        answers.say(number, error=wire.told(error))
    except Exception as error:  # noqa: BLE001 - a defect of ours must not have the watcher wait for its answer
        _log_defect()
        answers.say(number, error=wire.told(AgentError(f"defect of claude-mem: {error!r}", kind="crashed")))
    else:
        answers.say(number, reply=reply)


def _log_defect() -> None:
    """Write down what went wrong, and where: stderr is the watcher's log, and messages quote what they are about."""
    sys.stderr.write(redact(traceback.format_exc()))
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
