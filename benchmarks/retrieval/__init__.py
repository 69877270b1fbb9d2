"""How well searching finds what a developer means: recall and rank, beside plain FTS5 and `LIKE`.

`python -m benchmarks.retrieval` also lists the queries whose answers are not all among the first five.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import fmean

from benchmarks.measure import Figure, number, temporary_folder
from benchmarks.retrieval import fixture
from benchmarks.retrieval.fixture import Query
from watcher.memory import lookup
from watcher.memory.database import Database
from watcher.memory.search import search

LIMIT = 10  # rows that are looked at
Search = Callable[[str], Sequence[str]]  # from a query to the names of what is found, the best first

_SAID = """
CREATE TEMP TABLE said (name TEXT, at INTEGER, text TEXT);
CREATE VIRTUAL TABLE temp.plain USING fts5(name UNINDEXED, text);
"""


def figures() -> Iterator[Figure]:
    """Measure both halves of the queries; what is tuned by the one is worth what it is worth in the other."""
    tuning, testing = fixture.queries()
    with searches() as (ours, plain, like):
        for name, half in (("held out", testing), ("tuned by", tuning)):
            for what, measure, target in (
                ("recall at 5", lambda half, one: recall(half, one, 5), 0.9),
                ("recall at 10", lambda half, one: recall(half, one, 10), 0.95),
                ("mean reciprocal rank", reciprocal_rank, 0.9),
            ):
                others = f"plain FTS5: {number(measure(half, plain))}, `LIKE`: {number(measure(half, like))}"
                title = f"Search, {len(half)} queries {name}: {what}"
                yield Figure(
                    title, others, (measure(half, ours),), target if half is testing else None, unit="", is_least=True
                )


@contextmanager
def searches() -> Iterator[tuple[Search, Search, Search]]:
    """Give three ways to search the same memory: ours, FTS5 as it comes, and what stands anywhere in a text.

    The other two are asked for all words as well: FTS5 ranks what it finds, `LIKE` has the newest first.
    """
    with temporary_folder() as folder:
        path = folder / "data" / "claude-mem.db"
        names = _remember(path)
        with closing(sqlite3.connect(":memory:")) as simple, lookup.opened(path) as connection:
            simple.executescript(_SAID)
            for row in fixture.memory():
                text = "\n".join((row.title, row.text, *row.files))
                simple.execute("INSERT INTO said VALUES (?, ?, ?)", (row.name, row.at, text))
                simple.execute("INSERT INTO plain VALUES (?, ?)", (row.name, text))

            def ours(text: str) -> list[str]:
                return [names[row.id] for row in search(connection, text, limit=LIMIT, now=fixture.NOW).rows]

            def plain(text: str) -> list[str]:
                words = " ".join('"{}"'.format(word.replace('"', '""')) for word in text.split())
                ranked = "SELECT name FROM plain WHERE plain MATCH ? ORDER BY rank LIMIT ?"
                return [name for (name,) in simple.execute(ranked, (words, LIMIT))]

            def like(text: str) -> list[str]:
                words = [f"%{word}%" for word in text.split()]
                each = " AND ".join(["text LIKE ?"] * len(words))
                newest = f"SELECT name FROM said WHERE {each} ORDER BY at DESC LIMIT ?"
                return [name for (name,) in simple.execute(newest, (*words, LIMIT))]

            yield ours, plain, like


def recall(queries: Sequence[Query], find: Search, first: int) -> float:
    """Return which share of a query's answers is among the first that are found, a mean over queries."""
    return fmean(len(answers.intersection(find(text)[:first])) / len(answers) for text, answers in queries)


def reciprocal_rank(queries: Sequence[Query], find: Search) -> float:
    """Return one divided by the place of the first answer, 0 where there is none, a mean over queries."""
    ranks = [
        next((1 / place for place, name in enumerate(find(text), start=1) if name in answers), 0.0)
        for text, answers in queries
    ]
    return fmean(ranks)


def _remember(path: Path) -> dict[str, str]:
    database = Database.create(path)
    try:
        with database.write() as connection:
            return fixture.remember(connection)
    finally:
        database.close()
