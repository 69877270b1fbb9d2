"""Owns how others find the watcher: whether one runs, how to end it, and how a hook can start one.

The lock says that one runs, its row which. A hook runs under any python3 and reads from the launcher file which
Python has claude-mem installed.
"""

from __future__ import annotations

import sys

from filelock import Timeout

from watcher import system
from watcher.errors import ClaudeMemError
from watcher.memory import watchers
from watcher.memory.database import Database
from watcher.memory.watchers import WatcherRun
from watcher.settings import Settings

STOP_WAIT = 10.0  # seconds for a watcher to end


def running(settings: Settings) -> WatcherRun | None:
    """Return the watcher that serves this memory, None where none does.

    Raises:
        ClaudeMemError: something else holds the watcher's lock.
    """
    if not _is_locked(settings):
        return None
    database = Database.existing(settings.database)
    with database.read() as connection:
        run = watchers.last_run(connection)
    database.close()
    # The pid of a watcher that was killed may be another process's by now, which then began later than the watcher.
    if run is None or run.stopped_at is not None or not system.process_is_alive(run.pid, run.started_at):
        raise ClaudeMemError(
            f"an unknown process holds {settings.lock}", hint="a watcher may be starting: try again in a moment"
        )
    return run


def end(run: WatcherRun) -> None:
    """End a watcher; what it was about to do, the next one does.

    Raises:
        ClaudeMemError: it does not end.
    """
    if not system.end_process(run.pid, STOP_WAIT):
        raise ClaudeMemError(
            f"the watcher (pid {run.pid}) does not end", hint=f"kill -9 {run.pid}; nothing is lost by it"
        )


def write_launcher(settings: Settings) -> None:
    """Write down which Python runs this, for the hooks."""
    if not launcher_is_current(settings):
        system.make_private_file(settings.launcher)
        settings.launcher.write_text(_launcher(), encoding="utf-8")


def launcher_is_current(settings: Settings) -> bool:
    """Say whether the hooks would start the watcher with this very Python."""
    return settings.launcher.is_file() and settings.launcher.read_text(encoding="utf-8") == _launcher()


def _launcher() -> str:
    return sys.executable + "\n"


def _is_locked(settings: Settings) -> bool:
    """Say whether a process holds the watcher's lock."""
    if not settings.lock.exists():
        return False
    lock = system.lock(settings.lock)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
