"""Owns how others find the watcher: whether one runs, and how a hook can start one.

The lock says that one runs, its row which. A hook runs under any python3 and reads from the launcher file which
Python has claude-mem installed.
"""

from __future__ import annotations

import sys

from filelock import Timeout

from watcher import system
from watcher.memory import watchers
from watcher.memory.database import Database
from watcher.settings import Settings


def running_pid(settings: Settings, database: Database) -> int | None:
    """Return the pid of the watcher that serves this memory, None where none does."""
    if not is_locked(settings):
        return None
    with database.read() as connection:
        run = watchers.last_run(connection)
    # The lock is taken a moment before the row is written.
    return run.pid if run is not None and run.stopped_at is None else None


def is_locked(settings: Settings) -> bool:
    """Say whether a process holds the watcher's lock."""
    if not settings.lock.exists():
        return False
    lock = system.lock(settings.lock)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def write_launcher(settings: Settings) -> bool:
    """Write down which Python runs this; say whether that is news."""
    text = sys.executable + "\n"
    if settings.launcher.is_file() and settings.launcher.read_text(encoding="utf-8") == text:
        return False
    system.make_private_file(settings.launcher)
    settings.launcher.write_text(text, encoding="utf-8")
    return True
