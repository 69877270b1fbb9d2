"""The memory to search, and what is asked of it: two text files, which say of themselves how they are to be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from watcher.memory import outcomes
from watcher.memory.database import insert, iso
from watcher.memory.identifiers import all_parts
from watcher.memory.models import SdkSession, UserPrompt
from watcher.memory.turns import Turn

HERE = Path(__file__).parent
DAY = 86_400_000  # milliseconds
NOW = 1_795_000_000_000  # epoch: in November 2026
CONCEPTS = {"bugfix": "problem-solution", "discovery": "gotcha", "decision": "trade-off"}


class Row(NamedTuple):
    """One thing that is remembered."""

    name: str
    kind: str  # o, s or p: an observation, a summary or a prompt
    project: str
    at: int  # epoch
    type: str  # of an observation
    title: str
    text: str
    files: tuple[str, ...]


class Query(NamedTuple):
    """What is typed, and the rows that answer it."""

    text: str
    answers: frozenset[str]  # names


def memory() -> list[Row]:
    """Return all rows, of each project in the order in which they came."""
    rows, project = [], ""
    for line in _lines("memory.txt"):
        if line.startswith("["):
            project = line.strip("[]")
            continue
        name, kind, days, type_, title, text = (field.strip() for field in line.split("|", 5))
        files = ""
        if kind == "o":
            text, _, files = text.rpartition(" | ")
        at = NOW - int(days) * DAY
        rows.append(Row(name, kind, project, at, type_, title, text.rstrip(" |"), tuple(files.split())))
    return rows


def queries() -> tuple[list[Query], list[Query]]:
    """Return those for tuning, and those for testing."""
    both = []
    for line in _lines("queries.txt"):
        text, _, names = line.rpartition(" | ")
        both.append(Query(text, frozenset(names.split())))
    return both[::2], both[1::2]


def remember(connection: Connection) -> dict[str, str]:
    """Put the memory into a database; return the name of each row by its id, such as #12, S12 or P12."""
    names: dict[str, str] = {}
    sessions: dict[tuple[str, int], int] = {}
    counts = {"o": 0, "s": 0, "p": 0}
    for row in sorted(memory(), key=lambda row: row.at):
        session_id = f"{row.project}-{(NOW - row.at) // DAY}"
        number = sessions[row.project, row.at] = sessions.get((row.project, row.at), 0) + 1
        if number == 1:
            began = {"started_at": iso(row.at), "started_at_epoch": row.at, "last_activity_at_epoch": row.at}
            project = {"session_id": session_id, "project": f"/home/dev/{row.project}", "status": "completed"}
            connection.execute(insert(SdkSession).values(project | began))
        _put(connection, row, session_id, number)
        counts[row.kind] += 1
        names[{"o": "#", "s": "S", "p": "P"}[row.kind] + str(counts[row.kind])] = row.name
    return names


def _put(connection: Connection, row: Row, session_id: str, number: int) -> None:
    project = f"/home/dev/{row.project}"
    files = tuple(f"{project}/{file}" for file in row.files)
    if row.kind == "o":
        seen = outcomes.ObservationFields(
            prompt_number=number,
            type=row.type,
            title=row.title,
            subtitle="",
            narrative=row.text,
            facts=(),
            concepts=(CONCEPTS.get(row.type, "what-changed"),),
            files_read=(),
            files_modified=files,
            tool_use_ids=(),
            at=row.at,
        )
        outcomes.put_observations(connection, session_id, project, [seen], agent="claude")
    elif row.kind == "s":
        turn = Turn(session_id, project, number, number, (), "", row.at, True, row.at, 0, 0, None, 0, 0)
        fields = outcomes.SummaryFields(row.title, "", row.text, "", "", "")
        outcomes.put_agent_summary(connection, turn, fields, agent="claude", now=row.at)
    else:
        asked = {"uuid": row.name, "session_id": session_id, "prompt_number": number, "prompt_text": row.text}
        times = {"created_at": iso(row.at), "created_at_epoch": row.at, "continues_turn": False}
        connection.execute(insert(UserPrompt).values(asked | times | {"identifiers": all_parts([row.text])}))


def _lines(name: str) -> Iterator[str]:
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line
