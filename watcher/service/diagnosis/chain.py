"""Owns the diagnosis: every link of the chain from Claude Code to the memory, looked at in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from watcher.errors import ClaudeMemError
from watcher.memory.faults import DatabaseError
from watcher.service.diagnosis import agent, hooks, memory, places, running, transcripts
from watcher.service.diagnosis.finding import Case, Finding, State

Check = Callable[[Case], Iterable[Finding]]

_FIRST: tuple[tuple[str, Check], ...] = (
    ("settings", places.settings_file),
    ("home", places.home),
    ("disk", places.disk),
    ("projects", places.projects),
    ("variables", places.variables),
    ("hooks", hooks.hooks),
    ("python3", hooks.pythons),
    ("hook log", hooks.log),
    ("launcher", running.launcher),
    ("lock", running.lock),
    ("watcher", running.watcher),
    ("watching", places.watching),
    ("database", memory.database),
    ("schema", memory.schema),
    ("set aside", memory.set_aside),
)
# Only where the tables are those of this version; where not, the ones above have said so.
_OF_MEMORY: tuple[tuple[str, Check], ...] = (
    ("flags", memory.flags),
    ("transcripts", transcripts.transcripts),
    ("broken lines", memory.broken_lines),
    ("tool uses", memory.tool_uses),
    ("summaries", memory.summaries),
    ("conditions", memory.standing_conditions),
)
_LAST: tuple[tuple[str, Check], ...] = (("agent", agent.agent),)  # starts Claude Code, which takes its time


def steps(case: Case) -> Iterator[tuple[str, Callable[[], list[Finding]]]]:
    """Give each link by its name, with what looks at it."""
    for link, check in _checks(case):
        yield link, partial(found, link, check, case)


def found(link: str, check: Check, case: Case) -> list[Finding]:
    """Return what a check finds; that it fails is a finding too."""
    try:
        return list(check(case))
    except DatabaseError as error:
        # Said once; what the other checks would have found in it cannot be known.
        is_told, case.is_database_told = case.is_database_told, True
        return [] if is_told else [Finding(link, State.WRONG, str(error), error.hint)]
    except ClaudeMemError as error:
        return [Finding(link, State.WRONG, str(error), error.hint)]
    except Exception as error:  # noqa: BLE001 - the other checks are worth their answers all the same
        return [Finding(link, State.WRONG, f"this check failed: {error!r}", "report it, with this line")]


def _checks(case: Case) -> Iterator[tuple[str, Check]]:
    if case.is_open_to_others:
        yield "home", places.home  # what others may have written says nothing of ours
        return
    yield from _FIRST
    if case.has_memory:
        yield from _OF_MEMORY
    yield from _LAST
