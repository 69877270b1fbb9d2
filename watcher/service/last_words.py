"""Owns knowing what the assistant said last under each of a session's latest prompts: digests, in memory alone.

A Stop's flag has the digest of the words that end the turn. They are compared as they stand in the transcript, for
what is stored of them may be less. A watcher that did not read them itself does not know them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

SESSIONS = 1000  # that are remembered, those read last
PROMPTS = 4  # of a session: a flag may be looked at when the next prompts are already there


class Said(NamedTuple):
    """One thing said in a session: by the assistant, or to it, where the digest is empty."""

    at: int  # epoch
    digest: str


class LastWords:
    """The last words under the latest prompts of each session."""

    def __init__(self) -> None:
        self._under: dict[str, list[Said]] = {}  # by session: of each prompt its time, and the last words under it

    def note(self, session_id: str, said: Iterable[Said]) -> None:
        """Note what was just read of a session, in its order."""
        under = self._under.pop(session_id, [])
        for one in said:
            if one.digest and under:
                under[-1] = under[-1]._replace(digest=one.digest)
            else:
                under.append(one)
        self._under[session_id] = under[-PROMPTS:]
        if len(self._under) > SESSIONS:
            del self._under[next(iter(self._under))]

    def under(self, session_id: str, at: int, *, now: int) -> str:
        """Return the digest of the last words under the prompt that was the last at some time (epoch).

        A prompt that lies ahead of `now` is from before the clock was set back. Empty where nothing is known.
        """
        chosen = [one for one in self._under.get(session_id, []) if not at < one.at <= now]
        return chosen[-1].digest if chosen else ""
