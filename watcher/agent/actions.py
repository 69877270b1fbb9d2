"""Owns the reading of tool uses without a model: what was run, looked at and denied.

A tool use's input is JSON text that may have been cut in its middle, or be anything at all; what cannot be
read of it is left out, never an error.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from watcher.agent import runs, shell
from watcher.agent.base import ToolUse
from watcher.agent.runs import Run
from watcher.agent.wording import bounded

EDITORS = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
SHELLS = frozenset({"Bash", "PowerShell"})

_LINE = 160  # characters of one quoted command
_VERBS = frozenset({"read", "searched", "fetched"})
# What the CLI says of a tool use that never ran; "Permission denied" alone is a command's own trouble.
_DENIED = re.compile(
    r"(?is)user doesn't want to (proceed|take this action)|tool use was rejected"
    r"|permission to use .{0,400}denied|requested permissions? .{0,400}haven't granted"
)


@dataclass(frozen=True, slots=True)
class Command:
    """One shell command and how it went."""

    text: str  # its essence (see `shell`)
    failed: bool
    outcome: str  # the line of its output that says most; may be empty
    run: Run | None  # where it ran tests
    is_look: bool  # it only looked at something, whether it was there or not
    is_trial: bool  # it only tried something out
    tool_use_id: str

    def words(self) -> str:
        """Say it in one line."""
        went = "failed" if self.failed else "ok"
        return f"`{bounded(self.text, _LINE)}` {went}{f': {self.outcome}' if self.outcome else ''}"


@dataclass(frozen=True, slots=True)
class Look:
    """Something looked at or asked for that changed nothing."""

    verb: str  # "read"; a tool's own name, where what it does is not known
    what: str
    result: str
    tool_use_id: str

    def words(self) -> str:
        """Say it in one line."""
        said = f"{self.verb}{' ' if self.verb in _VERBS else ': '}{self.what}" if self.what else self.verb
        return f"{said} → {self.result}" if self.result else said


def changes(given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what an editor's arguments replace, and by what; where a file was written, the former is empty."""
    parts = given.get("edits")
    for part in [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else [given]:
        yield text_of(part, "old_string"), text_of(part, "new_string", "content", "new_source")


def differing(old: str, new: str) -> tuple[str, str]:
    """Return two texts without the lines that they begin and end with alike, but for one on either side."""
    before, after = old.split("\n"), new.split("\n")
    most = min(len(before), len(after))
    first = next((n for n in range(most) if before[n] != after[n]), most)
    last = next((n for n in range(most - first) if before[-1 - n] != after[-1 - n]), most - first)
    skipped, left = max(0, first - 1), max(0, last - 1)
    return "\n".join(before[skipped : len(before) - left]), "\n".join(after[skipped : len(after) - left])


def commands(uses: Sequence[ToolUse]) -> Iterator[Command]:
    """Yield every shell command, in order; those the user denied were not run."""
    for use in uses:
        text = command_of(use)
        if not text or is_denied(use):
            continue
        is_look = shell.only_looks(text)
        run = None if is_look else runs.read(use.output)
        says_so = not is_look and ((run is not None and run.failed) or runs.found_errors(use.output))
        failed = has_failed(use) or says_so
        # Of "pytest && mypy" the tests may have passed, and the whole have failed.
        outcome = run.said if run and run.failed == failed else runs.last_words(use.output, failed=failed)
        yield Command(
            bounded(shell.essence(text), 300), failed, outcome, run, is_look, shell.only_tries(text), use.tool_use_id
        )


def looks(uses: Sequence[ToolUse], project: str) -> Iterator[Look]:
    """Yield what was read, searched, fetched or asked, in order."""
    for use in uses:
        if use.is_error or use.name in SHELLS or use.name in EDITORS or use.files_modified:
            continue
        given = arguments(use.input)
        what = text_of(given, "pattern", "query", "url", "description", "prompt", "command", "file_path", "path")
        verb, result = "", ""
        if use.files_read:
            verb, shown = "read", ", ".join(relative(path, project) for path in use.files_read[:5])
            searched = text_of(given, "pattern", "query")
            verb = "searched" if searched else "read"
            what = f"`{bounded(searched, 80)}` in {shown}" if searched else shown
        elif use.name in ("Read", "NotebookRead") and what:
            verb, what = "read", relative(what, project)
        elif use.name in ("Grep", "Glob", "LS", "WebSearch"):
            verb, what = "searched", f"`{bounded(what, 80)}`" if what else ""
        elif use.name == "WebFetch":
            verb, what = "fetched", bounded(what, 120)
        else:
            verb, what = use.name.removeprefix("mcp__").replace("__", ": "), bounded(what, 80)
            result = bounded(next((line for line in use.output.splitlines() if line.strip()), ""), 120)
        yield Look(verb, what, result, use.tool_use_id)


def seen(uses: Sequence[ToolUse], project: str) -> list[str]:
    """Say what was looked at, grouped: what was read ten times is one thing."""
    groups: dict[str, Counter[str]] = {}
    others: dict[str, None] = {}
    for look in looks(uses, project):
        if look.result or not look.what:
            others[look.words()] = None
        else:
            groups.setdefault(look.verb, Counter())[look.what] += 1
    for command in commands(uses):
        if command.is_look:
            groups.setdefault("looked with", Counter())[f"`{bounded(command.text, 80)}`"] += 1
    told = [
        f"{verb} {', '.join(f'{what} ({count} times)' if count > 1 else what for what, count in things.items())}"
        for verb, things in groups.items()
    ]
    trials = [command.words() for command in commands(uses) if command.is_trial]
    return [*told, *others, *(f"tried {words}" for words in dict.fromkeys(trials))]


def denied(uses: Sequence[ToolUse]) -> Iterator[str]:
    """Yield what the user or a rule did not allow."""
    for use in uses:
        if is_denied(use):
            what = text_of(arguments(use.input), "command", "file_path", "url", "description")
            yield f"{use.name} was denied{f': `{bounded(what, 80)}`' if what else ''}"


def is_denied(use: ToolUse) -> bool:
    """Whether a tool use never ran because it was not allowed."""
    return use.is_error and bool(_DENIED.search(use.output[:500]))


def has_failed(use: ToolUse) -> bool:
    """Whether a tool use came to an error; a shell may say so in words alone."""
    return use.is_error or (use.name in SHELLS and bool(re.match(r"\s*Exit code [1-9]", use.output)))


def command_of(use: ToolUse) -> str:
    """Return a shell's command; empty for any other tool."""
    return text_of(arguments(use.input), "command") if use.name in SHELLS else ""


def arguments(text: str) -> dict[str, Any]:
    """Return a tool's arguments; of JSON that was cut, the string values that can still be told."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        found = re.findall(r'"(\w+)"\s*:\s*"((?:[^"\\]|\\.)*)', text)
        return {name: _unquoted(value) for name, value in reversed(found)}
    return given if isinstance(given, dict) else {}


def relative(path: str, project: str) -> str:
    """Return a path as seen from the project, where it is inside."""
    try:
        return str(PurePath(path).relative_to(project)) if project else path
    except ValueError:
        return path


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(f'"{value.removesuffix(chr(92))}"', strict=False))
    except ValueError:
        return value


def text_of(given: dict[str, Any], *names: str) -> str:
    """Return the first of these arguments that holds text."""
    return next((value for name in names if isinstance(value := given.get(name), str) and value), "")
