"""Owns how a turn's commands went in the end: what still fails, and what failed first and passes now.

A command is the same when its essence is; a test is the same whatever command ran it, as long as its runner is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from watcher.agent.actions import Command
from watcher.agent.wording import bounded

FAILS = "fails{}"
PASSES_NOW = "was failing{}, passes now"
FAILED_WITH_IT = "failed{} with what was taken back"

_TESTS = 8  # told by name
_ERROR = 140  # characters


@dataclass(slots=True)
class Attempts:
    """What came of all commands of a turn that did more than look."""

    passing: list[Command] = field(default_factory=list)  # the last of each that passed
    failing: list[Command] = field(default_factory=list)  # the last of each that failed
    mended: list[Command] = field(default_factory=list)  # the last failure of each that passed later
    failing_tests: dict[str, str] = field(default_factory=dict)  # by name, with the error's last line
    mended_tests: dict[str, str] = field(default_factory=dict)


def told(commands: Iterable[Command]) -> Attempts:
    """Return how the commands of a turn went in the end."""
    run = [command for command in commands if not command.is_look]
    last = {command.text: command for command in run}
    attempts = Attempts()
    tests = _Tests()
    for command in run:
        tests.take(command)
    solved_by_tests = {command.tool_use_id for command in run if _is_solved(command, run, tests)}
    for command in run:
        final = last[command.text]
        if command is final and not command.failed:
            attempts.passing.append(command)
        elif command is final and command.tool_use_id not in solved_by_tests:
            attempts.failing.append(command)
        elif command.failed and not (command.run and command.run.failing):
            later = [other for other in run[run.index(command) + 1 :] if other.text == command.text]
            if not any(other.failed for other in later) and not final.failed:
                attempts.mended.append(command)
    attempts.failing_tests, attempts.mended_tests = tests.failing, tests.mended
    return attempts


def tests_words(tests: dict[str, str], verb: str) -> list[str]:
    """Say of each test how it does, `verb` with a place for the error: "was failing{}, passes now"."""
    said = [
        f"{name} {verb.format(f' ({bounded(error, _ERROR)})' if error else '')}"
        for name, error in list(tests.items())[:_TESTS]
    ]
    return [*said, f"{len(tests) - _TESTS} more {verb.format('')}"] if len(tests) > _TESTS else said


@dataclass(slots=True)
class _Tests:
    """What is known of each test as the runs go by."""

    failing: dict[str, str] = field(default_factory=dict)
    mended: dict[str, str] = field(default_factory=dict)
    _ran_by: dict[str, tuple[str, str]] = field(default_factory=dict)  # a failing test's runner and command

    def take(self, command: Command) -> None:
        """Take one run in."""
        run = command.run
        if run is None:
            return
        for name in [name for name in self.failing if name not in run.failing and self._was_run(name, command)]:
            self.mended[name] = self.failing.pop(name)
        for name, error in run.failing.items():
            self.mended.pop(name, None)
            self.failing[name] = error or self.failing.get(name, "")
            self._ran_by[name] = (run.runner, command.text)

    def _was_run(self, name: str, command: Command) -> bool:
        """Whether a test that failed before was among those that a command ran."""
        runner, text = self._ran_by[name]
        if command.run is None or command.run.runner != runner:
            return False
        targets = _targets(command.text)
        return command.text == text or not targets or any(_names(target, name) for target in targets)


def _targets(command: str) -> list[str]:
    """Return the files, folders and tests that a run is of; none where it is of all."""
    words = [word for word in command.split()[1:] if not word.startswith("-") and "..." not in word]
    return [word for word in words if re.search(r"[./:\\]", word)]


def _names(target: str, test: str) -> bool:
    """Whether a target holds a test; "tests/test_login.py" and "tests.test_login" are the same."""
    plain, whole = (re.sub(r"\.py\b|[^\w]+", " ", text).split() for text in (target, test))
    return whole[: len(plain)] == plain or plain[-1:] == whole[-1:]


def _is_solved(command: Command, run: Sequence[Command], tests: _Tests) -> bool:
    """Whether a run of tests that failed is made good by a later one, run by another command."""
    if not (command.failed and command.run and command.run.failed):
        return False
    if command.run.failing:
        return not any(name in tests.failing for name in command.run.failing)
    later = run[run.index(command) + 1 :]
    return any(other.run and other.run.runner == command.run.runner and not other.failed for other in later)
