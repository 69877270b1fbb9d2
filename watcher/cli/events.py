"""Owns the live line: one readable line an event."""

from __future__ import annotations

import time

from watcher.cli.style import clock_time, fitted, say
from watcher.service.events import Event, EventKind

_COLOURS = {
    EventKind.FINALIZED: "green",
    EventKind.OBSERVED: "green",
    EventKind.COMPLETED: "cyan",
    EventKind.TROUBLE: "red",
    EventKind.BROKEN: "yellow",
    EventKind.RESTARTED: "yellow",
}


def print_event(event: Event) -> None:
    """Print an event: when, what, in which session, and what of it."""
    session = event.session_id[:8] or "-"
    text = " ".join(event.text.split())
    line = f"{clock_time(time.time())}  {event.kind:<11}  {session:<8}  {text}"
    # Trouble is told whole: its end says what to do.
    say(line if event.kind is EventKind.TROUBLE else fitted(line), colour=_COLOURS.get(event.kind, ""))
