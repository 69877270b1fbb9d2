"""Owns the conditions: what is wrong at this moment, one row a link of the chain, so that every process can tell it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, select, update

from watcher.memory.database import insert
from watcher.memory.models import Condition

AGENT = "agent"  # the model cannot be had; the state is the AgentError's kind
WATCHING = "watching"  # file system events cannot be had: the rescan finds what they would have told
TRANSCRIPTS = "transcripts"  # some cannot be read
DATABASE = "database"  # it was damaged, was put aside, and is a new one


@dataclass(frozen=True, slots=True)
class CurrentCondition:
    """One thing that is wrong."""

    name: str
    state: str
    text: str
    hint: str
    since: int  # epoch
    until: int | None  # epoch


def put(
    connection: Connection, name: str, state: str, text: str, *, hint: str = "", until: int | None = None, now: int
) -> None:
    """Say that something is wrong; its beginning stays for as long as its state does."""
    values = {"state": state, "text": text, "hint": hint, "until_epoch": until}
    since = case((Condition.state == state, Condition.since_epoch), else_=now)
    connection.execute(
        insert(Condition)
        .values(name=name, since_epoch=now, **values)
        .on_conflict_do_update(index_elements=["name"], set_={**values, "since_epoch": since})
    )


def put_off(connection: Connection, name: str, *, until: int) -> None:
    """Say when what is wrong is tried again."""
    connection.execute(update(Condition).where(Condition.name == name).values(until_epoch=until))


def clear(connection: Connection, name: str) -> bool:
    """Say that something is right again; say whether it was wrong."""
    return connection.execute(delete(Condition).where(Condition.name == name)).rowcount > 0


def clear_observed(connection: Connection) -> None:
    """Forget what a watcher before this one saw; what is still wrong shows itself again."""
    connection.execute(delete(Condition).where(Condition.name != DATABASE))


def current(connection: Connection) -> list[CurrentCondition]:
    """Return what is wrong, the longest first."""
    rows = connection.execute(select(Condition.__table__).order_by(Condition.since_epoch, Condition.name))
    return [CurrentCondition(row.name, row.state, row.text, row.hint, row.since_epoch, row.until_epoch) for row in rows]
