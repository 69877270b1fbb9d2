"""Owns saying what is wrong at this moment, one row a link of the chain; every process can tell it: see `lookup`."""

from __future__ import annotations

from sqlalchemy import Connection, case, delete, update

from watcher.memory.database import insert
from watcher.memory.models import Condition
from watcher.memory.states import ConditionName
from watcher.privacy.redaction import redact

AGENT = ConditionName.AGENT
WATCHING = ConditionName.WATCHING
TRANSCRIPTS = ConditionName.TRANSCRIPTS
BUDGET = ConditionName.BUDGET
SETTINGS = ConditionName.SETTINGS
DATABASE = ConditionName.DATABASE


def put(
    connection: Connection, name: str, state: str, text: str, *, hint: str = "", until: int | None = None, now: int
) -> None:
    """Say that something is wrong; its beginning stays for as long as its state does."""
    values = {"state": state, "text": redact(text), "hint": redact(hint), "until_epoch": until}
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
    connection.execute(delete(Condition).where(Condition.name.not_in([BUDGET, DATABASE])))
