"""Owns searching the memory by the full-text index: what is asked of it, and the best of what it finds.

Ranking costs time for each match, so of each kind of row only the newest that match are ranked: a word that stands in
all of a large memory takes no longer than a rare one. How well they match is BM25's word, a title counting most; among
equals, and near equals, the new go before the old.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import NamedTuple

from watcher.memory import search_filters, search_index, search_words
from watcher.memory.search_filters import KINDS as KINDS
from watcher.memory.search_filters import Filters as Filters
from watcher.memory.search_filters import Kind

RANKED = 1000  # of a kind: the newest that match
BEST = 200  # of a kind: those whose age is looked at
HAVING = 5000  # of a kind: the newest with one of the words, where none has all
NEW = 0.5  # by so much does what is new count more than what is very old
AGES = 30 * 86_400_000  # milliseconds after which half of that is left

ORDERS = ("relevance", "newest", "oldest")


class Found(NamedTuple):
    """One row that was found."""

    id: str  # #12, S12 or P12: an observation, a summary or a prompt
    type: str  # of an observation; else summary or prompt
    title: str
    project: str
    at: int  # epoch
    session_id: str
    origin: str = ""  # where it came from: see privacy.origin; empty of a prompt


class Results(NamedTuple):
    """What was found."""

    rows: list[Found]
    is_partial: bool = False  # no row has all of the words: these have some of them


_SHOWN = "row.id, row.type, row.title, row.project, row.at, row.session_id, row.origin"
# A title counts five times as much as what stands elsewhere. The plus sign has the index asked once for all rows, not
# once for each row of the project.
_BEST = """
WITH best (number, score) AS (
    SELECT number - :first, score FROM (
        SELECT rowid AS number, bm25(search_index, 5.0, 1.0, 2.0, 2.0) AS score FROM search_index
        WHERE search_index MATCH :query AND rowid BETWEEN :first AND :last {within}
        ORDER BY rowid DESC LIMIT :ranked
    ) ORDER BY score LIMIT :best
)
SELECT {shown}, score FROM best JOIN ({rows}) AS row ON row.id = best.number
"""
_WITHIN = "AND +rowid - :first IN (SELECT row.id FROM ({rows}) AS row WHERE {conditions})"
_AMONG = "AND +rowid IN (SELECT value FROM json_each(:among))"
_HAVING = """
SELECT rowid FROM search_index WHERE search_index MATCH :query AND rowid BETWEEN :first AND :last {within}
ORDER BY rowid DESC LIMIT :most
"""
# The words first, then the rows that they lead to: the index cannot be asked about one row after the other.
_MATCHING = """
SELECT {shown} FROM search_index CROSS JOIN ({rows}) AS row ON row.id = search_index.rowid - :first
WHERE search_index MATCH :query AND search_index.rowid BETWEEN :first AND :last AND {conditions}
"""
_ALL = "SELECT {shown} FROM ({rows}) AS row WHERE {conditions}"
_BY_TIME = " ORDER BY row.at {direction}, row.id {direction} LIMIT :most"


def search(
    connection: sqlite3.Connection,
    text: str | Iterable[str],
    filters: Filters = Filters(),  # noqa: B008 - a tuple, that nobody changes
    *,
    limit: int,
    offset: int = 0,
    order: str = "relevance",
    now: int,
) -> Results:
    """Return the rows that the filters let through in which all that was typed stands.

    The best come first, or as `order` says, which is one of ORDERS; without words the newest. Any text is good: nothing
    in it raises. `now` is an epoch; `connection` is one of `lookup.opened`, or the driver's.
    """
    wanted = search_words.terms(text if isinstance(text, str) else " ".join(text))
    most = limit + offset
    query = search_words.all_of(wanted)
    if wanted and order == "relevance":
        rows = _best(connection, query, filters, most, now)
    else:
        rows = _by_time(connection, query, filters, most, is_oldest_first=order == "oldest")
    if rows or len(wanted) < 2:
        return Results(rows[offset:most])
    rows = _with_some(connection, search_words.any_of(wanted), filters, most, now)
    if order != "relevance":
        rows.sort(key=lambda row: row.at, reverse=order == "newest")
    return Results(rows[offset:most], is_partial=bool(rows))


def types(connection: sqlite3.Connection) -> list[str]:
    """Return the types of observations that there are."""
    return [type_ for (type_,) in connection.execute("SELECT DISTINCT type FROM observations ORDER BY type")]


def _best(
    connection: sqlite3.Connection,
    words: str,
    filters: Filters,
    most: int,
    now: int,
    among: Mapping[str, str] | None = None,
) -> list[Found]:
    """Return the best rows, of all or `among` those whose numbers in the index are given: a JSON list for each kind."""
    conditions = search_filters.conditions(filters)
    sizes = {"ranked": max(most, RANKED), "best": max(most, BEST)}
    found: list[tuple[float, int, Found]] = []
    for kind in search_filters.kinds(filters):
        values = _values(kind, filters, words) | sizes
        if among is not None:
            within, values["among"] = _AMONG, among[kind.name]
        else:
            within = _WITHIN.format(rows=kind.rows, conditions=conditions) if conditions else ""
        statement = _BEST.format(within=within, rows=kind.rows, shown=_SHOWN)
        for *shown, score in connection.execute(statement, values):
            row = _found(kind, shown)
            found.append((score * _freshness(now - row.at), -row.at, row))
    return [row for _, _, row in sorted(found)[:most]]


def _with_some(
    connection: sqlite3.Connection, queries: Sequence[str], filters: Filters, most: int, now: int
) -> list[Found]:
    """Return the best rows with some of the words: of those that have most of them, or the rarest.

    All that have any would be too many to rank, and the newest of them not the best.
    """
    conditions = search_filters.conditions(filters)
    among: dict[str, str] = {}
    for kind in search_filters.kinds(filters):
        within = _WITHIN.format(rows=kind.rows, conditions=conditions) if conditions else ""
        weights: dict[int, float] = defaultdict(float)
        for query in queries:
            values = _values(kind, filters, query) | {"most": HAVING}
            numbers = [number for (number,) in connection.execute(_HAVING.format(within=within), values)]
            for number in numbers:
                weights[number] += 1 + log(HAVING / len(numbers))
        best = sorted(weights, key=lambda number: (-weights[number], -number))[:BEST]
        among[kind.name] = str(best)  # numbers alone, which JSON has as Python does
    return _best(connection, " OR ".join(f"({query})" for query in queries), filters, most, now, among)


def _by_time(
    connection: sqlite3.Connection, words: str, filters: Filters, most: int, *, is_oldest_first: bool
) -> list[Found]:
    conditions = search_filters.conditions(filters) or "1"
    statement = _MATCHING if words or search_filters.match(filters) else _ALL
    statement += _BY_TIME.format(direction="ASC" if is_oldest_first else "DESC")
    found = [
        _found(kind, shown)
        for kind in search_filters.kinds(filters)
        for shown in connection.execute(
            statement.format(rows=kind.rows, conditions=conditions, shown=_SHOWN),
            _values(kind, filters, words) | {"most": most},
        )
    ]
    return sorted(found, key=lambda row: row.at, reverse=not is_oldest_first)[:most]


def _values(kind: Kind, filters: Filters, words: str) -> dict[str, str | int]:
    narrowed = search_filters.match(filters)
    query = f"({words}) AND ({narrowed})" if words and narrowed else words or narrowed
    bounds = {"first": kind.first, "last": kind.first + search_index.ROOM - 1}
    return search_filters.values(filters) | bounds | {"query": query}


def _found(kind: Kind, shown: list[object] | tuple[object, ...]) -> Found:
    number, *rest = shown
    return Found._make((f"{kind.prefix}{number}", *rest))


def _freshness(age: int) -> float:
    """Return by how much a row counts more than one that is very old."""
    return 1 + NEW / (1 + max(0, age) / AGES)
