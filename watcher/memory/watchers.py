"""Owns the runs of the watcher."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from watcher.memory.models import Watcher


@dataclass(frozen=True, slots=True)
class WatcherRun:
    """One run of the watcher."""

    pid: int
    version: str
    started_at: int  # epoch
    heartbeat_at: int  # epoch
    stopped_at: int | None


def started(connection: Connection, *, pid: int, version: str, now: int) -> int:
    """Write down that a watcher runs; return the id of its row."""
    row = connection.execute(
        insert(Watcher)
        .values(pid=pid, version=version, started_at_epoch=now, heartbeat_at_epoch=now)
        .returning(Watcher.id)
    )
    return int(row.scalar_one())


def beat(connection: Connection, watcher_id: int, *, now: int) -> None:
    """Write down that it still runs."""
    connection.execute(update(Watcher).where(Watcher.id == watcher_id).values(heartbeat_at_epoch=now))


def stopped(connection: Connection, watcher_id: int, *, reason: str, now: int) -> None:
    """Write down that it has ended, and why."""
    connection.execute(update(Watcher).where(Watcher.id == watcher_id).values(stopped_at_epoch=now, stop_reason=reason))


def first_start(connection: Connection) -> int | None:
    """Return when a watcher first ran on this memory."""
    return connection.scalar(select(func.min(Watcher.started_at_epoch)))


def last_run(connection: Connection) -> WatcherRun | None:
    """Return the newest run."""
    row = connection.execute(select(Watcher.__table__).order_by(Watcher.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return WatcherRun(row.pid, row.version, row.started_at_epoch, row.heartbeat_at_epoch, row.stopped_at_epoch)
