"""Owns hearing of changes: file system events, which are hints and no promise.

They are lost without a word when the kernel's queue overflows, when the limit of watches is reached, or when a folder
is deleted and made again. The rescan finds what they did not tell.
"""

from __future__ import annotations

import os
import queue
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

# Without a filter watchdog sees every read of its own process: three events for each that matters.
_WANTED: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


@dataclass(frozen=True, slots=True)
class _Listened:
    """A folder that is listened to, and which one that was."""

    watch: ObservedWatch
    folder_id: tuple[int, int]  # device and inode


class Hints:
    """Watches folders for changes; tells what changed, and wakes whoever waits."""

    def __init__(self) -> None:
        # Unlike an Event, this queue may be put to from a signal handler of the thread that waits on it.
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._observer: BaseObserver | None = None  # none while the limit of such is reached
        self._listened: dict[Path, _Listened] = {}
        self._gone: set[str] = set()  # folders that were deleted; there may be others in their places

    def listen(self, folder: Path, *, recursive: bool) -> bool:
        """Listen to a folder, now or, where it is not there, at a later call; say whether it began just now.

        A folder that was deleted and made again, or is another one now, is listened to anew.

        Raises:
            OSError: it cannot be listened to, for example because the limit of watches is reached.
        """
        folder_id = _folder_id(folder)
        listened = self._listened.get(folder)
        if listened is not None:
            if listened.folder_id == folder_id and str(folder) not in self._gone:
                return False
            self.forget(folder)
        self._gone.discard(str(folder))
        if folder_id is None:
            return False
        teller = _Teller(self._queue, self._gone)
        watch = self._started().schedule(teller, str(folder), recursive=recursive, event_filter=_WANTED)
        self._listened[folder] = _Listened(watch, folder_id)
        return True

    def forget(self, folder: Path) -> None:
        """Listen to a folder no longer, so that the next `listen` begins anew."""
        listened = self._listened.pop(folder, None)
        if listened is not None and self._observer is not None:
            # What it listened to may be gone already, and its thread with it.
            with suppress(KeyError, OSError):
                self._observer.unschedule(listened.watch)

    def wake(self) -> None:
        """Wake whoever waits; safe in a signal handler."""
        self._queue.put("")

    def wait(self, timeout: float) -> set[str]:
        """Return the paths that changed, as soon as one has, after `timeout` seconds at most."""
        paths = set()
        try:
            paths.add(self._queue.get(timeout=max(0.0, timeout)))
            while True:
                paths.add(self._queue.get_nowait())
        except queue.Empty:
            return paths

    def stop(self) -> None:
        """End the thread that listens."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=1.0)  # seconds

    def _started(self) -> BaseObserver:
        """Return what listens, in a thread of its own."""
        if self._observer is None:
            # Folders made faster than they are watched make watchdog warn, at length; the rescan finds what is in them.
            warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\..*")
            observer = Observer()
            observer.start()
            self._observer = observer
        return self._observer


class _Teller(FileSystemEventHandler):
    def __init__(self, told: queue.SimpleQueue[str], gone: set[str]) -> None:
        self._told = told
        self._gone = gone

    def on_any_event(self, event: FileSystemEvent) -> None:
        if isinstance(event, DirDeletedEvent):
            self._gone.add(os.fsdecode(event.src_path))
        self._told.put(os.fsdecode(event.dest_path or event.src_path))


def _folder_id(folder: Path) -> tuple[int, int] | None:
    """Return which folder it is, None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if folder.is_dir() else None
