"""Owns which sessions wait for the agent, and from when on, between two looks into the whole of the memory.

To look a session up takes a thousandth of a second and more, and hundreds may be open, while lines come in that are
waited for. So a session is looked up once there is news of it, all of them every now and then, and only a few in a row.
What is known here decides whom the agent is asked about next; what it is asked is read off the rows then.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from watcher.service.digest import Digest
from watcher.service.events import Clock, Pace

SLICE_TIME = 0.005  # seconds of looking up before something else has its turn
ALL_INTERVAL = 60.0  # seconds between two looks at all: some work becomes due without any news
EFFORT = 20  # which take a twentieth of the time at most
AGAIN_INTERVAL = 1.0  # seconds between two looks at those that are due later: they may be sooner by now


@dataclass(frozen=True, slots=True)
class _Work:
    """What a session waits for."""

    due_at: int  # epoch
    since: int  # epoch: its last activity


class Waiting:
    """The sessions that wait for the agent, as they were when each was looked up last."""

    def __init__(self, digest: Digest, *, clock: Clock, pace: Pace) -> None:
        self._digest = digest
        self._clock = clock
        self._pace = pace
        self._news: deque[str] = deque()  # filled by other threads too
        self._to_look_up: dict[str, None] = {}  # in this order
        self._known: dict[str, _Work] = {}
        # When to look at all, and at those that are due later, again (pace); without end while that is being done.
        self._all_at = self._again_at = 0.0
        self._spent = 0.0  # seconds of looking up since there was nothing to

    def note(self, session_id: str) -> None:
        """Say that there is news of a session; safe in any thread."""
        self._news.append(session_id)

    def look(self) -> float:
        """Look up some of what is to be; return in how many seconds there is more to look up, or another one is due."""
        moment = self._pace()
        if moment >= self._all_at:
            self._to_look_up |= dict.fromkeys([*self._digest.sessions_with_work(), *self._known])
            self._all_at = math.inf
            self._spent += self._pace() - moment
        if moment >= self._again_at:
            self._to_look_up |= dict.fromkeys(self._later())
            self._again_at = math.inf
        while self._news:
            self._to_look_up[self._news.popleft()] = None
        self._look_up()
        if self._to_look_up:
            return 0.0
        moment = self._pace()
        if math.isinf(self._all_at):
            self._all_at = moment + max(ALL_INTERVAL, EFFORT * self._spent)
        if math.isinf(self._again_at):
            self._again_at = moment + max(AGAIN_INTERVAL, EFFORT * self._spent)
        self._spent = 0.0
        later = self._later()
        first = min(later.values(), default=math.inf)
        until = min(self._all_at, self._again_at) if later else self._all_at
        return max(0.0, min(until - moment, (first - self._clock()) / 1000))

    def due(self) -> list[str]:
        """Return the sessions that the agent is to be asked about now, those that waited longest first."""
        moment = self._clock()
        ready = [name for name, work in self._known.items() if work.due_at <= moment]
        return sorted(ready, key=lambda name: (self._known[name].since, name))

    def _look_up(self) -> None:
        begun = self._pace()
        for session_id in list(self._to_look_up):
            work = self._digest.work_of(session_id)
            del self._to_look_up[session_id]
            self._known.pop(session_id, None)
            if work is not None:
                self._known[session_id] = _Work(*work)
            if self._pace() - begun >= SLICE_TIME:
                break
        self._spent += self._pace() - begun

    def _later(self) -> dict[str, int]:
        """Return the sessions that wait for a time to come, and which (epoch)."""
        moment = self._clock()
        return {name: work.due_at for name, work in self._known.items() if work.due_at > moment}
