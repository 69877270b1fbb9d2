"""Owns what a search may be narrowed to, and how that is asked of the database.

Only observations have files, concepts and types: who asks for one of these gets observations alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from watcher.memory import search_index

KINDS = ("observation", "summary", "prompt")


class Filters(NamedTuple):
    """What every row that is found must be: all of these; one that is empty asks for nothing."""

    project: str | None = None  # its folder
    kinds: Collection[str] = ()  # of KINDS: one of them
    types: Collection[str] = ()  # of an observation, such as bugfix: one of them
    file: str | None = None  # whole parts of a path, such as pool.py, src/app or pool; case does not matter
    concept: str | None = None
    since: int | None = None  # epoch, itself included
    until: int | None = None  # epoch, itself included
    session: str | None = None  # its id, or how that begins


class Kind(NamedTuple):
    """How rows of one kind are named, numbered in the index, and read."""

    name: str
    prefix: str  # of its ids
    first: int  # what is added to a row's id in the index
    rows: str


_KINDS = (
    Kind(
        "observation",
        "#",
        search_index.OBSERVATIONS,
        "SELECT id, type, title, project, created_at_epoch AS at, session_id, origin, concepts, files_read, "
        "files_modified FROM observations",
    ),
    Kind(
        "summary",
        "S",
        search_index.SUMMARIES,
        "SELECT id, 'summary' AS type, request AS title, project, created_at_epoch AS at, session_id, "
        "origin FROM session_summaries",
    ),
    Kind(
        "prompt",
        "P",
        search_index.PROMPTS,
        "SELECT p.id, 'prompt' AS type, substr(prompt_text, 1, 500) AS title, project, created_at_epoch AS at, "
        "session_id, '' AS origin FROM user_prompts p JOIN sdk_sessions USING (session_id)",
    ),
)
_FILES = """EXISTS (
    SELECT 1 FROM (
        SELECT value FROM json_each(iif(json_valid(row.files_read), row.files_read, '[]'))
        UNION ALL SELECT value FROM json_each(iif(json_valid(row.files_modified), row.files_modified, '[]'))
    ) WHERE instr('/' || replace(lower(value), '\\', '/') || '/', :file || '/')
        OR instr('/' || replace(lower(value), '\\', '/'), :file || '.')
)"""
_CONCEPTS = """EXISTS (
    SELECT 1 FROM json_each(iif(json_valid(row.concepts), row.concepts, '[]')) WHERE lower(value) = :concept
)"""
_CONDITIONS = {
    "project": "row.project = :project",
    "types": "row.type IN (SELECT value FROM json_each(:types))",
    "file": _FILES,  # with a slash before and behind a path, its parts are whole ones
    "concept": _CONCEPTS,
    "since": "row.at >= :since",
    "until": "row.at <= :until",
    "session": "row.session_id >= :session AND row.session_id < :session || char(0x10FFFF)",
}
_FAR = (1 << 63) - 1  # milliseconds: as far away as SQLite has numbers for
_WORD = re.compile(r"[A-Za-z0-9]")


def kinds(filters: Filters) -> list[Kind]:
    """Return the kinds of rows that can be among what is found."""
    is_of_observations = bool(filters.types or filters.file or filters.concept)
    return [
        kind
        for kind in _KINDS
        if (not filters.kinds or kind.name in filters.kinds) and (kind.name == "observation" or not is_of_observations)
    ]


def conditions(filters: Filters) -> str:
    """Return what must be true of a row, in the names of `Kind.rows`; empty where nothing must."""
    return " AND ".join(_CONDITIONS[name] for name in _given(filters))


def values(filters: Filters) -> dict[str, str | int]:
    """Return what the names in `conditions` stand for."""
    return _given(filters)


def match(filters: Filters) -> str:
    """Return what the index can say beforehand of files and concepts: looking into every row's lists takes long.

    It says too much rather than too little: `conditions` has the last word.
    """
    clauses = [
        f'{column} : "{text}"'
        for column, text in (("files", _quoted(filters.file)), ("concepts", _quoted(filters.concept)))
        if _WORD.search(text)  # else there may be no word in it that the index knows
    ]
    return " ".join(clauses)


def _given(filters: Filters) -> dict[str, str | int]:
    given: dict[str, str | int] = {}
    if filters.project is not None:
        given["project"] = clean(filters.project)
    if filters.types:
        import json

        given["types"] = json.dumps([clean(type_) for type_ in filters.types])
    if filters.file:
        given["file"] = "/" + _lower(clean(filters.file)).replace("\\", "/").removeprefix("./").strip("/")
    if filters.concept:
        given["concept"] = _lower(clean(filters.concept))
    for name, at in (("since", filters.since), ("until", filters.until)):
        if at is not None:
            given[name] = min(max(at, -_FAR), _FAR)
    if filters.session:
        given["session"] = clean(filters.session)
    return given


def _quoted(text: str | None) -> str:
    return clean(text or "").replace('"', " ")


def _lower(text: str) -> str:
    """Return a text as SQLite's lower() has it, which knows no letters but these."""
    return re.sub("[A-Z]+", lambda found: found[0].lower(), text)


def clean(text: str) -> str:
    """Return a text as SQLite takes it: without what is no character, and nothing behind a NUL is lost."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
