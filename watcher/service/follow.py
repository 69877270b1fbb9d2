"""Owns which transcripts to look at: those that changed, found by the rescan, and their order.

The rescan by inode, size and modification time is the promise that file system events cannot keep: transcripts of
sessions that are at work each second, the whole projects folder every now and then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from watcher.service.events import Clock, now

RECENT = 3_600_000  # milliseconds: what was written this long before now is not old, if the clock was set back

_Signature = tuple[int, int, int]  # inode, size, modification time in ns
_UNSEEN: _Signature = (-1, -1, -1)


def beginning(since: int, moment: int) -> int:
    """Return before when (epoch) things are old: not in the time to come, where the clock was ahead once."""
    return since if since <= moment else moment - RECENT


def is_transcript(path: Path, projects: Path) -> bool:
    """Say whether a file is one: `<project>/<session>.jsonl`, `<project>/<session>/subagents/**/agent-<id>.jsonl`.

    Tools leave other files of that ending beside them.
    """
    if path.suffix != ".jsonl" or not path.is_relative_to(projects):
        return False
    parts = path.relative_to(projects).parts
    return len(parts) == 2 or (len(parts) > 3 and parts[2] == "subagents" and path.name.startswith("agent-"))


def subagents_of(transcript: Path) -> list[Path]:
    """Return the transcripts of a session's subagents; none where their folder cannot be looked into now."""
    folder = transcript.with_suffix("") / "subagents"
    try:
        # Most have none, and a glob takes longer.
        return sorted(folder.glob("**/agent-*.jsonl")) if folder.is_dir() else []
    except PermissionError:
        return []


class Rescan:
    """Finds what changed since it last looked, by what the file system says of each file.

    A file counts as seen once it is handed out; `forget` one that could not be taken in.
    """

    def __init__(self, projects: Path, *, since: int, reached: dict[str, tuple[int, int]], clock: Clock = now) -> None:
        """Transcripts last written before `since` (epoch) and never taken in are left alone.

        `reached` says how far each known transcript was taken in, and when (epoch): one of that very size, and not
        written since, has nothing new.
        """
        self._projects = projects
        self._since = since
        self._reached = reached
        self._clock = clock
        self._seen: dict[str, _Signature] = {}
        self.unreadable: dict[Path, str] = {}  # folders that `discover` could not look into, and why

    def discover(self) -> Iterator[Path]:
        """Return the changed transcripts anywhere in the projects folder, the oldest first.

        A fork copies history: the session it was made in must come first to keep it. Subagents come last: the
        prompt that their work belongs to is in their session's own file.
        """
        self.unreadable = {}
        found = [
            (path[path.rfind(os.sep) + 1 :].startswith("agent-"), status.st_mtime_ns, path, status)
            for path, status in _transcripts(self._projects, self.unreadable)
            if self._is_new(path, status)
        ]
        for _, _, path, status in sorted(found, key=lambda one: one[:3]):
            self._seen[path] = _signature(status)
            yield Path(path)

    def changed(self, paths: Iterable[Path]) -> Iterator[Path]:
        """Return those of some transcripts that changed."""
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            if self._is_new(str(path), status):
                self._seen[str(path)] = _signature(status)
                yield path

    def forget(self, path: Path) -> None:
        """Look at a file again the next time, changed or not."""
        self._seen[str(path)] = _UNSEEN

    def _is_new(self, path: str, status: os.stat_result) -> bool:
        known = self._seen.get(path)
        if known is not None:
            return known != _signature(status)
        reached = self._reached.get(path)
        if reached is None:
            return status.st_mtime_ns >= beginning(self._since, self._clock()) * 1_000_000
        offset, at = reached
        return status.st_size != offset or status.st_mtime_ns >= beginning(at, self._clock()) * 1_000_000


class Backlog:
    """The transcripts that are to be read, each once: those of which something was just heard before all others."""

    def __init__(self) -> None:
        self._fresh: dict[Path, None] = {}  # in the order in which they came
        self._rest: dict[Path, None] = {}

    def __bool__(self) -> bool:
        return bool(self._fresh or self._rest)

    def add(self, paths: Iterable[Path], *, are_fresh: bool) -> None:
        """Add transcripts."""
        (self._fresh if are_fresh else self._rest).update(dict.fromkeys(paths))

    def first(self) -> Path | None:
        """Return the one whose turn it is; it stays until it is `done` or `put_back`."""
        return next(iter(self._fresh or self._rest), None)

    def done(self, path: Path) -> None:
        """Take one off: it was read to its end, or cannot be read now."""
        self._fresh.pop(path, None)
        self._rest.pop(path, None)

    def put_back(self, path: Path) -> None:
        """Read the rest of one when no other is fresh; before what waited longer, which may hold copies of it."""
        self.done(path)
        self._rest = {path: None, **self._rest}


def _signature(status: os.stat_result) -> _Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _transcripts(projects: Path, unreadable: dict[Path, str]) -> Iterator[tuple[str, os.stat_result]]:
    """Return every transcript with its status: thousands, so by their names alone."""
    for project in _entries(projects, unreadable):
        for entry in _entries(project.path, unreadable):
            if entry.name.endswith(".jsonl"):
                with suppress(OSError):  # it went while we looked, or is a link to nowhere
                    yield entry.path, os.stat(entry.path)  # noqa: PTH116 - the entry knows no inode on Windows
            elif entry.is_dir(follow_symlinks=False):
                for transcript in subagents_of(Path(entry.path)):
                    with suppress(OSError):
                        yield str(transcript), transcript.stat()


def _entries(folder: Path | str, unreadable: dict[Path, str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        unreadable[Path(folder)] = error.strerror or repr(error)
        return []
