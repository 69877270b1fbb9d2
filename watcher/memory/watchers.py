"""Owns writing down the runs of the watcher; `lookup` reads the last one, `changes` writes heartbeats."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update

from watcher.memory.models import Watcher
from watcher.privacy.redaction import redact


def started(connection: Connection, *, pid: int, version: str, now: int) -> int:
    """Write down that a watcher runs; return the id of its row."""
    row = connection.execute(
        insert(Watcher)
        .values(pid=pid, version=version, started_at_epoch=now, heartbeat_at_epoch=now)
        .returning(Watcher.id)
    )
    return int(row.scalar_one())


def stopped(connection: Connection, watcher_id: int, *, reason: str, now: int) -> None:
    """Write down that it has ended, and why."""
    connection.execute(
        update(Watcher).where(Watcher.id == watcher_id).values(stopped_at_epoch=now, stop_reason=redact(reason))
    )


def first_start(connection: Connection) -> int | None:
    """Return when a watcher first ran on this memory."""
    return connection.scalar(select(func.min(Watcher.started_at_epoch)))
