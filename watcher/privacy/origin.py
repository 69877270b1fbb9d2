"""Owns where a text came from: the project, or from outside of it, as its tool use's name, command and paths tell.

Told by our code, never by a model, and rather too much than too little: a command that names an address counts as one
that reads it. What a program does without saying so (`make fetch`, `npm install`) is not known, and counts as the
project's own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum


class Origin(StrEnum):
    """Where what somebody worded came from. Of several, the one that stands last here counts."""

    UNKNOWN = ""  # nobody looked: it is of an older version, or of another program
    PROJECT = "project"  # its files, its commands, and the user's own words
    BESIDE = "beside"  # the project, by the word of a model that was shown text from elsewhere too, and may obey it
    OUTSIDE = "outside"  # files outside of the project's folders
    WEB = "web"  # other people's words: pages, searches, MCP servers, what a command fetched


_RANKS = {origin: rank for rank, origin in enumerate(Origin)}
_MARKS = {
    Origin.BESIDE: "beside text from elsewhere",
    Origin.OUTSIDE: "from outside the project",
    Origin.WEB: "from the web",
}

_SHELLS = frozenset({"Bash", "PowerShell"})
_OF_THE_WEB = frozenset(
    {"WebFetch", "WebSearch", "web_fetch", "web_search", "ListMcpResourcesTool", "ReadMcpResourceTool"}
)
_PATHS = ("file_path", "notebook_path", "path")
# What a subagent or a shell in the background did is another tool use of the same turn.
RELAYS = frozenset({"Agent", "Task", "AgentOutputTool", "TaskOutput", "BashOutput"})

_ADDRESS = re.compile(r"(?i)\b(?:https?|ftp|wss?)://(?!(?:localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1\])(?![\w.-]))")
_PROGRAMS = (
    r"wget|aria2c|httpie|xh|lynx|w3m|links|elinks|gh|glab|ssh|scp|sftp|rsync|ftp|telnet|nc|ncat|socat"
    r"|iwr|irm|Invoke-WebRequest|Invoke-RestMethod|Start-BitsTransfer"
    r"|(?:npm|pnpm|yarn)\s+(?:view|info|show|search)|pip\s+(?:download|index)|cargo\s+search|docker\s+search"
)
# At the beginning of a command, or in quotation marks for another shell; the word after `grep` is no program.
_FETCHES = re.compile(
    r"(?i)(?:^|[|;&(`{\n]|\$\(|(?:\b(?:sudo|xargs|env|time|nohup|exec|then|do|else|timeout\s+\S+)|\s-c)(?:\s+-\S+){0,9}\s)"
    rf"[\s'\"]*(?:\w+=\S*\s+)*(?:[\w./~\\-]*[/\\])?(?:{_PROGRAMS})(?:\.exe)?(?=[\s'\";|&)]|$)"
)
_CURL = re.compile(r"(?i)(?:^|[\s|;&(`'\"/\\])curl(?:\.exe)?(?=\s|$)")
_OWN_HOST = re.compile(
    r"(?i)(?<![\w.@/-])(?:https?://)?(?:localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1\])(?=[:/\s'\"]|$)"
)
_WORD = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^\s\"'|;&<>()`]+)")
_BEFORE_COMMANDS = "|;&\n(`"
_ABSOLUTE = re.compile(r"^(?:[/~]|[A-Za-z]:[\\/]|\\\\)")
_NO_FILE = ("/dev/", "/proc/self/")
_MENTION = re.compile(r"(?:^|(?<=[\s(]))@(?:\"([^\"\n]+)\"|([^\s\"']+))")


def worst(origins: Iterable[str]) -> Origin:
    """Return the one of some that counts; unknown of none."""
    return max(map(Origin, origins), key=_RANKS.__getitem__, default=Origin.UNKNOWN)


def beside(own: str, others: str) -> Origin:
    """Return the origin of what rests on `own`, worded by whoever was shown `others` too."""
    mine = Origin(own)
    is_pure = mine in (Origin.UNKNOWN, Origin.PROJECT) and _RANKS[Origin(others)] >= _RANKS[Origin.BESIDE]
    return Origin.BESIDE if is_pure else mine


def mark(origin: str) -> str:
    """Return what is said of an origin; nothing of the project's own, and of what is not known."""
    return next((words for one, words in _MARKS.items() if one == origin), "")


def of_tool_use(name: str, arguments: Mapping[str, object], folders: Collection[str]) -> Origin:
    """Return where the text that a tool use brought came from; `folders` are the project's."""
    if name in _OF_THE_WEB or name.startswith("mcp__"):
        return Origin.WEB
    if name in _SHELLS:
        command = arguments.get("command")
        return of_command(command, folders) if isinstance(command, str) else Origin.PROJECT
    paths = [path for key in _PATHS if isinstance(path := arguments.get(key), str)]
    return Origin.OUTSIDE if any(is_outside(path, folders) for path in paths) else Origin.PROJECT


def of_command(command: str, folders: Collection[str]) -> Origin:
    """Return where what a shell command said came from."""
    if _ADDRESS.search(command) or _FETCHES.search(command):
        return Origin.WEB
    if (
        _CURL.search(command)
        and not _OWN_HOST.search(command)
        and not re.match(r"\s*(?:rg|e?grep|git grep|which|type|man)\b", command)
    ):
        return Origin.WEB
    for found in _WORD.finditer(command):
        word = (found[1] or found[2] or found[3] or "").removeprefix("@")
        word = word.split("=", 1)[1] if word.startswith("-") and "=" in word else word
        is_program = _is_start(command, found.start())
        if not is_program and not word.startswith(_NO_FILE) and is_outside(word, folders):
            return Origin.OUTSIDE
    return Origin.PROJECT


def _is_start(command: str, at: int) -> bool:
    """Say whether a command begins there."""
    while at and command[at - 1].isspace() and command[at - 1] != "\n":
        at -= 1
    return not at or command[at - 1] in _BEFORE_COMMANDS


def of_prompt(prompt: str, folders: Collection[str]) -> Origin:
    """Return where the text that a prompt brings along came from: `@path` stands for all of a file."""
    mentioned = (quoted or bare.rstrip(".,;:!?)") for quoted, bare in _MENTION.findall(prompt))
    return Origin.OUTSIDE if any(is_outside(path, folders) for path in mentioned) else Origin.PROJECT


def is_outside(path: str, folders: Collection[str]) -> bool:
    """Say whether a path leads out of all of a project's folders; a relative one starts in one of them."""
    path = path.replace("\\", "/")
    if not _ABSOLUTE.match(path):
        return posixpath.normpath(path).startswith("../")
    whole = posixpath.normpath(path)
    return not any(_is_below(whole, posixpath.normpath(folder.replace("\\", "/"))) for folder in folders)


def _is_below(path: str, folder: str) -> bool:
    """Say whether a path is a folder or lies below it; where there are drives, case does not matter."""
    if ":" in folder[:2]:
        path, folder = path.casefold(), folder.casefold()
    return path == folder or path.startswith(folder.rstrip("/") + "/")
