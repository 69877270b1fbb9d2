"""Owns searching the memory by the full-text index: what is asked of it, and the best of what it finds.

Ranking costs time for each match, so of each kind of row only the newest that match are ranked: a word that stands in
all of a large memory takes no longer than a rare one. How well they match is BM25's word, a title counting most; among
equals, and near equals, the new go before the old.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from watcher.memory import search_index

RANKED = 1000  # of a kind: the newest that match
BEST = 200  # of a kind: those whose age is looked at
PREFIX_BYTES = 3  # of the last word, so that it stands for all that begin so: shorter ones stand for too many
WORDS = 32  # looked for at most
NEW = 0.5  # by so much does what is new count more than what is very old
AGES = 30 * 86_400_000  # milliseconds after which half of that is left


class Found(NamedTuple):
    """One row that was found."""

    id: str  # #12, S12 or P12: an observation, a summary or a prompt
    type: str
    title: str
    project: str
    at: int  # epoch


class _Kind(NamedTuple):
    """How rows of one kind are named and found; `of_project` are the ids of a project's rows."""

    prefix: str
    first: int  # what is added to a row's id in the index
    of_project: str
    rows: str


_KINDS = (
    _Kind(
        "#",
        search_index.OBSERVATIONS,
        "SELECT id FROM observations WHERE project = :project",
        "SELECT id, type, title, project, created_at_epoch, score FROM best JOIN observations USING (id)",
    ),
    _Kind(
        "S",
        search_index.SUMMARIES,
        "SELECT id FROM session_summaries WHERE project = :project",
        "SELECT id, 'summary', request, project, created_at_epoch, score FROM best JOIN session_summaries USING (id)",
    ),
    _Kind(
        "P",
        search_index.PROMPTS,
        "SELECT p.id FROM user_prompts p JOIN sdk_sessions USING (session_id) WHERE project = :project",
        "SELECT p.id, 'prompt', substr(prompt_text, 1, 500), project, created_at_epoch, score "
        "FROM best JOIN user_prompts p USING (id) JOIN sdk_sessions USING (session_id)",
    ),
)
# A title counts five times as much as what stands elsewhere. The plus sign has the index asked once for all rows, not
# once for each row of the project.
_BEST = """
WITH best (id, score) AS (
    SELECT number - :first, score FROM (
        SELECT rowid AS number, bm25(search_index, 5.0, 1.0, 2.0, 2.0) AS score FROM search_index
        WHERE search_index MATCH :query AND rowid BETWEEN :first AND :last {within}
        ORDER BY rowid DESC LIMIT :ranked
    ) ORDER BY score LIMIT :best
)
"""
_WITHIN = "AND +rowid - :first IN ({})"


def search(
    connection: sqlite3.Connection, words: Iterable[str], *, project: str | None, limit: int, now: int
) -> list[Found]:
    """Return the rows in which all words stand, the best first; `project` is a folder, None for all."""
    query = _query(words)
    if not query:
        return []
    values = {"query": query, "project": project, "ranked": max(limit, RANKED), "best": max(limit, BEST)}
    found: list[tuple[float, int, Found]] = []
    for kind in _KINDS:
        within = "" if project is None else _WITHIN.format(kind.of_project)
        bounds = {"first": kind.first, "last": kind.first + search_index.ROOM - 1}
        rows = connection.execute(_BEST.format(within=within) + kind.rows, {**values, **bounds})
        for number, type_, title, folder, at, score in rows:
            row = Found(f"{kind.prefix}{number}", type_, title, folder, at)
            found.append((score * _freshness(now - at), -at, row))
    return [row for _, _, row in sorted(found)[:limit]]


def _freshness(age: int) -> float:
    """Return by how much a row counts more than one that is very old."""
    return 1 + NEW / (1 + max(0, age) / AGES)


def _query(words: Iterable[str]) -> str:
    """Return what FTS5 is to look for: each word as a string of it, in which nothing has a meaning of its own."""
    text = " ".join(words).replace("\0", " ").encode("utf-8", "replace").decode()
    terms = text.split()[:WORDS]
    if not terms:
        return ""
    quoted = ['"{}"'.format(word.replace('"', '""')) for word in terms]
    return " ".join(quoted) + (" *" if len(terms[-1].encode()) >= PREFIX_BYTES else "")
