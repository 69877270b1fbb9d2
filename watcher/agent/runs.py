"""Owns the reading of how a command went: what test runners, linters and compilers say at their end.

A table of closing lines and no parser. What a runner says counts more than the exit code, for that is often a
pipe's: `… | tail` succeeds whatever went before. Times are left out: they say nothing, and differ every time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from watcher.agent.wording import bounded

_SAID = 160  # characters of a closing line, and of an error


@dataclass(frozen=True, slots=True)
class Run:
    """One run of tests, as its runner tells it."""

    runner: str  # "pytest"
    said: str  # "1 failed, 4 passed"
    failed: bool
    failing: dict[str, str] = field(default_factory=dict)  # tests by name, each with its error's last line, or none


@dataclass(frozen=True, slots=True)
class _Runner:
    """What a runner's words look like: groups are what is told of them."""

    name: str
    closing: re.Pattern[str]
    failed: re.Pattern[str]  # in a closing line
    test: re.Pattern[str]  # one that failed; a group `error` is what it failed with


def _runner(name: str, closing: str, failed: str, test: str) -> _Runner:
    return _Runner(name, re.compile(closing, re.MULTILINE), re.compile(failed), re.compile(test, re.MULTILINE))


_COUNTED = r"(?:failed|passed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun)"
# The order matters: what is most telling stands first.
_RUNNERS = (
    _runner(
        "pytest",
        rf"^(?:=+ )?((?:\d+ {_COUNTED}(?:, )?)+|no tests ran) in [\d.]+s",
        r"\b(failed|errors?)\b",
        r"^(?:FAILED|ERROR) (\S+?\.py.*?)(?: - (?P<error>.*))?$",
    ),
    _runner(
        "unittest",
        r"^Ran (\d+ tests?) in [\d.]+s\s+((?:OK|FAILED|NO TESTS RAN)\b(?: \(.+\))?)$",
        r"FAILED",
        r"^(?:FAIL|ERROR): \w+ \(([\w.]+)\)",
    ),
    _runner("jest", r"^Tests:\s+(.*\d+ total)$", r"\d failed", r"^\s*● (.+ › .+)$"),
    _runner("vitest", r"^\s*Tests\s+(\d.*)\s+\(\d+\)$", r"\d failed", r"^\s*(?:FAIL|×)\s+(.+ > .+?)(?: \d+ms)?$"),
    _runner(
        "mocha",
        r"^\s*(\d+ passing)(?: \(.+\))?$(?:\s+^\s*(\d+ pending)$)?(?:\s+^\s*(\d+ failing)$)?",
        r"\d failing",
        r"^\s+\d+\) (.+\n\s+.+):$",
    ),
    _runner("go test", r"^(ok|FAIL) *\t(\S+)", r"^FAIL", r"^\s*--- FAIL: (\S+)"),
    _runner(
        "cargo test",
        r"^test result: (ok|FAILED)\. (\d+ passed; \d+ failed)",
        r"FAILED",
        r"^---- (\S+) stdout ----$",
    ),
    _runner(
        "maven",
        r"^(?:\[\w+\] )?(Tests run: \d+, Failures: \d+, Errors: \d+(?:, Skipped: \d+)?)$",
        r"(Failures|Errors): [1-9]",
        r"^\[ERROR\]\s+(\w[\w.$]*\.\w+):\d+\S*\s+(?P<error>.*)$",
    ),
    _runner(
        "gradle",
        r"^(\d+ tests? completed, \d+ failed)|^(BUILD (?:SUCCESSFUL|FAILED)) in",
        r"[1-9]\d* failed|FAILED",
        r"^(\S.* > .+) FAILED$",
    ),
    _runner(
        "dotnet test",
        r"^\s*(?:Passed|Failed)!\s+- (Failed:\s+\d+, Passed:\s+\d+)",
        r"Failed:\s+[1-9]",
        r"^\s+(?:Failed|X) (\S+) \[.+\]$",
    ),
    _runner("rspec", r"^(\d+ examples?, \d+ failures?)", r"\b[1-9]\d* failure", r"^rspec (\S+ # .+)$"),
    _runner(
        "minitest",
        r"^(\d+ (?:runs|tests), \d+ assertions, \d+ failures, \d+ errors)",
        r"\b[1-9]\d* (failures|errors)",
        r"^\s*(?:\d+\) )?(?:Failure|Error):\s*\n(\S+)",
    ),
    _runner(
        "phpunit",
        r"^OK \((\d+ tests?), .*\)$|^(Tests: \d+, Assertions: \d+.*?)\.?$",
        r"(Errors|Failures): [1-9]",
        r"^\d+\) (\S+::\S+)",
    ),
    _runner("node --test", r"^(?:#|ℹ) (pass \d+)\n(?:#|ℹ) (fail \d+)$", r"fail [1-9]", r"^\s*not ok \d+ - (.+)$"),
    _runner(
        "ctest", r"^(\d+% tests passed, \d+ tests failed out of \d+)", r"[1-9]\d* tests failed", r"- (.+) \(Failed\)"
    ),
)
# Linters and compilers: the line that counts what they found.
_FOUND = re.compile(
    r"""
      ^.{0,40}?\b(?:found\ [1-9]\d*\ (?:errors?|problems?|issues?)
      | [1-9]\d*\ (?:errors?|problems?)\ (?:generated|found)
      | [1-9]\d*\ problems?\ \([1-9]\d*\ error).*$
    | ^error:\ (?:could\ not\ compile|aborting\ due\ to).*$
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_ANSI = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_EXCEPTION = re.compile(r"^(E\s+)?[\w.]*(Error|Exception|Warning|Failure|Exit|Interrupt)\b(?!\s*in\b).*$")
_TROUBLE = re.compile(
    r"(?i)\b(errors?|fatal|failed|failures?|panic(ked)?|traceback|not found|no such|denied|cannot|can't|unable"
    r"|undefined|unresolved|refused|timed out|segmentation|aborted)\b"
)
_NO_TROUBLE = re.compile(r"(?i)\b(0|no) (errors?|failed|failures?)\b")
# The last is what Claude Code puts around the beginning of an output that it keeps in a file of its own.
_SAYS_NOTHING = re.compile(
    r"Exit code \d+$|[=\-_~^.\s]+$|\((?:Bash|Shell|Command) completed with no output\)$|</?persisted-output>$"
)


def read(output: str) -> Run | None:
    """Return what a test runner said at the end of a command's output; None where none did."""
    text = _ANSI.sub("", output)
    for runner in _RUNNERS:
        if ends := list(runner.closing.finditer(text)):
            bad = [end for end in ends if runner.failed.search(end[0])]
            said = ", ".join(filter(None, (bad or ends)[-1].groups()))
            return Run(runner.name, bounded(said, _SAID), bool(bad), _failing(runner, text) if bad else {})
    return None


def found_errors(output: str) -> bool:
    """Whether a linter or a compiler counted errors, whatever the exit code says."""
    return bool(_FOUND.search(_ANSI.sub("", output)))


def last_words(output: str, *, failed: bool) -> str:
    """Return the line that says how a command went: the trouble where it failed, else its last one; empty for none."""
    text = _ANSI.sub("", output)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not _SAYS_NOTHING.match(line)]
    if not lines:
        return ""
    if not failed:
        return bounded(lines[-1].strip("= "), _SAID)
    raised = [line for line in lines if _EXCEPTION.match(line)]
    troubled = [line for line in lines if _TROUBLE.search(line) and not _NO_TROUBLE.search(line)]
    if found := _FOUND.search(text):
        first = next((line for line in troubled if line != found[0].strip()), "")
        return bounded(f"{found[0].strip(' .')}{f': {first}' if first else ''}", _SAID)
    return bounded((raised[-1:] or troubled[:1] or lines[-1:])[0].removeprefix("E  ").strip(), _SAID)


def _failing(runner: _Runner, text: str) -> dict[str, str]:
    """Return the tests that failed, and with what."""
    tests = list(runner.test.finditer(text))
    failing: dict[str, str] = {}
    for test, following in zip(tests, [*tests[1:], None], strict=True):
        groups = test.groupdict()
        block = text[test.end() : following.start() if following else len(text)]
        error = groups.get("error") or _error(runner.closing.split(block, maxsplit=1)[0])
        name = bounded(test[1], _SAID)
        failing[name] = failing.get(name) or bounded(error, _SAID)
    return failing


def _error(block: str) -> str:
    """Return the last line in what was said of a test that names an exception; else its first one."""
    lines = [line.strip() for line in block.split("\n\n\n")[0].splitlines()]
    lines = [line for line in lines if line and not _SAYS_NOTHING.match(line)]
    raised = [line for line in lines if _EXCEPTION.match(line)]
    # A traceback without its end was cut.
    return (raised[-1:] or ([] if "Traceback (most recent call last)" in block else lines[:1]) or [""])[0]
