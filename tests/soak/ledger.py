"""Owns the account: what was written, and so has to be in the memory, against what is there."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

LONGEST = 30.0  # seconds for the last of it to come in


class Rows(Protocol):
    """Something with a database."""

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Return what a query gives."""


@dataclass
class Ledger:
    """What was written: each of it has to be in the memory, and once."""

    prompts: set[str] = field(default_factory=set)  # uuids
    tool_uses: set[str] = field(default_factory=set)
    turns: Counter[str] = field(default_factory=Counter)  # that are over, by session
    each_observed: bool = True  # by an agent that makes one observation of each tool use

    def lost(self, home: Rows) -> list[str]:
        """Return what is missing."""
        return sorted(
            [
                *_named("prompt", Counter(self.prompts) - _counted(home, _PROMPTS)),
                *_named("tool use", Counter(self.tool_uses) - _counted(home, _TOOL_USES)),
                *_named("observation of", Counter(self.tool_uses if self.each_observed else ()) - self._observed(home)),
                *_named("summary of", self.turns - _counted(home, _SUMMARIES)),
            ]
        )

    def duplicated(self, home: Rows) -> list[str]:
        """Return what is there more often than it was written; what the ledger does not know is left alone."""
        summaries = _counted(home, _SUMMARIES)
        return sorted(
            [
                *_named("prompt", _twice(_counted(home, _PROMPTS))),
                *_named("tool use", _twice(_counted(home, _TOOL_USES))),
                *_named("observation of", _twice(self._observed(home)) if self.each_observed else Counter()),
                *_named("summary of", Counter({name: summaries[name] for name in self.turns}) - self.turns),
            ]
        )

    def settle(self, home: Rows, longest: float = LONGEST) -> list[str]:
        """Wait until nothing is missing; return what still is in the end."""
        deadline = time.monotonic() + longest
        while (lost := self.lost(home)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return lost

    def _observed(self, home: Rows) -> Counter[str]:
        return _counted(home, _OBSERVATIONS)


_PROMPTS = "SELECT uuid FROM user_prompts"
_TOOL_USES = "SELECT tool_use_id FROM tool_uses"
_OBSERVATIONS = "SELECT value FROM observations, json_each(observations.tool_use_ids)"
_SUMMARIES = "SELECT session_id FROM session_summaries WHERE source = 'agent'"


def _counted(home: Rows, sql: str) -> Counter[str]:
    return Counter(str(name) for (name,) in home.rows(sql))


def _twice(found: Counter[str]) -> Counter[str]:
    return Counter({name: count - 1 for name, count in found.items() if count > 1})


def _named(kind: str, names: Counter[str]) -> Iterable[str]:
    return (f"{kind} {name}" for name in names.elements())
