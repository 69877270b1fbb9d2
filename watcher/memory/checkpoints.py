"""Owns how far each transcript has been taken in, and the lines of it that are no entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, bindparam, select, update

from watcher.memory import tombstones
from watcher.memory.database import insert
from watcher.memory.models import BrokenLine, Checkpoint
from watcher.memory.records import Source


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transcript is taken in: the fields of a position in it."""

    file_id: str
    offset: int
    head_length: int
    head_hash: str
    marker_hash: str


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A line that is no entry."""

    offset: int
    length: int
    line_hash: str
    head: bytes
    reason: str


# Made once, as both run for every line that is appended.
_OF_PATH = select(Checkpoint.__table__).where(Checkpoint.path == bindparam("of_path"))
_NEW = insert(Checkpoint)
_SAVE = _NEW.on_conflict_do_update(
    index_elements=["path"],
    set_={
        **{
            name: _NEW.excluded[name]
            for name in ("session_id", "since_epoch", "updated_at_epoch", *(field.name for field in fields(Progress)))
        },
        "lines_taken": Checkpoint.lines_taken + _NEW.excluded.lines_taken,
        "lines_skipped": Checkpoint.lines_skipped + _NEW.excluded.lines_skipped,
    },
)


def checkpoint(connection: Connection, path: str) -> tuple[Progress, int] | None:
    """Return how far a transcript was taken in, if it ever was, and since when (epoch): what is older was not."""
    row = connection.execute(_OF_PATH, {"of_path": path}).one_or_none()
    if row is None:
        return None
    return Progress(row.file_id, row.offset, row.head_length, row.head_hash, row.marker_hash), row.since_epoch


def reached(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return how far every transcript was ever taken in, by its path: the offset, and when that was (epoch)."""
    rows = connection.execute(select(Checkpoint.path, Checkpoint.offset, Checkpoint.updated_at_epoch))
    return {path: (offset, at) for path, offset, at in rows}


def covered(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return how far every transcript was ever taken in, by its path: the offset, and since when (epoch)."""
    rows = connection.execute(select(Checkpoint.path, Checkpoint.offset, Checkpoint.since_epoch))
    return {path: (offset, since) for path, offset, since in rows}


def save_checkpoint(
    connection: Connection,
    source: Source,
    progress: Progress,
    *,
    since: int,
    lines_taken: int,
    lines_skipped: int,
    now: int,
) -> None:
    """Store how far a transcript was taken in; belongs into the transaction of what was.

    `lines_taken` and `lines_skipped` are those of this step; the checkpoint adds them up.
    """
    values = {"path": source.path, "session_id": source.session_id, "since_epoch": since, "updated_at_epoch": now}
    counts = {"lines_taken": lines_taken, "lines_skipped": lines_skipped}
    connection.execute(_SAVE, {**values, **asdict(progress), **counts})


def cover(connection: Connection, path: str) -> None:
    """Write down that nothing of what was read of a transcript was left alone."""
    connection.execute(update(Checkpoint).where(Checkpoint.path == path).values(since_epoch=0))


def keep_broken(connection: Connection, source: Source, broken: Iterable[BrokenRecord], *, now: int) -> None:
    """Keep lines that are no entries, each once; of a session of which something is forgotten, nothing they say."""
    rows = [
        {
            "path": source.path,
            "offset": line.offset,
            "length": line.length,
            "line_hash": line.line_hash,
            "head": line.head,
            "reason": line.reason,
            "seen_at_epoch": now,
        }
        for line in broken
    ]
    if rows and tombstones.of(connection, source.session_id, (source.project, source.cwd)).spans:
        rows = [{**row, "head": b""} for row in rows]
    if rows:
        connection.execute(insert(BrokenLine).on_conflict_do_nothing(), rows)
