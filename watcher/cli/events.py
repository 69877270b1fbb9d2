"""Owns the live line: one readable line an event; and the log that such lines go to, which never grows for ever."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from watcher import settings as settings_room
from watcher.cli.style import clock_time, fitted, say
from watcher.privacy.redaction import redact
from watcher.service.events import Event, EventKind

STDOUT = 1  # file descriptor; stderr is the same file where a watcher runs in the background
MEGABYTE = 1_000_000
_COLOURS = {
    EventKind.FINALIZED: "green",
    EventKind.OBSERVED: "green",
    EventKind.MENDED: "green",
    EventKind.COMPLETED: "cyan",
    EventKind.TROUBLE: "red",
    EventKind.BROKEN: "yellow",
    EventKind.RESTARTED: "yellow",
}
_one_at_a_time = threading.Lock()


def print_event(event: Event) -> None:
    """Print an event: when, what, in which session, and what of it."""
    session = event.session_id[:8] or "-"
    text = " ".join(redact(event.text).split())
    line = f"{clock_time(time.time())}  {event.kind:<11}  {session:<8}  {text}"
    with _one_at_a_time:
        _rotate_log()
        # Trouble is told whole: its end says what to do.
        say(line if event.kind is EventKind.TROUBLE else fitted(line), colour=_COLOURS.get(event.kind, ""))


def _rotate_log() -> None:
    """Put what is in the log aside once it is too long; the one put aside before goes.

    The log is copied and emptied, never renamed: whoever has it open goes on writing to it, on every platform.
    """
    log, limit = _log()
    with suppress(OSError):
        here = os.fstat(STDOUT)
        if not limit or here.st_size <= limit or not stat.S_ISREG(here.st_mode):
            return
        if not os.path.samestat(here, log.stat()):
            return
        with suppress(OSError):  # A full disk is no reason to let it grow.
            _copy_end(log, log.with_name(log.name + ".1"), limit)
        os.ftruncate(STDOUT, 0)
        os.lseek(STDOUT, 0, os.SEEK_SET)  # Where it was not opened for appending, it would go on behind a hole.


def _copy_end(log: Path, aside: Path, limit: int) -> None:
    """Copy a log that is longer than `limit` bytes, from somewhat before its last ones on."""
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with log.open("rb") as source, os.fdopen(descriptor, "wb") as target:
        source.seek(max(0, log.stat().st_size - 2 * limit))
        shutil.copyfileobj(source, target)


@cache
def _log() -> tuple[Path, int]:
    """Return the log of a watcher in the background, and how many bytes it may have; 0 is without end."""
    settings = settings_room.load()
    return settings.logs / "watcher.log", round(settings.retention.log_size * MEGABYTE)
