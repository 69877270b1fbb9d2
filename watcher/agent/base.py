"""Owns what an agent is: the one protocol, what it is given (`Batch`) and what it answers (`Reply`).

An agent keeps nothing between two batches: a batch holds all it needs. So a failed batch can be tried again
by anyone, at any time, and no conversation grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Protocol

from watcher.errors import ClaudeMemError


class ObservationType(StrEnum):
    """What kind of thing an observation is."""

    BUGFIX = "bugfix"  # something was broken and works now
    FEATURE = "feature"  # something new works
    REFACTOR = "refactor"  # the same behaviour, another shape
    CHANGE = "change"  # any other change: documents, settings, dependencies
    DISCOVERY = "discovery"  # something learned about what exists
    DECISION = "decision"  # a choice and its reason


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool use as an agent sees it: excerpts, never the whole payload."""

    tool_use_id: str
    name: str  # "Read", "Bash", "mcp__server__tool"
    input: str  # JSON text, cut in the middle where it is long
    output: str  # text, cut in the middle where it is long; empty where no result was seen
    is_error: bool = False
    files_read: tuple[str, ...] = ()
    files_modified: tuple[str, ...] = ()
    origin: str = ""  # where its output came from: see privacy.origin


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, or a part of one, as an agent sees it."""

    number: int  # in its session; what the summary of it is called by
    prompts: tuple[str, ...]  # what the human asked in it, in order; empty where unknown
    tool_uses: tuple[ToolUse, ...]
    closing_text: str = ""  # the assistant's last words in it
    summary: str = ""  # what the agent made of it before it went on; empty where it has not
    wants_summary: bool = True  # not while it goes on, nor with tool uses that are left for the next batch


@dataclass(frozen=True, slots=True)
class Batch:
    """One request to an agent: turns of one session in their order, each that is over with the call for a summary."""

    project: str  # the project's folder
    turns: tuple[Turn, ...]
    previous_summary: str = ""  # of the turn before the first of these
    earlier_titles: tuple[str, ...] = ()  # observations already kept of these very turns

    @property
    def tool_uses(self) -> tuple[ToolUse, ...]:
        """All tool uses; their places, counted from 1, are the numbers that an agent knows them by."""
        return tuple(use for turn in self.turns for use in turn.tool_uses)

    @property
    def wanted(self) -> tuple[int, ...]:
        """The numbers of the turns that a summary is wanted of."""
        return tuple(turn.number for turn in self.turns if turn.wants_summary)


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing worth remembering, as an agent words it."""

    type: ObservationType
    title: str
    subtitle: str = ""
    narrative: str = ""
    facts: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    tool_use_ids: tuple[str, ...] = ()  # the tool uses it rests on; empty: all of its turn, or of the batch
    turn: int | None = None  # the turn that it is of, where no tool use tells that


@dataclass(frozen=True, slots=True)
class Summary:
    """What a turn came to, in six fields of plain text; a field with nothing to say is empty."""

    request: str = ""
    investigated: str = ""
    learned: str = ""
    completed: str = ""
    next_steps: str = ""
    notes: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True)
class Usage:
    """What one batch cost."""

    input_tokens: int = 0  # cached ones included
    output_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An agent's answer to one batch.

    `summaries`, by the numbers of their turns, may lack some that were wanted, where there is anything else of use:
    that is kept, and what is missing is asked for again.
    """

    observations: tuple[Observation, ...]
    summaries: dict[int, Summary] = field(default_factory=dict)
    usage: Usage = Usage()


class AgentError(ClaudeMemError):
    """The agent gave no usable answer to a batch; its work is kept.

    `kind` is a short stable word for `status`: login, rate_limit, overloaded, timeout, unreachable, refused,
    crashed, missing, outdated, unreadable, stopped. `may_recover` is False where trying again without the
    user's help is of no use. `usage` is what the try cost all the same: an unreadable answer was paid for.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str,
        may_recover: bool = True,
        hint: str = "",
        usage: Usage = Usage(),
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.may_recover = may_recover
        self.usage = usage


class Agent(Protocol):
    """Turns a batch into observations and summaries. Called from worker threads, two at most."""

    name: str  # stored with what it wrote: "claude", "extractive"

    def digest(self, batch: Batch) -> Reply:
        """Answer one batch; blocks until answered.

        Raises:
            AgentError: no usable answer came; nothing of the batch was used up.
        """
        ...

    def close(self) -> None:
        """End whatever still runs, a digest in another thread included; may be called twice."""
        ...
