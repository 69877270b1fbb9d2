"""Owns the flags that hooks had to set aside: in files, because the database was missing, locked or full."""

from __future__ import annotations

from pathlib import Path

import orjson

from watcher.memory import sessions
from watcher.memory.database import Database
from watcher.memory.models import FlagKind
from watcher.service.events import Event, EventKind, Listener


def raise_flags(database: Database, folder: Path, listener: Listener) -> int:
    """Raise the flags that wait in a folder, each once, and remove their files; return how many there were."""
    for path in folder.glob("*.broken"):
        path.unlink()  # kept by an older version, with whatever text it holds
    found = sorted(folder.glob("*.json"))
    for path in found:
        try:
            if path.is_symlink():
                raise ValueError("a link, which no hook makes")  # noqa: TRY301 - told as all the others are
            said = orjson.loads(path.read_bytes())
            kind, event = FlagKind(said["kind"]), str(said["event"])
            session_id, project, at = str(said["session_id"]), str(said["project"]), int(said["raised_at"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            # What is in it cannot be told, and may be what must not be kept; the transcript has all that it was about.
            path.unlink()
            why = type(error).__name__  # its message may quote what was read
            listener(Event(EventKind.TROUBLE, f"cannot read a flag that was set aside ({why}): {path} is removed"))
            continue
        with database.write() as connection:
            sessions.raise_flag(connection, session_id, kind, event, at, project=project)
        path.unlink()
    return len(found)
