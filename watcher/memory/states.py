"""Owns the words that columns hold: how sessions, tool uses and summaries stand, and what is said by flags."""

from __future__ import annotations

from enum import StrEnum


class SessionStatus(StrEnum):
    """Where a session stands."""

    ACTIVE = "active"  # prompts may still come
    COMPLETED = "completed"  # over, and what it did is kept
    FAILED = "failed"  # over, and nothing of it could be kept; `end_reason` says why


class ToolUseStatus(StrEnum):
    """Where a tool use stands in the queue."""

    OPEN = "open"  # no result seen yet
    PENDING = "pending"  # waits for the agent
    OBSERVED = "observed"  # the agent has seen it; its excerpts are dropped
    SKIPPED = "skipped"  # never meant for the agent
    FAILED = "failed"  # the agent could not be had for it in all the tries it was given


class SummarySource(StrEnum):
    """Who wrote a summary."""

    PROVISIONAL = "provisional"  # the extractive one, until the agent's takes its place
    BRIEF = "brief"  # the extractive one of a few words alone: it stands, unless the agent is asked anyway
    AGENT = "agent"


class Basis(StrEnum):
    """What an observation rests on; empty where an older version stored it."""

    NAMED = "named"  # the tool uses that are stored with it: the agent named them
    TURN = "turn"  # the words of its turn: the agent named none, and all tool uses that it was shown of that are stored


class FlagKind(StrEnum):
    """What a hook asks for."""

    FINALIZE = "finalize"  # a turn is over (Stop)
    CLEANUP = "cleanup"  # the session is over (SessionEnd)
    PLACE = "place"  # a session begins where none has: which project is that of (SessionStart)


class ConditionName(StrEnum):
    """The link of the chain that something is wrong with."""

    AGENT = "agent"  # the model cannot be had; the state is the AgentError's kind
    WATCHING = "watching"  # file system events cannot be had: the rescan finds what they would have told
    TRANSCRIPTS = "transcripts"  # some cannot be read
    BUDGET = "budget"  # nothing is wrong: what may be spent in a day is spent, or is caught up with
    SETTINGS = "settings"  # what is written of privacy cannot be meant: the watcher goes by what was before
    DATABASE = "database"  # it was damaged, was put aside, and is a new one


class TombstoneKind(StrEnum):
    """What a tombstone keeps out."""

    COMMAND = "command"  # nothing: one forgetting, open until what it freed in the file is overwritten
    PROMPT = "prompt"  # the prompt of a uuid, and what follows it up to the next one
    TOOL_USE = "tool_use"
    SUBAGENT = "subagent"  # all that one of them did
    OBSERVATION = "observation"  # what says the same in a session, by a hash
    TITLE = "title"  # titles of a session: they carry no time
    SESSION = "session"  # a span of time of a session; an open one goes on up to the next prompt
    PROJECT = "project"  # of a project
    ALL = "all"  # of all projects
