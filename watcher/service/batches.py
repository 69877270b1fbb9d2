"""Owns which turns of a session the agent is asked about together, and from when on.

A moment's patience saves requests: what follows a turn closely is asked about together with it. The provisional
summary serves meanwhile. Nothing is remembered here: the rows say what is due, and since when.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from watcher.memory import sessions, turns
from watcher.memory.models import SessionStatus, SummarySource
from watcher.memory.sessions import Session
from watcher.memory.turns import Turn
from watcher.service.events import Clock

BACKGROUND_QUIET = 30.0  # seconds without a new tool use before a summarised turn is summarised again for the last ones
TURNS_AT_ONCE = 15  # a summary of each must fit into one answer
TOGETHER = 2  # tries at what is asked about with others; then alone, so that one bad turn does not spoil them all


@dataclass(frozen=True, slots=True)
class Part:
    """What of one turn goes into a batch."""

    turn: Turn
    tool_uses: int  # how many of those that wait, the oldest
    wants_summary: bool


class Batches:
    """Cuts a session's work into batches."""

    def __init__(self, *, size: int, quiet: float, max_attempts: int, clock: Clock) -> None:
        """Take how many tool uses a batch holds, and for how long a session has to be quiet (seconds)."""
        self._size = size
        self._quiet = round(quiet * 1000)
        self._max_attempts = max_attempts
        self._clock = clock

    def due_at(self, connection: Connection, session_id: str) -> int | None:
        """Return from when on (epoch) the agent is to be asked about a session; None where there is nothing to ask."""
        return self._due_at(connection, session_id, turns.turns(connection, session_id))

    def next(self, connection: Connection, session_id: str) -> list[Part]:
        """Return what the agent is to be asked about now, oldest first; nothing where that is not due yet."""
        found = turns.turns(connection, session_id)
        due_at = self._due_at(connection, session_id, found)
        if due_at is None or due_at > self._clock():
            return []
        is_whole = self._is_whole(found)
        return list(self._parts([turn for turn in found if is_whole or self._joins(turn)]))

    def _due_at(self, connection: Connection, session_id: str, found: list[Turn]) -> int | None:
        if self._is_whole(found):
            return 0
        asking = [turn for turn in found if self._asks(turn)]
        session = sessions.session(connection, session_id)
        if session is None or not asking:
            return None
        # Whoever begins another session is to find as much in its context as can be.
        started = sessions.last_start(connection, session.project, but=session_id)
        return min(self._ripe_at(turn, session, started) for turn in asking)

    def _is_whole(self, found: list[Turn]) -> bool:
        """Say whether there is more than fits into one batch: then a turn that goes on is not waited for either."""
        return sum(turn.pending for turn in found) > self._size

    def _parts(self, found: list[Turn]) -> Iterator[Part]:
        room = self._size
        number = 0
        for turn in found:
            taken = min(turn.pending, room)
            is_all = taken == turn.pending
            wants_summary = turn.is_over and is_all and (taken > 0 or self._owes(turn))
            if not taken and not wants_summary:
                if is_all:
                    continue
                return
            is_alone = self._is_alone(turn)
            if number == TURNS_AT_ONCE or (number and is_alone):
                return
            yield Part(turn, taken, wants_summary)
            room -= taken
            number += 1
            if is_alone or not is_all:
                return

    def _asks(self, turn: Turn) -> bool:
        """Say whether the agent is to be asked for this turn's sake."""
        if not turn.is_over:
            return False
        if turn.pending:
            return True
        # The tries are those at one batch: as long as there are others, the turn is not given up.
        waits = turn.summary_source in (SummarySource.PROVISIONAL, SummarySource.AGENT)
        return waits and self._owes(turn)

    def _joins(self, turn: Turn) -> bool:
        """Say whether a turn goes with others that the agent is asked about."""
        if not turn.is_over:
            return False
        if turn.has_last_word:
            return turn.pending > 0 and self._clock() >= _silent_at(turn)
        return True

    def _owes(self, turn: Turn) -> bool:
        """Say whether there is hope for a summary that knows the last words."""
        return not turn.has_last_word and turn.attempts < self._max_attempts

    def _ripe_at(self, turn: Turn, session: Session, started: int) -> int:
        """Return from when on (epoch) nothing is gained by waiting for more."""
        if turn.has_last_word:
            return _silent_at(turn)
        if session.status is not SessionStatus.ACTIVE or started >= turn.last_at:
            return 0
        return session.last_activity_at + self._quiet if self._quiet else 0

    def _is_alone(self, turn: Turn) -> bool:
        """Say whether it is asked about without others: it may be what spoiled the tries before."""
        tries = max(turn.tries, 0 if turn.has_last_word else turn.attempts)
        return tries >= min(TOGETHER, self._max_attempts - 1)


def _silent_at(turn: Turn) -> int:
    """Return from when on (epoch) a background task of a turn has fallen silent."""
    return turn.last_at + round(BACKGROUND_QUIET * 1000)
