"""Owns the reading of tool uses without a model: what was changed, run and looked at.

A tool use's input is JSON text that may have been cut in its middle, or be anything at all; what cannot be
read of it is left out, never an error.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from watcher.agent.base import ToolUse
from watcher.agent.wording import bounded

EDITORS = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
SHELLS = frozenset({"Bash", "PowerShell"})

_LINE = 160  # characters of one quoted line
# What the CLI says of a tool use that never ran; "Permission denied" alone is a command's own trouble.
_DENIED = re.compile(
    r"(?is)user doesn't want to (proceed|take this action)|tool use was rejected"
    r"|permission to use .{0,400}denied|requested permissions? .{0,400}haven't granted"
)
_EXCEPTION = re.compile(r"^(E\s+)?[\w.]*(Error|Exception|Warning|Failure|Exit|Interrupt)\b.{0,200}$")
_TROUBLE = re.compile(
    r"(?i)\b(errors?|fatal|failed|failures?|panic(ked)?|traceback|not found|no such|denied|cannot|can't|unable"
    r"|undefined|unresolved|refused|timed out|segmentation|aborted)\b"
)
_NO_TROUBLE = re.compile(r"(?i)\b(0|no) (errors?|failed|failures?)\b")
_DEFINITION = re.compile(
    r"^[ \t]*(?:(?:export|default|pub(?:\([a-z]+\))?|public|private|protected|static|final|abstract|async)\s+)*"
    r"(?:def|class|function\*?|fn|func|interface|struct|enum|trait|type|const|let|var|module|CREATE TABLE)\s+"
    r"(?:\([^)]*\)\s*)?([A-Za-z_$][\w$]*)",
    re.MULTILINE,
)
_LOOK_ONLY = re.compile(
    r"\s*(ls|cd|pwd|cat|head|tail|echo|which|wc|file|stat|tree|find|grep|rg|sed -n|sleep)\b[^;&|>]*$"
)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to one file."""

    path: str
    old: str  # the text replaced; empty where a file was written
    new: str
    tool_use_id: str

    def words(self) -> str:
        """Say what changed, by the names defined or by the first lines that differ."""
        if names := self.names():
            return names
        if not self.old:
            return f"written, {self.new.count(chr(10)) + 1} lines" if self.new else ""
        gone, come = _differing(self.old, self.new)
        if gone and come:
            return f"`{gone}` → `{come}`"
        return f"added `{come}`" if come else f"removed `{gone}`" if gone else ""

    def names(self) -> str:
        """Say which definitions came, went or changed."""
        before, after = _DEFINITION.findall(self.old), _DEFINITION.findall(self.new)
        groups = (
            ("added", [name for name in after if name not in before]),
            ("removed", [name for name in before if name not in after]),
            ("changed", [name for name in after if name in before]),
        )
        said = [f"{verb} {', '.join(list(dict.fromkeys(names))[:4])}" for verb, names in groups if names]
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Command:
    """One shell command and how it went."""

    text: str
    failed: bool
    outcome: str  # the line of its output that says most; may be empty
    tool_use_id: str

    @property
    def is_look(self) -> bool:
        """Whether it only looked at something, and found it."""
        return not self.failed and only_looks(self.text)

    def words(self) -> str:
        """Say it in one line."""
        went = "failed" if self.failed else "ok"
        return f"`{bounded(self.text, _LINE)}` {went}{f': {self.outcome}' if self.outcome else ''}"


@dataclass(frozen=True, slots=True)
class Look:
    """Something looked at or asked for that changed nothing."""

    words: str
    tool_use_id: str


def edits(uses: Sequence[ToolUse]) -> Iterator[Edit]:
    """Yield every change that was made, in order; refused ones were not made."""
    for use in uses:
        if use.is_error or not (use.name in EDITORS or use.files_modified):
            continue
        given = arguments(use.input)
        paths = use.files_modified or tuple(filter(None, [_text(given, "file_path", "notebook_path", "path")]))
        for path in paths:
            for old, new in changes(given):
                yield Edit(path, old, new, use.tool_use_id)


def changes(given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what an editor's arguments replace, and by what; where a file was written, the former is empty."""
    parts = given.get("edits")
    for part in [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else [given]:
        yield _text(part, "old_string"), _text(part, "new_string", "content", "new_source")


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
        text = _text(arguments(use.input), "command") if use.name in SHELLS else ""
        if text and not is_denied(use):
            failed = has_failed(use)
            yield Command(bounded(text, 300), failed, _outcome(use.output, failed), use.tool_use_id)


def looks(uses: Sequence[ToolUse], project: str) -> Iterator[Look]:
    """Yield what was read, searched, fetched or asked, in order."""
    for use in uses:
        if use.is_error or use.name in SHELLS or use.name in EDITORS or use.files_modified:
            continue
        given = arguments(use.input)
        what = _text(given, "pattern", "query", "url", "description", "prompt", "command", "file_path", "path")
        if use.files_read:
            shown = ", ".join(relative(path, project) for path in use.files_read[:5])
            searched = _text(given, "pattern", "query")
            words = f"searched `{bounded(searched, 80)}` in {shown}" if searched else f"read {shown}"
        elif use.name in ("Read", "NotebookRead") and what:
            words = f"read {relative(what, project)}"
        elif use.name in ("Grep", "Glob", "LS", "WebSearch"):
            words = f"searched `{bounded(what, 80)}`" if what else "searched"
        elif use.name == "WebFetch":
            words = f"fetched {bounded(what, 120)}"
        else:
            called = use.name.removeprefix("mcp__").replace("__", ": ")
            result = next((line for line in use.output.splitlines() if line.strip()), "")
            words = f"{called}: {bounded(what, 80)}" if what else called
            words += f" → {bounded(result, 120)}" if result else ""
        yield Look(words, use.tool_use_id)


def denied(uses: Sequence[ToolUse]) -> Iterator[str]:
    """Yield what the user or a rule did not allow."""
    for use in uses:
        if is_denied(use):
            what = _text(arguments(use.input), "command", "file_path", "url", "description")
            yield f"{use.name} was denied{f': `{bounded(what, 80)}`' if what else ''}"


def is_denied(use: ToolUse) -> bool:
    """Whether a tool use never ran because it was not allowed."""
    return use.is_error and bool(_DENIED.search(use.output[:500]))


def has_failed(use: ToolUse) -> bool:
    """Whether a tool use came to an error; a shell may say so in words alone."""
    return use.is_error or (use.name in SHELLS and bool(re.match(r"\s*Exit code [1-9]", use.output)))


def only_looks(command: str) -> bool:
    """Whether a shell command shows something and does nothing."""
    return bool(_LOOK_ONLY.match(command))


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


def _text(given: dict[str, Any], *names: str) -> str:
    """Return the first of these arguments that holds text."""
    return next((value for name in names if isinstance(value := given.get(name), str) and value), "")


def _differing(old: str, new: str) -> tuple[str, str]:
    """Return the first line that went and the first that came, empty where none did."""
    before = [line for line in old.splitlines() if line.strip()]
    after = [line for line in new.splitlines() if line.strip()]
    gone = come = ""
    for tag, i, _, j, _ in difflib.SequenceMatcher(None, before, after, autojunk=True).get_opcodes():
        if tag in ("replace", "delete"):
            gone = gone or before[i]
        if tag in ("replace", "insert"):
            come = come or after[j]
    return bounded(gone, _LINE // 2), bounded(come, _LINE // 2)


def _outcome(output: str, failed: bool) -> str:
    """Return the line that says how a command went: the trouble where it failed, else its last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not re.match(r"Exit code \d+$|[=\-_~^.\s]+$", line)]
    if not lines:
        return ""
    if failed:
        raised = [line for line in lines if _EXCEPTION.match(line)]
        troubled = [line for line in lines if _TROUBLE.search(line) and not _NO_TROUBLE.search(line)]
        return bounded((raised[-1:] or troubled[:1] or lines[-1:])[0].removeprefix("E  ").strip(), _LINE)
    return bounded(lines[-1].strip("= "), _LINE)
