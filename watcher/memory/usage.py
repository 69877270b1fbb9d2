"""Owns what requests to the agent came to: of today, of a session, and by day, project and session.

Read with the driver alone, as commands do that only look (see `lookup`). A day is one where the user is.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from typing import NamedTuple


class Spent(NamedTuple):
    """What requests came to."""

    requests: int
    tool_uses: int
    input_tokens: int  # cached ones included
    output_tokens: int
    cost_usd: float


class Line(NamedTuple):
    """What the requests of one day, project or session came to."""

    name: str  # 2026-11-24, the project's folder, the session's id
    project: str  # of a session
    last_at: int  # epoch of the last one
    spent: Spent


_SUMS = (
    "count(*), coalesce(sum(tool_uses), 0), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), "
    "coalesce(sum(cost_usd), 0.0)"
)


def day(epoch: int, ago: int = 0) -> tuple[int, int]:
    """Return when the day of some time began where the user is, and when it ends; or the day some days before it."""
    noon = datetime.fromtimestamp(epoch / 1000).replace(hour=12) - timedelta(days=ago)  # noqa: DTZ006 - the user's time
    begin = noon.replace(hour=0, minute=0, second=0, microsecond=0)
    # Each made anew from the date: a day on which the clock changes has not 24 hours.
    return _epoch(begin), _epoch(begin + timedelta(days=1))


def today(connection: sqlite3.Connection, now: int) -> Spent:
    """Add up what was asked today."""
    return between(connection, *day(now))


def between(connection: sqlite3.Connection, since: int, until: int) -> Spent:
    """Add up what was asked in some time (epochs), the latter not included."""
    query = f"SELECT {_SUMS} FROM agent_requests WHERE created_at_epoch >= ? AND created_at_epoch < ?"  # noqa: S608
    return Spent(*connection.execute(query, (since, until)).fetchone())


def of_session(connection: sqlite3.Connection, session_id: str) -> Spent:
    """Add up what was asked about a session, ever."""
    query = f"SELECT {_SUMS} FROM agent_requests WHERE session_id = ?"  # noqa: S608
    return Spent(*connection.execute(query, (session_id,)).fetchone())


def is_any(connection: sqlite3.Connection) -> bool:
    """Say whether an agent was ever asked."""
    return connection.execute("SELECT 1 FROM agent_requests LIMIT 1").fetchone() is not None


def by_day(connection: sqlite3.Connection, days: int, now: int) -> list[Line]:
    """Return the days on which something was asked, the newest first: of the last so many, today included."""
    lines = []
    for ago in range(days):
        since, until = day(now, ago)
        if (spent := between(connection, since, until)).requests:
            date = datetime.fromtimestamp(since / 1000).strftime("%Y-%m-%d")  # noqa: DTZ006 - the user's time
            lines.append(Line(date, "", since, spent))
    return lines


def by_project(connection: sqlite3.Connection, since: int) -> list[Line]:
    """Return the projects about which something was asked since some time (epoch), the dearest first."""
    return _grouped(connection, "project", "''", since, "sum(cost_usd) DESC, count(*) DESC, project")


def by_session(connection: sqlite3.Connection, since: int) -> list[Line]:
    """Return the sessions about which something was asked since some time (epoch), the newest first."""
    return _grouped(connection, "session_id", "max(project)", since, "max(created_at_epoch) DESC, max(id) DESC")


def _grouped(connection: sqlite3.Connection, name: str, project: str, since: int, order: str) -> list[Line]:
    query = (
        f"SELECT {name}, {project}, max(created_at_epoch), {_SUMS} FROM agent_requests "  # noqa: S608
        f"WHERE created_at_epoch >= ? GROUP BY {name} ORDER BY {order}"
    )
    return [
        Line(named, its_project, last_at, Spent(*sums))
        for named, its_project, last_at, *sums in connection.execute(query, (since,))
    ]


def _epoch(local: datetime) -> int:
    return round(local.timestamp() * 1000)
