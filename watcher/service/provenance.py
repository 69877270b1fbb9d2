"""Owns where what an agent is shown came from, tool use by tool use, and so what it words.

An agent names what an observation rests on, and may have been talked into naming something else: so whatever it words
beside text from elsewhere is marked as that at least (see `privacy.origin`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from watcher.agent import actions
from watcher.memory import projects, turns
from watcher.memory.turns import StoredToolUse, Turn
from watcher.privacy import origin
from watcher.privacy.origin import Origin


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where what some turns of a session tell of came from."""

    uses: Mapping[str, Origin]  # by tool use id
    turns: Mapping[int, Origin]  # by number: all that was used and brought along in them up to now
    shown: Origin  # of all that the agent is shown with them

    def of_observation(self, named: Iterable[str], told_in: Iterable[int]) -> Origin:
        """Return the origin of what rests on the tool uses that are `named`, else on the words of some turns."""
        own = origin.worst(self.uses[one] for one in named)
        if own is Origin.UNKNOWN:
            own = origin.worst(self.turns[number] for number in told_in)
        return origin.beside(own, self.shown)

    def of_summary(self, number: int) -> Origin:
        """Return the origin of what a turn came to."""
        return origin.beside(self.turns[number], self.shown)


def of_turns(connection: Connection, shown: Sequence[tuple[Turn, Sequence[StoredToolUse]]]) -> Provenance:
    """Return where what is shown came from: turns of one session, each with tool uses of it."""
    first = shown[0][0]
    folders = projects.folders(connection, first.project)
    uses: dict[str, Origin] = {}
    by_turn: dict[int, Origin] = {}
    for turn, some in shown:
        found = {use.tool_use_id: _of_use(use, folders) for use in some}
        prompted = [origin.of_prompt(prompt, folders) for prompt in turn.prompts]
        whole = origin.worst([Origin.PROJECT, *found.values(), *prompted, *turns.origins(connection, turn)])
        uses |= found | {use.tool_use_id: whole for use in some if use.name in origin.RELAYS}
        by_turn[turn.number] = whole
    before = turns.origin_before(connection, first)
    return Provenance(uses, by_turn, origin.worst([before, *by_turn.values()]))


def _of_use(use: StoredToolUse, folders: Collection[str]) -> Origin:
    """Return where a tool use's output came from; what was observed already has no input any more."""
    if use.origin:
        return Origin(use.origin)
    paths = [*use.files_read, *use.files_modified]
    given = origin.of_tool_use(use.name, actions.arguments(use.input), folders)
    return origin.worst([given, *(Origin.OUTSIDE for path in paths if origin.is_outside(path, folders))])
