"""The search: any query finds or does not find, and never fails; a row is found by what stands in it."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import update

from tests.fuzz.values import texts
from tests.memory.past import NOW, put_session
from watcher.memory import lookup, search
from watcher.memory.database import Database
from watcher.memory.identifiers import all_parts
from watcher.memory.models import Observation
from watcher.memory.search import KINDS, ORDERS, Filters
from watcher.memory.search_filters import clean

WORDS = (
    *(
        "AND",
        "OR",
        "NOT",
        "NEAR(",
        "NEAR/2",
        "title:",
        "{title text} :",
        "^a",
        "a*",
        '"a b"',
        "-a",
        "+",
        "shared",
        "s1",
    ),
    *("getUserName", "TS2345", "retry_pause", "src/pool.py", "C++", "v1.2.3", "'; DROP TABLE flags; --", "ÀÉ", "ﬁ"),
)
QUERIES = texts(*WORDS)
NUMBERS = st.integers(-(2**70), 2**70)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "project": st.just("/api") | QUERIES,
        "kinds": st.lists(st.sampled_from(KINDS), max_size=2),
        "types": st.lists(st.just("change") | QUERIES, max_size=2),
        "file": QUERIES,
        "concept": QUERIES,
        "since": NUMBERS,
        "until": NUMBERS,
        "session": QUERIES,
    },
)
CASES = st.tuples(
    QUERIES,
    FILTERS,
    st.sampled_from(ORDERS),
    st.tuples(st.integers(0, 40), st.integers(0, 40)),  # how many, and how many are left out
    texts(*WORDS),  # what stands in a row
    st.tuples(st.integers(0, 100), st.integers(1, 8)),  # and which words of that are looked for
)
EXAMPLES = 150


@cache
def _memory(folder: Path) -> Database:
    """Return a small memory, made once for a folder."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    made = Database.create(folder / "data" / "claude-mem.db")
    for number, (days, project) in enumerate([(300, "/api"), (20, "/web"), (1, "/api")], start=1):
        put_session(made, f"s{number}", days, project=project)
    return made


def check(case: Any, folder: Path) -> None:
    query, filters, order, (limit, offset), text, (first, count) = case
    database = _memory(folder)
    text = clean(text)
    with database.write() as connection:
        where = update(Observation).where(Observation.id == 1)
        connection.execute(where.values(narrative=text, identifiers=all_parts([text])))
    with lookup.opened(database.path) as opened:
        found = search.search(opened, query, Filters(**filters), limit=limit, offset=offset, order=order, now=NOW)
        assert len(found.rows) <= limit
        for row in found.rows:
            assert "project" not in filters or row.project == clean(filters["project"])
            assert not filters.get("kinds") or row.id[0] in {"observation": "#", "summary": "S", "prompt": "P"}.values()
        words = text.split()
        words = words[first % len(words) :][:count] if words else []
        if any(word.isascii() and word.isalnum() for word in words):
            rows = search.search(opened, " ".join(words), limit=100, now=NOW).rows
            assert "#1" in [row.id for row in rows], words
