"""Owns telling a watcher that works from one that hangs, one that was killed, and none at all."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from watcher import system
from watcher.memory.lookup import WatcherRun
from watcher.system import LockState

STALLED_AFTER = 60_000  # milliseconds without a heartbeat, which comes each 5 s


class Life(StrEnum):
    """How the watcher is."""

    ALIVE = "alive"
    STALLED = "stalled"  # its process is there, and does nothing
    STARTING = "starting"  # a process holds the lock, and has not written down yet that it is the watcher
    DEAD = "dead"  # it was killed; the next one goes on where it was
    NONE = "none"  # the last one has ended by itself, or there never was one


def life(lock: Path, run: WatcherRun | None, now: int) -> Life:
    """Say how the watcher of the newest run is. Without the lock there is none, whoever has its pid by now."""
    is_open = run is not None and run.stopped_at is None
    if not is_held(lock):
        return Life.DEAD if is_open else Life.NONE
    if run is None or not is_open or not system.process_is_alive(run.pid, run.started_at):
        return Life.STARTING
    return Life.STALLED if now - run.heartbeat_at > STALLED_AFTER else Life.ALIVE


def has_no_lock(lock: Path, run: WatcherRun | None, now: int) -> bool:
    """Say whether a watcher works although it does not hold the lock: its process is there, and was just heard."""
    if run is None or run.stopped_at is not None or now - run.heartbeat_at > STALLED_AFTER or is_held(lock):
        return False
    return system.process_is_alive(run.pid, run.started_at)


def is_held(lock: Path) -> bool:
    """Say whether a process holds the watcher's lock; where that cannot be told, none does."""
    try:
        return system.look_at_lock(lock) is LockState.HELD
    except OSError:
        return False
