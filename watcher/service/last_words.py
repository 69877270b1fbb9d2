"""Owns by what the last words of a session are known again, so that no hook has to hand them on.

Remembered in this process alone: of what another one has read, a flag waits its time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

EACH = 8  # checksums of what was said last that are remembered of a session
SESSIONS = 200  # of which they are


class LastWords:
    """Remembers checksums of what the assistant said last."""

    def __init__(self) -> None:
        self._of: dict[str, deque[int]] = {}  # by session, the one heard of last behind all others

    def note(self, session_id: str, said: Sequence[int]) -> None:
        """Take the checksums of what was said in a session, in its order."""
        if not said:
            return
        words = self._of.pop(session_id, deque(maxlen=EACH))
        words.extend(said)
        self._of[session_id] = words
        if len(self._of) > SESSIONS:
            del self._of[next(iter(self._of))]

    def has(self, session_id: str, words: int) -> bool:
        """Say whether these were among the last words of a session."""
        return words in self._of.get(session_id, ())
