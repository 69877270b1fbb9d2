"""Owns whose transcripts are taken in at all.

Not those of sessions that are begun in a folder that the user has excluded; nor of those that another program has begun
through the Agent SDK, unless the settings say so; and never of the memory's own agent, nor of the one that the
TypeScript claude-mem has. The session's first line that says where it runs decides: it may go elsewhere later.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from watcher.memory.records import Source
from watcher.privacy.excluded import Excluded
from watcher.privacy.ignored import Ignored
from watcher.settings import PrivacySettings
from watcher.transcript import entries, tail
from watcher.transcript.entries import Origin

HEAD = 32 << 10  # bytes in which most transcripts say where they run; in the next ones then, and so on
LONGEST_HEAD = 1 << 20  # bytes
# Sessions of the TypeScript claude-mem's own agent: it is a Claude Code that works in `.claude-mem/observer-sessions`.
OBSERVERS = "-claude-mem-observer-sessions"
# `claude -p` is a user's own, and names itself by the second of these, as Claude Code 2.1.330 does; the SDK for Python
# says `sdk-py`, that for TypeScript `sdk-ts`. The hooks go by the same: hooks/hook.py.
_SDK, _PRINT = "sdk-", "sdk-cli"


def check(settings: PrivacySettings) -> None:
    """Make sure that the patterns in the settings are some.

    Raises:
        UsageError: one is none.
    """
    Excluded(settings.exclude)
    Ignored(settings.ignore)


class Admission:
    """Knows who is left out."""

    def __init__(self, settings: PrivacySettings, memory: Path) -> None:
        """Take the rules, and the memory's own folder, in which its agent works.

        Raises:
            UsageError: a pattern is none.
        """
        self.excluded = Excluded(settings.exclude)
        self._own = Excluded([memory.as_posix()])
        self._takes_sdk = settings.sdk_sessions
        self._is_left_out: dict[str, bool] = {}  # what was decided, by session

    def leaves_out(self, source: Source, lines: Iterable[tail.Line] = ()) -> bool:
        """Say whether a session is left out; not where nothing tells where it runs yet.

        `lines` are looked at where its transcript's head does not tell.

        Raises:
            OSError: its transcript cannot be read.
        """
        known = self._is_left_out.get(source.session_id)
        if known is not None:
            return known
        origin = _first(lines) or _origin(source)
        is_observers = Path(source.transcript_path).parent.name.endswith(OBSERVERS)
        if origin is None:
            return is_observers
        decided = is_observers or self._is_foreign(origin) or self.is_private(origin.cwd)
        self._is_left_out[source.session_id] = decided
        return decided

    def is_private(self, folder: str) -> bool:
        """Say whether nothing is kept of a session that was begun in a folder."""
        return self.excluded.holds(folder) or self._own.holds(folder)

    def _is_foreign(self, origin: Origin) -> bool:
        return is_sdk(origin.entrypoint) and not self._takes_sdk


def is_sdk(entrypoint: str) -> bool:
    """Say whether another program began a session, as its lines say."""
    return entrypoint.startswith(_SDK) and entrypoint != _PRINT


def _origin(source: Source) -> Origin | None:
    """Return where a session began: its own transcript says, a subagent's where that is gone."""
    for path in dict.fromkeys((source.transcript_path, source.path)):
        try:
            found = _of_head(Path(path))
        except FileNotFoundError:
            continue
        if found is not None:
            return found
    return None


def _of_head(path: Path) -> Origin | None:
    position = tail.START
    has_more = True
    while has_more and position.offset < LONGEST_HEAD:
        chunk = tail.read(path, position, HEAD, skip=entries.is_useless)
        if found := _first(chunk.lines):
            return found
        position, has_more = chunk.position, chunk.more
    return None


def _first(lines: Iterable[tail.Line]) -> Origin | None:
    return next((origin for line in lines if (origin := entries.origin(line.data)) is not None), None)
