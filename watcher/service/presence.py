"""Owns how others find the watcher: whether one runs, how to end it, and how a hook can start one.

The lock says that one runs, its row which. A hook runs under any python3 and reads from the launcher file which
Python has claude-mem installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from watcher import permissions, system
from watcher.errors import ClaudeMemError
from watcher.memory import lookup
from watcher.memory.database import Database, driver
from watcher.memory.faults import of_files
from watcher.memory.lookup import WatcherRun
from watcher.settings import Settings

STOP_WAIT = 10.0  # seconds for a watcher to end


class LocksError(ClaudeMemError):
    """Locks do not work where the memory is, and nothing else tells two watchers that they are two."""


def check_locks(settings: Settings) -> None:
    """Make sure that the file system on which the memory is can lock.

    Raises:
        LocksError: it cannot.
        OpenToOthersError: others could write there.
        DatabaseError: nothing can be written there.
    """
    permissions.close(settings.home)
    with of_files(settings.lock):
        permissions.make_private_folder(settings.home)
        permissions.make_private_folder(settings.lock.parent)
        permissions.make_private_file(settings.lock)
        failed = settings.lock.with_name("locks.failed")
        try:
            _is_locked(settings)
        except LocksError:
            permissions.make_private_file(failed)
            failed.write_text("failed\n", encoding="utf-8")  # hooks start no watcher for a while
            raise
        failed.unlink(missing_ok=True)


def running(settings: Settings) -> WatcherRun | None:
    """Return the watcher that serves this memory, None where none does.

    Raises:
        ClaudeMemError: something else holds the watcher's lock.
    """
    if not _is_locked(settings):
        return None
    database = Database.existing(settings.database)
    with database.read() as connection:
        run = lookup.last_run(driver(connection))
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


def start(settings: Settings) -> Path:
    """Start a watcher in the background, and return the log in which it tells what it does."""
    permissions.make_private_folder(settings.logs)
    log = settings.logs / "watcher.log"
    command = [sys.executable, "-P", "-m", "watcher", "watch", "--until-idle"]
    # It works in another folder, so what is named by a relative path must be named anew.
    environment = os.environ | {"CLAUDE_MEM_HOME": str(settings.home)}
    if "CLAUDE_CONFIG_DIR" in environment:
        environment["CLAUDE_CONFIG_DIR"] = str(settings.claude_dir)
    system.start_detached(command, environment=environment, log=log)
    return log


def write_launcher(settings: Settings) -> None:
    """Write down which Python runs this, for the hooks."""
    with of_files(settings.launcher):
        if not launcher_is_current(settings):
            permissions.make_private_file(settings.launcher)
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
    hint = f"point CLAUDE_MEM_HOME at a folder on a local disk; {settings.home} may be on a network drive"
    try:
        state = system.look_at_lock(settings.lock)
    except PermissionError as error:
        raise ClaudeMemError(
            f"cannot look at {settings.lock} ({error.strerror})", hint=f"ls -l {settings.lock}"
        ) from error
    except OSError as error:
        raise LocksError(f"locks do not work on {settings.lock} ({error.strerror})", hint=hint) from error
    if state is system.LockState.BROKEN:
        raise LocksError(f"locks do not work on {settings.lock} (two can have it at once)", hint=hint)
    return state is system.LockState.HELD
