"""Owns what may be spent on the agent, in a day and on a session; what was spent stands in the rows of its requests.

With the day's budget spent no request is made. Provisional summaries serve, the work stays where it waits, and once
the budget is back it is caught up with, the newest session first: what is going on now is worth most.
"""

from __future__ import annotations

from enum import Enum, auto

from sqlalchemy import Connection

from watcher.memory import conditions, lookup, usage
from watcher.memory.database import Database, driver
from watcher.memory.lookup import CurrentCondition
from watcher.service.events import Clock, Event, EventKind, Listener
from watcher.settings import AgentSettings

_HINT = "claude-mem usage; daily_requests and daily_dollars under [agent] in config.toml bound it"

# How the day's budget stands, as its condition says; without one all is well.
SPENT = "spent"
CATCHING_UP = "catching up"  # it is back, and something waits from before

UNBOUNDED = AgentSettings(daily_requests=0, daily_dollars=0.0, session_tokens=0)  # of an agent that costs nothing


class Leave(Enum):
    """Whom the agent may be asked about."""

    NOBODY = auto()
    OLDEST_FIRST = auto()
    NEWEST_FIRST = auto()

    def of(self, waiting: list[str]) -> list[str]:
        """Return whom it may be asked about of those who wait, in order; they are given the oldest first."""
        if self is Leave.NOBODY:
            return []
        return waiting[::-1] if self is Leave.NEWEST_FIRST else waiting


class Budget:
    """Says what may be spent, and tells when it may not."""

    def __init__(self, database: Database, settings: AgentSettings, *, listener: Listener, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._listener = listener
        self._clock = clock

    def spent(self, connection: Connection) -> str:
        """Return what of the day's budget is spent, in words; empty where there is some left."""
        requests, dollars = self._settings.daily_requests, self._settings.daily_dollars
        if not (requests or dollars):
            return ""
        today = usage.today(driver(connection), self._clock())
        if requests and today.requests >= requests:
            return f"the day's {requests:,} requests are made"
        if dollars and today.cost_usd >= dollars:
            return f"the day's ${dollars:,.2f} are spent"
        return ""

    def is_session_spent(self, connection: Connection, session_id: str) -> bool:
        """Say whether a session has had all the tokens that it may have."""
        most = self._settings.session_tokens
        if not most:
            return False
        spent = usage.of_session(driver(connection), session_id)
        return spent.input_tokens + spent.output_tokens >= most

    def back_at(self) -> int:
        """Return when (epoch) the next day's budget begins."""
        return usage.day(self._clock())[1]

    def look(self, *, is_wanted: bool) -> Leave:
        """Return whom the agent may be asked about; note how the day's budget stands, and tell it where that is news.

        Take whether there is anyone to ask about.
        """
        with self._database.read() as connection:
            spent = self.spent(connection)
            noted = lookup.conditions(driver(connection))
        before = next((one for one in noted if one.name == conditions.BUDGET), None)
        self._note(before, spent, is_wanted=is_wanted)
        if spent:
            return Leave.NOBODY
        return Leave.OLDEST_FIRST if before is None else Leave.NEWEST_FIRST

    def _note(self, before: CurrentCondition | None, spent: str, *, is_wanted: bool) -> None:
        state = before.state if before else ""
        if spent and is_wanted and (state, before and before.until) != (SPENT, self.back_at()):
            text = f"{spent}; what waits is asked about tomorrow, and summarised without the model meanwhile"
            self._put(SPENT, text, until=self.back_at(), hint=_HINT)
            self._listener(Event(EventKind.TROUBLE, f"budget: {text} ({_HINT})"))
        elif state == SPENT and not spent and is_wanted:
            text = "it is back; what waited is asked about, the newest session first"
            self._put(CATCHING_UP, text)
            self._listener(Event(EventKind.MENDED, f"budget: {text}"))
        elif not is_wanted and (state == CATCHING_UP or (state and not spent)):
            with self._database.write() as connection:
                conditions.clear(connection, conditions.BUDGET)

    def _put(self, state: str, text: str, *, until: int | None = None, hint: str = "") -> None:
        with self._database.write() as connection:
            conditions.put(connection, conditions.BUDGET, state, text, hint=hint, until=until, now=self._clock())
