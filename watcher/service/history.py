"""Owns which sessions of the past there are to import: those of which a transcript was not taken in from its start.

Known are those that the checkpoints say are read to their end. A watcher leaves alone what is older than the memory, so
a session that went on after that is read anew, though its transcript is at its end. And an import may have been killed
before it ended a session whose transcript it had read.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from watcher.errors import UsageError
from watcher.service.admission import OBSERVERS
from watcher.service.follow import is_transcript, subagents_of
from watcher.service.recording import HOOKS, first_time

HEAD = 16 << 10  # bytes in which most transcripts say when they begin; in four times as many then, and so on
LONGEST_HEAD = 16 << 20  # bytes
_Covered = Mapping[str, tuple[int, int]]  # by a transcript's path: the offset, and since when (epoch)


@dataclass(frozen=True, slots=True)
class Unread:
    """A transcript of which something is to be taken in."""

    path: Path
    size: int  # bytes to read
    anew: bool  # from its start, as what stands there was left alone


@dataclass(frozen=True, slots=True)
class PastSession:
    """A session, and what of it is to be taken in: its own transcript first, then its subagents'.

    Nothing is where it may be that it was read, and not ended.
    """

    path: Path
    started_at: int  # epoch; 0 where no line tells
    written_at: int  # epoch: when its own transcript was written last
    parts: tuple[Unread, ...]

    @property
    def session_id(self) -> str:
        """The session's id: the file's name."""
        return self.path.stem

    @property
    def size(self) -> int:
        """Bytes to read in all."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True, slots=True)
class History:
    """What was found."""

    sessions: tuple[PastSession, ...]  # in the order in which they were begun
    known: int  # sessions of which nothing is to be taken in
    unreadable: Mapping[Path, str]  # and why

    @property
    def size(self) -> int:
        """Bytes to read in all."""
        return sum(session.size for session in self.sessions)


def find(
    paths: Iterable[Path],
    projects: Path,
    covered: _Covered,
    active: Container[str] = (),
    *,
    leaves_out: Callable[[Path], bool] = lambda _: False,
) -> History:
    """Return what of some transcripts, and of folders that hold some, is to be taken in.

    `active`: ids of the sessions whose end is not known. What is left out is not even counted.

    A fork's copied history is as old as the session it was made in, yet its first line is not: so the original
    comes first, and keeps what is its own.
    """
    transcripts: dict[Path, None] = {}
    for path in paths:
        found = [path] if path.is_file() else _transcripts_in(path, projects)
        transcripts.update(dict.fromkeys(one.absolute() for one in found))
    sessions = []
    unreadable = {}
    left_out = 0
    for path in transcripts:
        try:
            if leaves_out(path):
                left_out += 1
                continue
            session = _session(path, covered, is_active=path.stem in active)
        except OSError as error:
            unreadable[path] = error.strerror or repr(error)
            continue
        if session is not None:
            sessions.append(session)
    sessions.sort(key=lambda session: (session.started_at, session.written_at, session.path))
    return History(tuple(sessions), len(transcripts) - len(sessions) - len(unreadable) - left_out, unreadable)


def check(path: Path, projects: Path) -> None:
    """Make sure that there is something to import.

    Raises:
        UsageError: a path is not there, or holds no transcript.
    """
    if not path.is_file() and next(_transcripts_in(path, projects), None) is None:
        hint = "claude-mem import ~/.claude/projects/<project>/<session>.jsonl"
        raise UsageError(f"no transcript at {path}", hint=hint)


def transcripts_of(session_ids: Iterable[str], projects: Path) -> list[Path]:
    """Return the transcripts that are still there of some sessions."""
    wanted = set(session_ids)
    return [path for path in _transcripts_in(projects, projects) if path.stem in wanted]


def _transcripts_in(folder: Path, projects: Path) -> Iterator[Path]:
    """Return the transcripts of sessions below a folder; tools leave other files of that ending beside them.

    Those of subagents come with their session. Older versions of Claude Code kept them beside it, without saying in
    the name which one that is.
    """
    for path in sorted(folder.glob("**/*.jsonl")):
        parts = path.relative_to(folder).parts
        if path.name == HOOKS or path.name.startswith("agent-") or "subagents" in parts:
            continue
        if path.is_relative_to(projects) and not is_transcript(path, projects):
            continue
        if not path.parent.name.endswith(OBSERVERS):
            yield path


def _session(path: Path, covered: _Covered, *, is_active: bool) -> PastSession | None:
    status = path.stat()
    parts = tuple(part for one in (path, *subagents_of(path)) if (part := _unread(one, covered)) is not None)
    if not parts and not is_active:
        return None
    return PastSession(path, begun_at(path), status.st_mtime_ns // 1_000_000, parts)


def _unread(path: Path, covered: _Covered) -> Unread | None:
    size = path.stat().st_size
    offset, since = covered.get(str(path), (0, 0))
    if offset and since and begun_at(path) < since:
        return Unread(path, size, anew=True)
    return Unread(path, max(0, size - offset), anew=False) if size != offset else None


def begun_at(path: Path) -> int:
    """Return the first time (epoch) that stands in a transcript; 0 where none does.

    Raises:
        OSError: it cannot be read.
    """
    length = HEAD
    with path.open("rb") as file:
        while True:
            file.seek(0)
            head = file.read(length)
            at = first_time(head)
            if at or len(head) < length or length >= LONGEST_HEAD:
                return at
            length *= 4
