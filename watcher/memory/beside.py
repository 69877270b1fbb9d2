"""Owns the file in which tombstones stand beside the database: that may be lost whole, and is then made of transcripts.

A line a tombstone. It is written before anything is taken away, and only ever grows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection

from watcher import permissions
from watcher.memory import tombstones
from watcher.memory.faults import of_files
from watcher.memory.states import TombstoneKind
from watcher.memory.tombstones import Tombstone


def path_of(database: Path) -> Path:
    """Return the file that holds the same beside a database."""
    return database.with_name("forgotten.jsonl")


def keep(database: Path, stones: Iterable[Tombstone], *, now: int) -> None:
    """Write tombstones down beside the database, on the disk before this returns.

    Raises:
        DatabaseError: they cannot be written.
    """
    path = path_of(database)
    with of_files(path):
        permissions.make_private_file(path)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(
                json.dumps([*stone, now]) + "\n" for stone in stones if stone.kind is not TombstoneKind.COMMAND
            )
            file.flush()
            os.fsync(file.fileno())


def take(connection: Connection, database: Path) -> None:
    """Store the tombstones that stand beside a database which has none: it is a new one."""
    path = path_of(database)
    if not path.exists() or tombstones.count(connection):
        return
    found: dict[int, list[Tombstone]] = {}
    with of_files(path):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                kind, key, since, until, is_open, at = json.loads(line)
                stone = Tombstone(TombstoneKind(kind), str(key), int(since), int(until), bool(is_open))
                found.setdefault(int(at), []).append(stone)
            except (ValueError, TypeError):
                continue  # a line that was cut off as its process died: what it was to keep out is still there
    for at, stones in found.items():
        tombstones.put(connection, stones, now=at)
