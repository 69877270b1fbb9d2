"""Owns tombstones: what was forgotten, known by ids and times alone, so that none of it comes in again.

A transcript is the user's and is never changed, so what was forgotten still stands there, and in the copies that forks
make of it. An id keeps out one thing wherever it stands, a span of time whatever else was done in it. Where nothing
was ever forgotten, taking in asks none of this.

A file beside the database holds the same: the database may be lost whole, and is then made of the transcripts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from watcher import system
from watcher.memory.faults import of_files
from watcher.memory.records import PromptRecord, Record, Source, TitleRecord, ToolUseRecord
from watcher.memory.states import TombstoneKind

_PUT = """
INSERT INTO forgotten (kind, key, since_epoch, until_epoch, is_open, forgotten_at_epoch) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, key, since_epoch) DO UPDATE SET
    until_epoch = max(until_epoch, excluded.until_epoch), is_open = max(is_open, excluded.is_open)
"""
_OF = f"""
SELECT id, kind, since_epoch, until_epoch, is_open FROM forgotten
WHERE (kind IN ('{TombstoneKind.SESSION}', '{TombstoneKind.TITLE}') AND key = :session)
    OR (kind = '{TombstoneKind.SUBAGENT}' AND key = :subagent)
    OR (kind = '{TombstoneKind.PROJECT}' AND key IN (SELECT value FROM json_each(:places)))
    OR kind = '{TombstoneKind.ALL}'
"""  # noqa: S608 - words of ours
_AMONG = """
SELECT key FROM forgotten WHERE kind IN (SELECT value FROM json_each(:kinds))
    AND key IN (SELECT value FROM json_each(:keys))
"""
# One number for all: how many times anything was forgotten shows in it, and what was forgotten does not.
_COUNT = "SELECT coalesce(max(id), 0) FROM forgotten"
_SILENCE = f"""
UPDATE flags SET event = iif(json_valid(event), json_remove(event, '$.last_assistant_message'), '{{}}')
WHERE id = ? AND EXISTS (
    SELECT 1 FROM forgotten WHERE kind = '{TombstoneKind.SESSION}' AND key = flags.session_id
        AND since_epoch <= raised_at_epoch AND (is_open OR raised_at_epoch <= until_epoch)
)
"""  # noqa: S608
_DUE = f"SELECT EXISTS (SELECT 1 FROM forgotten WHERE kind = '{TombstoneKind.COMMAND}' AND is_open)"  # noqa: S608
_UNTITLE = "UPDATE sdk_sessions SET title = '' WHERE session_id = ? AND title != ''"
_DUE_AGAIN = f"""
INSERT INTO forgotten (kind, key, is_open, forgotten_at_epoch) VALUES ('{TombstoneKind.COMMAND}', '', 1, 0)
ON CONFLICT (kind, key, since_epoch) DO UPDATE SET is_open = 1
"""  # noqa: S608
_OVERWRITTEN = f"UPDATE forgotten SET is_open = 0 WHERE kind = '{TombstoneKind.COMMAND}' AND is_open AND id <= ?"  # noqa: S608


class Tombstone(NamedTuple):
    """One tombstone."""

    kind: TombstoneKind
    key: str = ""
    since: int = 0  # epoch, as `until`, which is included
    until: int = 0
    is_open: bool = False


class Span(NamedTuple):
    """A span of time that is forgotten."""

    since: int  # epoch, as `until`, which is included
    until: int
    is_open: bool  # what comes later is forgotten too, up to the next prompt


class Kept(NamedTuple):
    """What tombstones say of a session."""

    spans: tuple[Span, ...] = ()
    has_no_title: bool = False
    is_subagent: bool = False  # all of the subagent is forgotten whose transcript this is

    def covers(self, at: int) -> bool:
        """Say whether a time (epoch) lies in a span."""
        return any(span.since <= at <= span.until for span in self.spans)

    def goes_on(self, at: int) -> bool:
        """Say whether what is no prompt is forgotten at some time (epoch) where no prompt has come since."""
        return any(span.is_open and at >= span.since for span in self.spans)


def put(connection: Connection, stones: Iterable[Tombstone], *, now: int) -> None:
    """Store tombstones, each once."""
    if rows := [(*stone, now) for stone in stones]:
        connection.exec_driver_sql(_PUT, rows)


def of(connection: Connection, session_id: str, places: Iterable[str], subagent: str = "") -> Kept:
    """Return what tombstones say of a session; `places` are the folders, and the project, that it is in."""
    named = {place for place in places if place}
    keys = [place_key(place) for place in named | _identities(connection, named)]
    values = {"session": session_id, "subagent": subagent, "places": json.dumps(keys)}
    rows = connection.exec_driver_sql(_OF, values).all()
    of_time = (TombstoneKind.SESSION, TombstoneKind.PROJECT, TombstoneKind.ALL)
    return Kept(
        tuple(Span(since, until, bool(is_open)) for _, kind, since, until, is_open in rows if kind in of_time),
        any(row[1] == TombstoneKind.TITLE for row in rows),
        any(row[1] == TombstoneKind.SUBAGENT for row in rows),
    )


def known(connection: Connection, keys: Iterable[str], *kinds: TombstoneKind) -> set[str]:
    """Return those of some ids that are forgotten."""
    values = {"kinds": json.dumps(kinds), "keys": json.dumps(list(keys))}
    return {key for (key,) in connection.exec_driver_sql(_AMONG, values)}


def sift(
    connection: Connection, source: Source, places: Iterable[str], records: Sequence[Record], *, now: int
) -> list[Record]:
    """Return the records that may come in; ids of the others are kept, as a fork may have copied them."""
    kept = of(connection, source.session_id, places, source.agent_id)
    ids = known(connection, filter(None, map(_id, records)), TombstoneKind.PROMPT, TombstoneKind.TOOL_USE)
    is_out = _starts_out(kept, source, records)
    has_more = False  # than single tool uses that are forgotten
    found: list[Record] = []
    new: list[Tombstone] = []
    for record in records:
        if isinstance(record, TitleRecord):
            if not kept.has_no_title:
                found.append(record)
            continue
        forgotten = _id(record) in ids or kept.covers(record.at) or kept.is_subagent
        if isinstance(record, PromptRecord):
            # What is typed while a turn runs goes on with that, unless that is forgotten.
            record = record._replace(continues_turn=record.continues_turn and not is_out)  # noqa: PLW2901
            is_out = forgotten
            if not forgotten:
                _end_open_spans(connection, source.session_id, record.at)
        else:
            forgotten = forgotten or (kept.goes_on(record.at) if source.agent_id else is_out)
        if not forgotten:
            found.append(record)
            continue
        has_more |= not (isinstance(record, ToolUseRecord) and record.tool_use_id in ids)
        new += _of(record)
    put(connection, (stone for stone in new if stone.key not in ids), now=now)
    if not has_more or kept.has_no_title:
        return found
    _untitle(connection, source.session_id, now)
    return [record for record in found if not isinstance(record, TitleRecord)]


def silence_flag(connection: Connection, flag_id: int) -> None:
    """Drop the assistant's last words from a flag where they end a turn that was forgotten while it ran."""
    if connection.exec_driver_sql(_SILENCE, (flag_id,)).rowcount:
        connection.exec_driver_sql(_DUE_AGAIN)


def place_key(place: str) -> str:
    """Return what stands for a project, a folder of it or what it is known by: its name is not kept."""
    return hashlib.blake2b(place.encode("utf-8", "replace"), digest_size=16).hexdigest()


def observation_key(session_id: str, content_hash: str) -> str:
    """Return what stands for an observation."""
    return f"{session_id}:{content_hash}"


def count(connection: Connection) -> int:
    """Return a number that is another one once anything more was forgotten."""
    return int(connection.exec_driver_sql(_COUNT).scalar_one())


def is_overwriting_due(connection: Connection) -> bool:
    """Say whether what was forgotten may still stand in parts of the file that are free."""
    return bool(connection.exec_driver_sql(_DUE).scalar_one())


def mark_overwritten(connection: Connection, up_to: int) -> None:
    """Write down that what was forgotten up to some `count` stands nowhere in the file any more."""
    connection.exec_driver_sql(_OVERWRITTEN, (up_to,))


def rename(connection: Connection, old: str, new: str) -> None:
    """Let what is forgotten of a project count for the one that it becomes a part of as well."""
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO forgotten (kind, key, since_epoch, until_epoch, is_open, forgotten_at_epoch) "
        "SELECT kind, ?, since_epoch, until_epoch, is_open, forgotten_at_epoch FROM forgotten "
        "WHERE kind = ? AND key = ?",
        (place_key(new), TombstoneKind.PROJECT, place_key(old)),
    )


def path_beside(database: Path) -> Path:
    """Return the file that holds the same beside a database."""
    return database.with_name("forgotten.jsonl")


def keep_beside(database: Path, stones: Iterable[Tombstone], *, now: int) -> None:
    """Write tombstones down beside the database, on the disk before this returns.

    Raises:
        DatabaseError: they cannot be written.
    """
    path = path_beside(database)
    with of_files(path):
        system.make_private_file(path)
        with path.open("a", encoding="utf-8") as file:
            file.writelines(
                json.dumps([*stone, now]) + "\n" for stone in stones if stone.kind is not TombstoneKind.COMMAND
            )
            file.flush()
            os.fsync(file.fileno())


def take_from_beside(connection: Connection, database: Path) -> None:
    """Store the tombstones that stand beside a database which has none: it is a new one."""
    path = path_beside(database)
    if not path.exists() or count(connection):
        return
    rows = []
    with of_files(path):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                kind, key, since, until, is_open, at = json.loads(line)
                rows.append((TombstoneKind(kind), str(key), int(since), int(until), bool(is_open), int(at)))
            except (ValueError, TypeError):
                continue  # a line that was cut off as its process died: what it was to keep out is still there
    if rows:
        connection.exec_driver_sql(_PUT, rows)


def _id(record: Record) -> str:
    if isinstance(record, PromptRecord):
        return record.uuid
    return record.tool_use_id if isinstance(record, ToolUseRecord) else ""


def _of(record: Record) -> Iterator[Tombstone]:
    if isinstance(record, PromptRecord):
        yield Tombstone(TombstoneKind.PROMPT, record.uuid)
    elif isinstance(record, ToolUseRecord):
        yield Tombstone(TombstoneKind.TOOL_USE, record.tool_use_id)


def _untitle(connection: Connection, session_id: str, now: int) -> None:
    """Take a session's title away for good: it may be of what was forgotten. A fork writes that of its history."""
    put(connection, [Tombstone(TombstoneKind.TITLE, session_id)], now=now)
    if connection.exec_driver_sql(_UNTITLE, (session_id,)).rowcount:
        connection.exec_driver_sql(_DUE_AGAIN)


def _starts_out(kept: Kept, source: Source, records: Sequence[Record]) -> bool:
    """Say whether the first of some records belong to a prompt that is forgotten, and was read before them."""
    first = next((record.at for record in records if not isinstance(record, TitleRecord)), None)
    return not source.agent_id and first is not None and kept.goes_on(first)


def _end_open_spans(connection: Connection, session_id: str, at: int) -> None:
    """Let what is forgotten of a session end before a prompt."""
    connection.exec_driver_sql(
        "UPDATE forgotten SET is_open = 0, until_epoch = max(until_epoch, ? - 1) "
        "WHERE kind = ? AND key = ? AND is_open AND since_epoch <= ?",
        (at, TombstoneKind.SESSION, session_id, at),
    )


def _identities(connection: Connection, places: set[str]) -> set[str]:
    """Return what projects are known again by, wherever they lie."""
    rows = connection.exec_driver_sql(
        "SELECT identity FROM project_identities WHERE project IN (SELECT value FROM json_each(?))",
        (json.dumps(list(places)),),
    )
    return {identity for (identity,) in rows}
