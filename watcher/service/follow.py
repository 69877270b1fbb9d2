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
from contextlib import suppress
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
_UNSEEN: _Signature = (-1, -1, -1)


def is_transcript(path: Path, projects: Path) -> bool:
    """Say whether a file is one: `<project>/<session>.jsonl`, `<project>/<session>/subagents/**/agent-<id>.jsonl`.

    Tools leave other files of that ending beside them.
    """
    if path.suffix != ".jsonl" or not path.is_relative_to(projects):
        return False
    parts = path.relative_to(projects).parts
    return len(parts) == 2 or (len(parts) > 3 and parts[2] == "subagents" and path.name.startswith("agent-"))


def subagents_of(transcript: Path) -> list[Path]:
    """Return the transcripts of a session's subagents."""
    return sorted((transcript.with_suffix("") / "subagents").glob("**/agent-*.jsonl"))


class Rescan:
    """Finds what changed since it last looked, by what the file system says of each file.

    A file counts as seen once it is handed out; `forget` one that could not be taken in.
    """

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

        A fork copies history: the session it was made in must come first to keep it. Subagents come last: the
        prompt that their work belongs to is in their session's own file.
        """
        found = [
            (path.name.startswith("agent-"), status.st_mtime_ns, path, status)
            for path, status in _transcripts(self._projects)
            if self._is_new(path, status)
        ]
        for _, _, path, status in sorted(found, key=lambda one: one[:3]):
            self._seen[str(path)] = _signature(status)
            yield path

    def changed(self, paths: Iterable[Path]) -> Iterator[Path]:
        """Return those of some transcripts that changed."""
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            if self._is_new(path, status):
                self._seen[str(path)] = _signature(status)
                yield path

    def forget(self, path: Path) -> None:
        """Look at a file again the next time, changed or not."""
        self._seen[str(path)] = _UNSEEN

    def _is_new(self, path: Path, status: os.stat_result) -> bool:
        known = self._seen.get(str(path))
        if known is not None:
            return known != _signature(status)
        taken = self._offsets.get(str(path))
        if taken is None and status.st_mtime_ns < self._since * 1_000_000:
            self._seen[str(path)] = _signature(status)
            return False
        return taken != status.st_size


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


def _signature(status: os.stat_result) -> _Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _transcripts(projects: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Return every transcript with its status."""
    for project in _entries(projects):
        for entry in _entries(project.path):
            path = Path(entry.path)
            if entry.name.endswith(".jsonl"):
                found = [path]
            elif entry.is_dir(follow_symlinks=False):
                found = subagents_of(path)
            else:
                continue
            for transcript in found:
                with suppress(OSError):  # it went while we looked, or is a link to nowhere
                    yield transcript, transcript.stat()


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
