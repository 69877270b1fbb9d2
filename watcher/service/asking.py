"""Owns when the agent is asked: two sessions at once at most, and none while it rests after a failure."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from watcher.agent import base
from watcher.service.budget import Leave
from watcher.service.digest import Digest, Outcome
from watcher.service.events import Clock, Event, EventKind, Listener, Pace, now
from watcher.service.waiting import Waiting

AGENTS_AT_ONCE = 2  # each is a process of some 200 MB
LONGEST_REST = 3600.0  # seconds that the agent is left alone after failures


class Asking:
    """Asks the agent about what is due, from threads of its own."""

    def __init__(
        self,
        digest: Digest,
        agent: base.Agent,
        *,
        retry_pause: float,
        wake: Callable[[], None],
        listener: Listener,
        commits: Callable[[], int],
        pace: Pace,
        clock: Clock = now,
    ) -> None:
        """Take the rest after a first failure (`retry_pause`, seconds), and what to call when an answer is there.

        `commits` returns another number once something was committed.
        """
        self._digest = digest
        self._agent = agent
        self._retry_pause = retry_pause
        self._wake = wake
        self._listener = listener
        self._pace = pace
        self._waiting = Waiting(digest, commits=commits, clock=clock, pace=pace)
        self._workers = ThreadPoolExecutor(AGENTS_AT_ONCE, thread_name_prefix="agent")
        self._asked: dict[str, Future[Outcome]] = {}
        self._failures = 0  # in a row
        self._rests_until = 0.0
        self._leave: Leave | None = None  # as it was seen last

    def __bool__(self) -> bool:
        """Say whether an answer is awaited."""
        return bool(self._asked)

    def note(self, session_id: str) -> None:
        """Say that there is news of a session; safe in any thread."""
        self._waiting.note(session_id)

    def go_on(self) -> float:
        """Collect what was answered, and ask about what is due: one at a time a session.

        Return how long there is nothing else to do, if nobody answers and there is no news (seconds).
        """
        for session_id, future in list(self._asked.items()):
            if future.done():
                del self._asked[session_id]
                self._note(session_id, future)
                self._waiting.note(session_id)  # there may be more of it
        rest = self._rests_until - self._pace()
        if rest > 0:
            return rest
        rest = self._waiting.look()
        # After a failure one request goes ahead alone, so that a recovering service is not met by a storm.
        room = (1 if self._failures else AGENTS_AT_ONCE) - len(self._asked)
        if room <= 0:
            return rest
        waiting = self._waiting.due()
        # With nobody waiting and nothing said of the budget, an idle watcher need not look.
        if waiting or self._leave is not Leave.OLDEST_FIRST:
            self._leave = self._digest.leave(is_wanted=bool(waiting))
        found = [session_id for session_id in self._leave.of(waiting) if session_id not in self._asked]
        for session_id in found[:room]:
            self._ask(session_id)
        return rest

    def close(self) -> None:
        """End what still runs; it is asked again by the next watcher."""
        self._digest.stop()
        self._agent.close()
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _ask(self, session_id: str) -> None:
        future = self._workers.submit(self._digest.ask_agent, session_id)
        future.add_done_callback(lambda _future: self._wake())
        self._asked[session_id] = future

    def _note(self, session_id: str, future: Future[Outcome]) -> None:
        """Let the agent rest after a failure, longer after each one in a row."""
        error = future.exception()
        if error is not None:
            self._listener(Event(EventKind.TROUBLE, f"agent: {error!r}", session_id))
        if error is not None or future.result() is Outcome.FAILED:
            rest = min(self._retry_pause * 2 ** min(self._failures, 16), LONGEST_REST)
            self._failures += 1
            self._rests_until = self._pace() + rest
            self._digest.note_rest(rest)
        elif future.result() is Outcome.DONE:
            self._failures = 0
