"""Owns which sessions wait for the agent, and from when on, between two looks into the whole of the memory.

To look a session up takes a thousandth of a second and more, and hundreds may be open, while lines come in that are
waited for. So a session is looked up once there is news of it, all of them some time after a commit, and only a few in
a row. What is known here decides whom the agent is asked about next; what it is asked is read off the rows then.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from watcher.service.digest import Digest
from watcher.service.events import Clock, Pace

SLICE_TIME = 0.005  # seconds of looking up before something else has its turn
ALL_INTERVAL = 60.0  # seconds between two looks at all where nothing is committed: the clock may have been set
COMMITTED_INTERVAL = 2.0  # the same where something was: another process may have made work due
LATELY = 86_400_000  # milliseconds: older sessions are looked through once, at the start
EFFORT = 20  # looks at all take a twentieth of the time at most


@dataclass(frozen=True, slots=True)
class _Work:
    """What a session waits for."""

    due_at: int  # epoch
    since: int  # epoch: its last activity


class Waiting:
    """The sessions that wait for the agent, as they were when each was looked up last."""

    def __init__(self, digest: Digest, *, commits: Callable[[], int], clock: Clock, pace: Pace) -> None:
        """`commits` returns another number once something was committed."""
        self._digest = digest
        self._commits = commits
        self._clock = clock
        self._pace = pace
        self._news: deque[str] = deque()  # filled by other threads too
        self._to_look_up: dict[str, None] = {}  # in this order
        self._known: dict[str, _Work] = {}
        self._seen: int | None = None  # of the commits, at the last look at all
        self._all_at = 0.0  # pace: when to look at all again; without end while that is being done
        self._soon_at = 0.0  # the same where something was committed since
        self._spent = 0.0  # seconds of looking up since there was nothing to

    def note(self, session_id: str) -> None:
        """Say that there is news of a session; safe in any thread."""
        self._news.append(session_id)

    def look(self) -> float:
        """Look up some of what is to be; return in how many seconds there is more to look up, or another one is due."""
        commits, moment = self._commits(), self._pace()
        if moment >= (self._all_at if commits == self._seen else min(self._all_at, self._soon_at)):
            since = 0 if self._seen is None else self._clock() - LATELY
            self._to_look_up |= dict.fromkeys([*self._digest.sessions_with_work(since), *self._known])
            self._seen = commits
            self._all_at = self._soon_at = math.inf
            self._spent += self._pace() - moment
        while self._news:
            self._to_look_up[self._news.popleft()] = None
        self._look_up()
        if self._to_look_up:
            return 0.0
        ended, moment = self._pace(), self._clock()
        if math.isinf(self._all_at):
            self._all_at = ended + max(ALL_INTERVAL, EFFORT * self._spent)
            self._soon_at = ended + max(COMMITTED_INTERVAL, EFFORT * self._spent)
        self._spent = 0.0
        first = min((work.due_at for work in self._known.values() if work.due_at > moment), default=math.inf)
        until = self._all_at if commits == self._seen else self._soon_at
        return max(0.0, min(until - ended, (first - moment) / 1000))

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
