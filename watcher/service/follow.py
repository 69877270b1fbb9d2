"""Owns which transcripts to look at: those that changed, by hint or by rescan.

File system events are hints: they are lost without a word when the kernel's queue overflows, when the limit of
watches is reached, or when a folder is deleted and made again. The rescan by inode, size and modification time is
the promise: transcripts of active sessions each second, the whole projects folder every now and then.
"""

from __future__ import annotations

import os
import queue
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

_Signature = tuple[int, int, int]  # inode, size, modification time in ns


class Rescan:
    """Finds what changed since it last looked, by what the file system says of each file."""

    def __init__(self, projects: Path, *, since: int, offsets: dict[str, int]) -> None:
        """Transcripts last written before `since` (epoch) and never taken in are left alone.

        `offsets` says how far each known transcript was taken in: one of that very size has nothing new.
        """
        self._projects = projects
        self._since = since
        self._offsets = offsets
        self._seen: dict[str, _Signature] = {}

    def discover(self) -> Iterator[Path]:
        """Return the changed transcripts anywhere in the projects folder, the oldest first.

        A fork copies history: the session it was made in must come first to keep it.
        """
        found = [
            (status.st_mtime_ns, path) for path, status in _transcripts(self._projects) if self._is_new(path, status)
        ]
        yield from (Path(path) for _, path in sorted(found))

    def changed(self, paths: Iterable[Path]) -> Iterator[Path]:
        """Return those of some transcripts that changed."""
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            if self._is_new(str(path), status):
                yield path

    def _is_new(self, path: str, status: os.stat_result) -> bool:
        signature = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._seen.get(path)
        if known == signature:
            return False
        self._seen[path] = signature
        if known is None:
            taken = self._offsets.get(path)
            if taken is None:
                return status.st_mtime_ns >= self._since * 1_000_000
            return taken != status.st_size
        return True


class Hints:
    """Watches folders for changes; tells what changed, and wakes whoever waits."""

    def __init__(self) -> None:
        # Unlike an Event, this queue may be put to from a signal handler of the thread that waits on it.
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._observer = Observer()
        self._watched: dict[Path, bool] = {}

    def start(self) -> None:
        """Start the thread that listens."""
        # Folders made faster than they are watched make watchdog warn, at length; the rescan finds what is in them.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\..*")
        self._observer.start()

    def watch(self, folder: Path, *, recursive: bool) -> None:
        """Listen to a folder, now or, where it is not there, at a later call.

        Raises:
            OSError: it cannot be watched, for example because the limit of watches is reached.
        """
        if not folder.is_dir():
            self._watched[folder] = False
        elif not self._watched.get(folder):
            # Without the filter watchdog sees every read of its own process.
            wanted: list[type[FileSystemEvent]] = [DirCreatedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent]
            self._observer.schedule(_Teller(self._queue), str(folder), recursive=recursive, event_filter=wanted)
            self._watched[folder] = True

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
        """End the thread."""
        self._observer.stop()
        self._observer.join(timeout=2.0)  # seconds


class _Teller(FileSystemEventHandler):
    def __init__(self, told: queue.SimpleQueue[str]) -> None:
        self._told = told

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._told.put(os.fsdecode(event.dest_path or event.src_path))


def _transcripts(projects: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Return every transcript: `<project>/<session>.jsonl`, `<project>/<session>/subagents/**/*.jsonl`."""
    for project in _entries(projects):
        for entry in _entries(project.path):
            if entry.name.endswith(".jsonl"):
                yield from _with_status(entry)
            elif entry.is_dir(follow_symlinks=False):
                for parent, _, names in os.walk(os.path.join(entry.path, "subagents")):  # noqa: PTH118 - a hot path
                    for name in sorted(names):
                        if name.endswith(".jsonl"):
                            path = os.path.join(parent, name)  # noqa: PTH118
                            yield path, os.stat(path)  # noqa: PTH116


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _with_status(entry: os.DirEntry[str]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        yield entry.path, entry.stat()
    except FileNotFoundError:
        return
