"""Owns which rows are meant when something is to be forgotten: by id, session, project, text or time.

A turn goes whole: what was asked, used and said in it, and what was made of that, tell of each other. An observation
that is named by its id goes with the tool uses that it rests on, with what else rests on these, and with its turn's
summary, which is made anew of what is left. Read with the driver alone.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from watcher.errors import ClaudeMemError
from watcher.memory import mentions
from watcher.memory.browse import OBSERVATION, PROMPT, SUMMARY, Ref
from watcher.memory.mentions import OBSERVATIONS, PROMPTS, SUMMARIES, TABLES, TOOL_USES

_FAR = (1 << 63) - 1  # milliseconds

# When a row's time ends; it begins with `created_at_epoch`.
_ENDS = {
    PROMPTS: "max(created_at_epoch, closing_at_epoch, ifnull(ended_at_epoch, 0))",
    TOOL_USES: "max(created_at_epoch, ifnull(finished_at_epoch, 0))",
    OBSERVATIONS: "created_at_epoch",
    SUMMARIES: "created_at_epoch",
}


class Wanted(NamedTuple):
    """What is meant: all rows for which all of this is so; what is not given asks for nothing."""

    refs: tuple[Ref, ...] = ()  # alone
    session: str = ""  # its whole id
    project: str | None = None
    text: str = ""  # anywhere in them, whatever the case
    since: int | None = None  # epoch, itself included, as the next one
    until: int | None = None

    @property
    def has_span(self) -> bool:
        """A span of time is meant, perhaps without end."""
        return self.since is not None or self.until is not None

    @property
    def is_whole(self) -> bool:
        """All of a session or of a project is meant."""
        return not (self.refs or self.text or self.has_span)


class Turn(NamedTuple):
    """A turn that goes."""

    session_id: str
    since: int  # epoch, as the next one
    until: int  # up to the next prompt; of the last turn: as far as is known
    is_last: bool  # of its session: it may go on


@dataclass(slots=True)
class Selection:
    """The rows that go, and whom they belong to."""

    rows: dict[str, set[int]] = field(default_factory=lambda: {table: set() for table in TABLES})  # ids, by table
    sessions: dict[str, str] = field(default_factory=dict)  # of which anything goes: the project of each
    whole: set[str] = field(default_factory=set)  # those of which all goes
    turns: list[Turn] = field(default_factory=list)
    titles: set[str] = field(default_factory=set)  # sessions whose title goes, though nothing else may


class _Row(NamedTuple):
    id: int
    number: int  # of its prompt
    since: int
    until: int


def select(connection: sqlite3.Connection, wanted: Wanted) -> Selection:
    """Return what is meant.

    Raises:
        ClaudeMemError: there is no row of an id.
    """
    found = Selection()
    if wanted.refs:
        _add_named(connection, wanted.refs, found)
        return found
    mentioned = mentions.mentioned(connection, wanted.text) if wanted.text else {}
    titled = mentions.titled(connection, wanted.text) if wanted.text else set()
    for session_id, project in _sessions(connection, wanted):
        if wanted.text and session_id not in mentioned and session_id not in titled:
            continue
        if wanted.is_whole:
            found.whole.add(session_id)
            found.sessions[session_id] = project
            _add_turns(connection, session_id, found, lambda _turn: True)
            continue
        numbers = mentioned.get(session_id, set())

        def is_meant(turn: _Told, numbers: set[int] = numbers) -> bool:
            is_in_span = turn.until >= (wanted.since or 0) and turn.since <= _end(wanted)
            return is_in_span and (not wanted.text or bool(turn.numbers & numbers))

        _add_turns(connection, session_id, found, is_meant)
        if session_id in titled:
            found.titles.add(session_id)
            found.sessions[session_id] = project
    return found


class _Told(NamedTuple):
    """A turn with all that is known of it."""

    numbers: set[int]  # under which its rows stand
    rows: dict[str, list[_Row]]
    since: int
    until: int


def _sessions(connection: sqlite3.Connection, wanted: Wanted) -> Iterator[tuple[str, str]]:
    conditions, values = ["1"], {"session": wanted.session, "project": wanted.project}
    if wanted.session:
        conditions.append("session_id = :session")
    if wanted.project is not None:
        conditions.append("project = :project")
    query = f"SELECT session_id, project FROM sdk_sessions WHERE {' AND '.join(conditions)} ORDER BY id"  # noqa: S608
    yield from connection.execute(query, values).fetchall()


def _end(wanted: Wanted) -> int:
    return _FAR if wanted.until is None else wanted.until


def _place(connection: sqlite3.Connection, ref: Ref) -> tuple[str, int]:
    table = {SUMMARY: SUMMARIES, PROMPT: PROMPTS}[ref.kind]
    query = f"SELECT session_id, prompt_number FROM {table} WHERE id = ?"  # noqa: S608 - one of two words
    row = connection.execute(query, (ref.number,)).fetchone()
    if row is None:
        raise _missing(ref)
    return str(row[0]), int(row[1])


def _missing(ref: Ref) -> ClaudeMemError:
    return ClaudeMemError(f"there is no {ref}", hint="claude-mem search WORD (it prints the ids that there are)")


def _add_named(connection: sqlite3.Connection, refs: Iterable[Ref], found: Selection) -> None:
    touched: dict[str, set[int]] = defaultdict(set)
    for ref in refs:
        if ref.kind == OBSERVATION:
            _add_observation(connection, ref.number, found)
        else:
            session_id, number = _place(connection, ref)
            touched[session_id].add(number)
    for session_id, named in touched.items():

        def is_named(turn: _Told, numbers: set[int] = named) -> bool:
            return bool(turn.numbers & numbers)

        _add_turns(connection, session_id, found, is_named)


def _add_turns(
    connection: sqlite3.Connection, session_id: str, found: Selection, is_meant: Callable[[_Told], bool]
) -> None:
    """Add those turns of a session that are meant, and what rests on them elsewhere in it."""
    told = _turns(connection, session_id)
    tool_uses: list[int] = []
    for position, turn in enumerate(told):
        if not is_meant(turn):
            continue
        for table, rows in turn.rows.items():
            found.rows[table].update(row.id for row in rows)
        is_last = position == len(told) - 1
        until = turn.until if is_last else max(turn.since, told[position + 1].since - 1)
        found.turns.append(Turn(session_id, turn.since, until, is_last))
        tool_uses += (row.id for row in turn.rows[TOOL_USES])
    if found.turns and found.turns[-1].session_id == session_id:
        _note_session(connection, session_id, found)
    if tool_uses and session_id not in found.whole:
        found.rows[OBSERVATIONS] |= _resting_on(connection, session_id, tool_uses)


def _turns(connection: sqlite3.Connection, session_id: str) -> list[_Told]:
    """Return a session's turns, oldest first; what was done before any prompt belongs to the first."""
    starts: list[tuple[int, int]] = []  # the last number of each turn, and when its first prompt was
    prompts = connection.execute(
        "SELECT prompt_number, continues_turn, created_at_epoch FROM user_prompts WHERE session_id = ? "
        "ORDER BY prompt_number",
        (session_id,),
    )
    for number, continues, at in prompts:
        if continues and starts:
            starts[-1] = (number, starts[-1][1])
        else:
            starts.append((number, at))
    lasts = [number for number, _ in starts]
    groups: list[dict[str, list[_Row]]] = [{table: [] for table in TABLES} for _ in range(max(1, len(starts)))]
    for table in TABLES:
        stored = connection.execute(
            f"SELECT id, prompt_number, created_at_epoch, {_ENDS[table]} FROM {table} WHERE session_id = ?",  # noqa: S608
            (session_id,),
        )
        for row in map(_Row._make, stored):
            groups[min(bisect_left(lasts, row.number), len(groups) - 1)][table].append(row)
    told = []
    for position, group in enumerate(groups):
        rows = [row for some in group.values() for row in some]
        if rows:
            first = min(row.since for row in rows)
            since = min(first, starts[position][1]) if position == 0 and starts else first
            since = starts[position][1] if position else since
            told.append(_Told({row.number for row in rows}, group, since, max(row.until for row in rows)))
    return told


def _add_observation(connection: sqlite3.Connection, number: int, found: Selection) -> None:
    """Add an observation, the tool uses that it rests on, what else rests on them, and the summary of its turn."""
    row = connection.execute("SELECT session_id, tool_use_ids FROM observations WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise _missing(Ref(OBSERVATION, number))
    session_id, ids = row
    uses = connection.execute(
        "SELECT id FROM tool_uses WHERE session_id = ? AND tool_use_id IN (SELECT value FROM json_each(?))",
        (session_id, ids),
    )
    tool_uses = {tool_use for (tool_use,) in uses}
    observations = {number} | _resting_on(connection, session_id, tool_uses)
    found.rows[TOOL_USES] |= tool_uses
    found.rows[OBSERVATIONS] |= observations
    _note_session(connection, session_id, found)
    for turn in _turns(connection, session_id):
        if observations & {one.id for one in turn.rows[OBSERVATIONS]}:
            found.rows[SUMMARIES] |= {one.id for one in turn.rows[SUMMARIES]}


def _resting_on(connection: sqlite3.Connection, session_id: str, tool_uses: Iterable[int]) -> set[int]:
    """Return the observations of a session that rest on any of some tool uses."""
    rows = connection.execute(
        "SELECT DISTINCT o.id FROM observations o, json_each(iif(json_valid(o.tool_use_ids), o.tool_use_ids, '[]')) "
        "WHERE o.session_id = ? AND value IN ("
        "SELECT tool_use_id FROM tool_uses WHERE id IN (SELECT value FROM json_each(?)))",
        (session_id, json.dumps(list(tool_uses))),
    )
    return {number for (number,) in rows}


def _note_session(connection: sqlite3.Connection, session_id: str, found: Selection) -> None:
    if session_id not in found.sessions:
        (project,) = connection.execute(
            "SELECT project FROM sdk_sessions WHERE session_id = ?", (session_id,)
        ).fetchone() or ("",)
        found.sessions[session_id] = project
