"""Owns what befalls the database: locked for seconds, and a disk that is full for a while."""

from __future__ import annotations

import random
import resource
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil

from tests.soak import story
from tests.soak.faults_watcher import play
from tests.soak.kills import home_with
from tests.soak.nursery import Mortal
from tests.soak.story import Manner
from tests.soak.table import Place, Tally
from tests.soak.writer import Writer


def locked(place: Place) -> Tally:
    """Hold the write lock for up to three seconds while transcripts grow on, and hooks set their flags aside."""
    home = home_with(place.folder / "home")
    told = story.tell(place.random.randrange(1 << 30), place.begin(), manner=Manner(by_hook=0.5))

    def lock(_number: int, _watcher: Mortal, writer: Writer) -> None:
        holder = threading.Thread(target=_hold, args=(home.database, place.random.uniform(0.1, 3.0)))
        holder.start()
        while holder.is_alive():
            writer.step()
            time.sleep(0.05)
        holder.join()

    return play(place, home, 12, lock, told=told)


def _hold(path: Path, seconds: float) -> None:
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")


def disk_full(place: Place) -> Tally:
    """Let no file of the watcher's grow beyond some size, its log no more than its database; then let it again."""
    home = home_with(place.folder / "home")

    def fill(_number: int, watcher: Mortal, writer: Writer) -> None:
        with _bounded(watcher.pid, _room(home.database, place.random)):
            for _ in range(place.random.randrange(5, 25)):
                writer.step()
                time.sleep(0.03)

    return play(place, home, 12, fill)


def _room(database: Path, chance: random.Random) -> int:
    """Return a size that a database's log has reached, or nearly."""
    log = database.with_name(f"{database.name}-wal")
    return chance.choice((0, 4096, log.stat().st_size if log.exists() else 0))


class _bounded:  # noqa: N801 - used as a word of the language
    """Bounds the size of what a process writes while its block is open."""

    def __init__(self, pid: int, size: int) -> None:
        self._process = psutil.Process(pid)
        self._size = size

    def __enter__(self) -> None:
        self._before = self._process.rlimit(resource.RLIMIT_FSIZE)
        self._process.rlimit(resource.RLIMIT_FSIZE, (self._size, self._before[1]))

    def __exit__(self, *_: object) -> None:
        if self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
            self._process.rlimit(resource.RLIMIT_FSIZE, self._before)
