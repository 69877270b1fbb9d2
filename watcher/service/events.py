"""Owns what the service tells whoever listens: one event a thing done, and the time it goes by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What was done."""

    STARTED = "started"  # the watcher runs
    TAKEN_IN = "taken in"  # new records of a transcript are in the database
    BROKEN = "broken line"  # a line of a transcript is no entry; it is kept apart
    RESTARTED = "read anew"  # a transcript is no longer the file it was
    FINALIZED = "finalized"  # a turn's provisional summary and the project's context are readable
    OBSERVED = "observed"  # the agent has answered
    COMPLETED = "completed"  # a session is over
    FORGOTTEN = "forgotten"  # what is too old, or too much, is no longer kept
    TROUBLE = "trouble"  # something did not work; it will be tried again
    MENDED = "mended"  # what did not work does again
    STOPPED = "stopped"  # the watcher ends


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was done."""

    kind: EventKind
    text: str
    session_id: str = ""


Listener = Callable[[Event], None]
Clock = Callable[[], int]  # milliseconds since 1970; may jump
Pace = Callable[[], float]  # seconds since some moment; never jumps


def now() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
