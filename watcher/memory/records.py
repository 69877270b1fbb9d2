"""Owns what comes in of a transcript: one record a thing to store, whose it is, and the count of what was new.

Records are tuples, as there are many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple


class PromptRecord(NamedTuple):
    """A human prompt."""

    at: int  # epoch, as in every record
    uuid: str
    text: str
    continues_turn: bool  # typed while the turn before was still running
    is_private: bool = False  # nothing of it may be kept, nor of what is done about it
    had_private: bool = False  # some of it was taken out


class ToolUseRecord(NamedTuple):
    """A tool use; its result comes as a record of its own."""

    at: int
    tool_use_id: str
    name: str
    input: str
    files_read: tuple[str, ...]
    files_modified: tuple[str, ...]
    is_skipped: bool


class ToolResultRecord(NamedTuple):
    """What came of a tool use."""

    at: int
    tool_use_id: str
    output: str
    is_error: bool


class WordsRecord(NamedTuple):
    """Something the assistant said; the last of a turn are its closing words."""

    at: int
    text: str | None  # None where others follow in the turn


class TurnEndRecord(NamedTuple):
    """The transcript says that the turn is over."""

    at: int


class TitleRecord(NamedTuple):
    """The session's title; the last one counts."""

    at: int
    text: str


Record = PromptRecord | ToolUseRecord | ToolResultRecord | WordsRecord | TurnEndRecord | TitleRecord


@dataclass(frozen=True, slots=True)
class Source:
    """The transcript that records come from."""

    path: str
    session_id: str
    agent_id: str = ""  # of the subagent whose transcript it is
    begun_at: int = 0  # epoch: when that subagent began
    transcript_path: str = ""  # of the session: the path itself, or the parent's for a subagent
    cwd: str = ""  # as its first entries say
    project: str = ""  # that this folder is of

    def started_in(self, cwd: str, project: str) -> Source:
        """Return the source with its folder known, and the project that is of."""
        return replace(self, cwd=cwd, project=project)


@dataclass(slots=True)
class Taken:
    """What of the records was new."""

    prompts: int = 0
    tool_uses: int = 0
    results: int = 0
    turn_ends: int = 0
    has_more: bool = False  # the transcript was not read to its end

    def __bool__(self) -> bool:
        return bool(self.prompts or self.tool_uses or self.results or self.turn_ends)

    def __iadd__(self, other: Taken) -> Taken:
        self.prompts += other.prompts
        self.tool_uses += other.tool_uses
        self.results += other.results
        self.turn_ends += other.turn_ends
        return self
