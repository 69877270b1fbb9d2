"""Owns recorded sessions on disk: which transcripts a path names, in which order, and the hook events beside them.

A recording is a transcript `<session>.jsonl`, with its subagents in `<session>/subagents/` where there are some, and
perhaps `hooks.jsonl` beside it: a line a hook event, `{"at_epoch": ms, "event": {...}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import orjson

from watcher.errors import UsageError
from watcher.memory.models import FlagKind
from watcher.service.follow import subagents_of

HOOKS = "hooks.jsonl"
_TIME = re.compile(rb'"timestamp": ?"([0-9T:.\-]{19,26}(?:Z|[+-]\d\d:\d\d))"')
_FLAGS = {"Stop": FlagKind.FINALIZE, "SessionEnd": FlagKind.CLEANUP}


@dataclass(frozen=True, slots=True)
class RecordedFlag:
    """One hook event that raises a flag."""

    at: int  # epoch
    kind: FlagKind
    session_id: str
    event: str  # JSON; its transcript_path is where the recording lies

    @classmethod
    def end(cls, transcript: Path, at: int) -> RecordedFlag:
        """Return the flag that ends a session of which no end was recorded."""
        event = {"session_id": transcript.stem, "transcript_path": str(transcript), "reason": "replayed"}
        return cls(at, FlagKind.CLEANUP, transcript.stem, orjson.dumps(event).decode())

    def moved(self, transcript: Path) -> RecordedFlag:
        """Return the flag of a transcript that now lies elsewhere."""
        event = orjson.loads(self.event) | {"transcript_path": str(transcript)}
        return replace(self, event=orjson.dumps(event).decode())


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """One line of a transcript, at its time."""

    at: int  # epoch
    path: Path
    data: bytes  # with its line ending, where it has one


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded session."""

    path: Path
    started_at: int  # epoch; 0 where no line tells
    ended_at: int  # of its last line
    flags: tuple[RecordedFlag, ...]

    @property
    def session_id(self) -> str:
        """The session's id: the file's name."""
        return self.path.stem

    @property
    def subagents(self) -> list[Path]:
        """Its subagents' transcripts."""
        return subagents_of(self.path)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(path.stat().st_size for path in [self.path, *self.subagents])

    def lines(self) -> Iterator[RecordedLine]:
        """Return every line of the session, none before the line above it.

        So a line without a time has that of the line before it, and the history that a fork copies is written when
        the fork is made.
        """
        for path in [self.path, *self.subagents]:
            at = self.started_at
            for data in path.read_bytes().splitlines(keepends=True):
                at = max(at, first_time(data))
                yield RecordedLine(at, path, data)


def find(paths: Iterable[Path]) -> list[Recording]:
    """Return the sessions that files and folders hold, in the order in which they were begun.

    A fork's copied history is as old as the session it was made in, yet its first line is not: so the original
    comes first, and keeps what is its own.

    Raises:
        UsageError: a path is not there, or holds no transcript.
    """
    found: dict[Path, Recording] = {}
    for path in paths:
        transcripts = [path] if path.is_file() else _transcripts_in(path)
        if not transcripts:
            raise UsageError(
                f"no transcript at {path}", hint="claude-mem replay ~/.claude/projects/<project>/<session>.jsonl"
            )
        for transcript in transcripts:
            found[transcript.absolute()] = _recording(transcript.absolute())
    return sorted(found.values(), key=lambda recording: (recording.started_at, recording.ended_at, recording.path))


def _transcripts_in(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob("**/*.jsonl"))
        if path.name != HOOKS and "subagents" not in path.relative_to(folder).parts
    ]


def _recording(path: Path) -> Recording:
    data = path.read_bytes()
    times = [_epoch(match) for match in _TIME.findall(data)]
    first = first_time(data)
    flags = tuple(_flags(path))
    return Recording(path, first, max([*times, first]), flags)


def _flags(path: Path) -> Iterator[RecordedFlag]:
    hooks = path.with_name(HOOKS)
    if not hooks.is_file():
        return
    for line in hooks.read_bytes().splitlines():
        recorded = orjson.loads(line)
        event = recorded["event"]
        kind = _FLAGS.get(event.get("hook_event_name"))
        if kind is not None and event.get("session_id") == path.stem:
            flag = RecordedFlag(recorded["at_epoch"], kind, path.stem, orjson.dumps(event).decode())
            yield flag.moved(path)


def first_time(data: bytes) -> int:
    """Return the first time (epoch) that stands in some lines; 0 where none does."""
    match = _TIME.search(data)
    return _epoch(match[1]) if match else 0


def _epoch(written: bytes) -> int:
    try:
        return round(datetime.fromisoformat(written.decode()).timestamp() * 1000)
    except ValueError:
        return 0
