"""Owns which records of a transcript may come in where something was forgotten.

Records are judged in their order: what is no prompt belongs to the prompt before it, and is forgotten with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection

from watcher.memory import tombstones
from watcher.memory.records import PromptRecord, Record, Source, TitleRecord, ToolUseRecord
from watcher.memory.states import TombstoneKind
from watcher.memory.tombstones import Kept, Tombstone

_UNTITLE = "UPDATE sdk_sessions SET title = '' WHERE session_id = ? AND title != ''"


def sift(
    connection: Connection, source: Source, places: Iterable[str], records: Sequence[Record], *, now: int
) -> list[Record]:
    """Return the records that may come in; ids of the others are kept, as a fork may have copied them."""
    kept = tombstones.of(connection, source.session_id, places, source.agent_id)
    ids = tombstones.known(connection, filter(None, map(_id, records)), TombstoneKind.PROMPT, TombstoneKind.TOOL_USE)
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
                tombstones.end_open_spans(connection, source.session_id, record.at)
        else:
            forgotten = forgotten or (kept.goes_on(record.at) if source.agent_id else is_out)
        if not forgotten:
            found.append(record)
            continue
        has_more |= not (isinstance(record, ToolUseRecord) and record.tool_use_id in ids)
        new += _of(record)
    tombstones.put(connection, (stone for stone in new if stone.key not in ids), now=now)
    tombstones.put(connection, _of_session(kept, source.session_id, records), now=now)
    if not has_more or kept.has_no_title:
        return found
    _untitle(connection, source.session_id, now)
    return [record for record in found if not isinstance(record, TitleRecord)]


def _id(record: Record) -> str:
    if isinstance(record, PromptRecord):
        return record.uuid
    return record.tool_use_id if isinstance(record, ToolUseRecord) else ""


def _of(record: Record) -> Iterator[Tombstone]:
    if isinstance(record, PromptRecord):
        yield Tombstone(TombstoneKind.PROMPT, record.uuid)
    elif isinstance(record, ToolUseRecord):
        yield Tombstone(TombstoneKind.TOOL_USE, record.tool_use_id)


def _of_session(kept: Kept, session_id: str, records: Sequence[Record]) -> Iterator[Tombstone]:
    """Yield what a project's tombstones come to for a session: its later lines may be from another folder."""
    for span in kept.spans:
        if span.is_of_project and any(span.since <= record.at <= span.until for record in records):
            yield Tombstone(TombstoneKind.SESSION, session_id, span.since, span.until)


def _untitle(connection: Connection, session_id: str, now: int) -> None:
    """Take a session's title away for good: it may be of what was forgotten. A fork writes that of its history."""
    tombstones.put(connection, [Tombstone(TombstoneKind.TITLE, session_id)], now=now)
    if connection.exec_driver_sql(_UNTITLE, (session_id,)).rowcount:
        tombstones.make_due(connection)


def _starts_out(kept: Kept, source: Source, records: Sequence[Record]) -> bool:
    """Say whether the first of some records belong to a prompt that is forgotten, and was read before them."""
    first = next((record.at for record in records if not isinstance(record, TitleRecord)), None)
    return not source.agent_id and first is not None and kept.goes_on(first)
