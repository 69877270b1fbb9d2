"""Owns having the memory to oneself for a while: the watcher that runs is ended, and started again afterwards.

What is long over must not be taken for sessions that have fallen silent, nor be asked about, by a watcher that sees it
come in. The lock is the watcher's own, so none is started meanwhile; hooks raise their flags as ever.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from filelock import Timeout

from watcher import __version__, system
from watcher.errors import ClaudeMemError
from watcher.memory import watchers
from watcher.memory.changes import Changes
from watcher.memory.database import Database, DatabaseBusyError
from watcher.service import presence, rebuild
from watcher.service.events import now
from watcher.service.watch import HEARTBEAT, LOCK_WAIT
from watcher.settings import Settings

TRIES = 10  # at the lock; hooks may start the next watcher as soon as one has ended
BEAT_PATIENCE = 0.4  # seconds that a heartbeat waits for another's transaction


class Alone:
    """The memory, with no watcher at work on it. `database` is open while this is entered."""

    database: Database

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = system.lock(settings.lock)
        self._ours = system.lock(settings.lock.with_name("import.lock"))
        self._has_ended_one = False

    def __enter__(self) -> Self:
        """Take the lock, from the watcher that has it; the database is made where there is none.

        Raises:
            ClaudeMemError: another import runs, or the lock cannot be had.
        """
        presence.check_locks(self._settings)
        try:
            self._ours.acquire(timeout=0)
        except Timeout as error:
            raise ClaudeMemError("another import runs on this memory", hint="claude-mem status") from error
        try:
            self._take_lock()
            rebuild.create(self._settings)
            presence.write_launcher(self._settings)
            self.database = Database(self._settings.database)
            with self.database.write() as connection:
                self._id = watchers.started(connection, pid=os.getpid(), version=__version__, now=now())
        except BaseException:
            self._release()
            raise
        self._changes = Changes(self._settings.database, BEAT_PATIENCE)
        self._beaten_at = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back; where a watcher ran before, one is started again."""
        try:
            with self.database.write() as connection:
                watchers.stopped(connection, self._id, reason="imported", now=now())
        finally:
            self._changes.close()
            self.database.close()
            self._release()

    def beat(self) -> None:
        """Write down every now and then that this works."""
        if time.monotonic() - self._beaten_at >= HEARTBEAT:
            with suppress(DatabaseBusyError):  # the next one will do
                self._changes.beat(self._id, now=now())
            self._beaten_at = time.monotonic()

    def _take_lock(self) -> None:
        for _ in range(TRIES):
            try:
                self._lock.acquire(timeout=LOCK_WAIT)
            except Timeout:
                run = presence.running(self._settings)
                if run is not None:
                    presence.end(run)
                    self._has_ended_one = True
            else:
                return
        raise ClaudeMemError("a watcher is started again and again", hint="claude-mem watch --stop, then this again")

    def _release(self) -> None:
        self._lock.release()
        self._ours.release()
        if self._has_ended_one:
            presence.start(self._settings)
