"""Owns which tool uses are not worth remembering: what only looks, and what reads the memory itself.

What comes back from the memory must not go into it again as if it were news. The rules stand in the settings, under
`[capture]`; that the memory's own tools and files are left out does not.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from watcher.settings import CaptureSettings

_OWN_TOOLS = "mcp__*claude-mem*"  # what the memory answers must not come back as news, whatever the settings say
_SHELLS = frozenset({"Bash", "PowerShell"})
_PATHS = ("file_path", "notebook_path", "path")
_READERS = frozenset({"Glob", "Grep", "LS", "NotebookRead", "Read"})
# What shows a file or searches one; any other command that names the memory may do something about it.
_LOOKS = frozenset(
    {
        "bat",
        "cat",
        "dir",
        "find",
        "gc",
        "grep",
        "head",
        "jq",
        "less",
        "ls",
        "more",
        "rg",
        "sed",
        "sqlite3",
        "stat",
        "tail",
        "tree",
        "type",
        "wc",
    }
)
# A command of commands, and what lets one write or run another.
_JOINTS = re.compile(r"&&|\|\|?|;|\n")
_HARMLESS = re.compile(r"\d?>\s*(?:&\d|/dev/null)|2>&1")
_MORE = re.compile(r"[<>`]|\$\(|(?<!&)&(?!&)")


class Noise:
    """Knows what is left out."""

    def __init__(self, capture: CaptureSettings, memory: Path) -> None:
        """Take the rules, and the memory's own folder."""
        self._tools = _any_of((*capture.skip_tools, _OWN_TOOLS))
        self._commands = [pattern.split() for pattern in capture.skip_commands]
        self._homes = tuple(_spellings(memory))

    def is_noise(self, name: str, given: Mapping[str, object]) -> bool:
        """Say whether a call of a tool with these arguments is left out."""
        if self._tools.match(name):
            return True
        if name in _SHELLS:
            command = given.get("command")
            return isinstance(command, str) and self._only_looks(command)
        if name in _READERS:
            return any(self._is_ours(path) for key in _PATHS if isinstance(path := given.get(key), str))
        return False

    def _only_looks(self, command: str) -> bool:
        """Say whether every command of a line is one to leave out, and none of them writes or runs anything else."""
        plain = _HARMLESS.sub("", command).strip()
        if not plain or _MORE.search(plain):
            return False
        return all(self._is_look(part.split()) for part in _JOINTS.split(plain))

    def _is_look(self, words: list[str]) -> bool:
        if any(
            len(words) >= len(pattern) and all(map(fnmatch.fnmatchcase, words, pattern)) for pattern in self._commands
        ):
            return True
        return bool(words) and words[0] in _LOOKS and any(self._is_ours(word.strip("'\"")) for word in words[1:])

    def _is_ours(self, path: str) -> bool:
        """Say whether a path is the memory's folder or in it."""
        plain = path.replace("\\", "/").rstrip("/")
        return any(plain == home or plain.startswith(f"{home}/") for home in self._homes)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, patterns)) or r"(?!)")


def _spellings(folder: Path) -> Iterable[str]:
    """Yield the ways in which a shell may be told a folder."""
    yield folder.as_posix()
    yield from ("$CLAUDE_MEM_HOME", "${CLAUDE_MEM_HOME}")
    try:
        below = folder.relative_to(Path.home()).as_posix()
    except (ValueError, RuntimeError):  # elsewhere, or no home is known
        return
    yield from (f"{user}/{below}" for user in ("~", "$HOME", "${HOME}"))
