"""Owns tombstones: what was forgotten, known by ids and times alone, so that none of it comes in again.

A transcript is the user's and is never changed, so what was forgotten still stands there, and in the copies that forks
make of it. An id keeps out one thing wherever it stands, a span of time whatever else was done in it. Where nothing
was ever forgotten, taking in asks none of this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from watcher.memory.database import driver
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
_LAST_COMMAND = f"SELECT coalesce(max(id), 0) FROM forgotten WHERE kind = '{TombstoneKind.COMMAND}' AND key != ''"  # noqa: S608
_DUE = f"SELECT EXISTS (SELECT 1 FROM forgotten WHERE kind = '{TombstoneKind.COMMAND}' AND is_open)"  # noqa: S608
_END = """
UPDATE forgotten SET is_open = 0, until_epoch = max(until_epoch, ? - 1)
WHERE kind = ? AND key = ? AND is_open AND since_epoch <= ?
"""
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
    is_of_project: bool = False


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
    values = {"session": session_id, "subagent": subagent_key(session_id, subagent), "places": json.dumps(keys)}
    rows = driver(connection).execute(_OF, values).fetchall()
    of_time = (TombstoneKind.SESSION, TombstoneKind.PROJECT, TombstoneKind.ALL)
    return Kept(
        tuple(
            Span(since, until, bool(is_open), kind == TombstoneKind.PROJECT)
            for _, kind, since, until, is_open in rows
            if kind in of_time
        ),
        any(row[1] == TombstoneKind.TITLE for row in rows),
        any(row[1] == TombstoneKind.SUBAGENT for row in rows),
    )


def known(connection: Connection, keys: Iterable[str], *kinds: TombstoneKind) -> set[str]:
    """Return those of some ids that are forgotten."""
    values = {"kinds": json.dumps(kinds), "keys": json.dumps(list(keys))}
    return {key for (key,) in driver(connection).execute(_AMONG, values)}


def place_key(place: str) -> str:
    """Return what stands for a project, a folder of it or what it is known by: its name is not kept."""
    return hashlib.blake2b(place.encode("utf-8", "replace"), digest_size=16).hexdigest()


def subagent_key(session_id: str, agent_id: str) -> str:
    """Return what stands for a subagent of a session."""
    return f"{session_id}/{agent_id}"


def observation_key(session_id: str, content_hash: str) -> str:
    """Return what stands for an observation."""
    return f"{session_id}:{content_hash}"


def count(connection: Connection) -> int:
    """Return a number that is another one once anything more was forgotten."""
    return int(connection.exec_driver_sql(_COUNT).scalar_one())


def last_command(connection: Connection) -> int:
    """Return a number that is another one once a user had anything more forgotten.

    `count` is another one, too, once something was kept out that came in later, which nobody had been shown.
    """
    return int(connection.exec_driver_sql(_LAST_COMMAND).scalar_one())


def is_overwriting_due(connection: Connection) -> bool:
    """Say whether what was forgotten may still stand in parts of the file that are free."""
    return bool(connection.exec_driver_sql(_DUE).scalar_one())


def make_due(connection: Connection) -> None:
    """Write down that something more is to be overwritten in the file, which came in after it was forgotten."""
    connection.exec_driver_sql(_DUE_AGAIN)


def mark_overwritten(connection: Connection, up_to: int) -> None:
    """Write down that what was forgotten up to some `count` stands nowhere in the file any more."""
    connection.exec_driver_sql(_OVERWRITTEN, (up_to,))


def end_open_spans(connection: Connection, session_id: str, at: int) -> None:
    """Let what is forgotten of a session end before a prompt (epoch)."""
    connection.exec_driver_sql(_END, (at, TombstoneKind.SESSION, session_id, at))


def _identities(connection: Connection, places: set[str]) -> set[str]:
    """Return what projects are known again by, wherever they lie."""
    rows = driver(connection).execute(
        "SELECT identity FROM project_identities WHERE project IN (SELECT value FROM json_each(?))",
        (json.dumps(list(places)),),
    )
    return {identity for (identity,) in rows}
