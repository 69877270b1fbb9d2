"""Owns the dump of a memory: every row of every table, but for what may differ from one run to the next."""

from __future__ import annotations

import difflib
import itertools
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from watcher.memory import search_index

Row = tuple[str, tuple[tuple[str, object], ...]]

# Each with its reason; all that is not named here has to be the same.
LEFT_OUT = {
    "watchers": {"*"},  # a row a run, and runs are what is killed
    # A request whose answer dies with the watcher is made, and paid, again.
    "agent_requests": {"*"},
    "sdk_sessions": {"agent_requests", "input_tokens", "output_tokens", "cost_usd"},
    "session_summaries": {"updated_at_epoch"},  # when the watcher wrote it
    "checkpoints": {"file_id", "updated_at_epoch", "since_epoch"},  # device and inode; when; when it first ran
    "broken_lines": {"seen_at_epoch"},  # when
    # When, and who was first: the flag, or the transcript's own turn end.
    "flags": {"lowered_at_epoch", "outcome"},
    "contexts": {"rendered_at_epoch"},  # when
    "project_folders": {"looked_at_epoch"},  # when
}
# Given out in the order in which rows came in, and sessions are read in any order. A context names some.
ROW_ID = "id"
# Of the whole event, which holds a path in the home.
_DIGEST = re.compile(r'"digest":"\w+",')
_NAMED_ROW = re.compile(r"^- #\d+ ", re.MULTILINE)


@dataclass(frozen=True)
class Difference:
    """What of one dump is not in another."""

    missing: tuple[Row, ...]
    unexpected: tuple[Row, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected)

    def __str__(self) -> str:
        told = difflib.unified_diff(
            _lines(self.missing), _lines(self.unexpected), "expected", "found", n=4, lineterm=""
        )
        return "\n".join(itertools.islice(told, 200))


def dump(path: Path, home: Path) -> Counter[Row]:
    """Return all rows of a database, whatever their order; `home` is where its paths begin."""
    found: Counter[Row] = Counter()
    if not path.exists():
        return found
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # one state of the database for all tables
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            without = LEFT_OUT.get(table, set())
            if "*" in without or table.startswith("sqlite_") or search_index.is_part(table):
                continue
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                kept = {key: row[key] for key in row.keys() if key not in without and key != ROW_ID}  # noqa: SIM118
                if table == "flags":
                    kept["event"] = _DIGEST.sub("", row["event"])
                    kept["is_lowered"] = row["lowered_at_epoch"] is not None
                found[table, tuple((key, _at_home(value, home)) for key, value in kept.items())] += 1
    return found


def difference(expected: Counter[Row], found: Counter[Row]) -> Difference:
    """Compare two dumps."""
    return Difference(tuple((expected - found).elements()), tuple((found - expected).elements()))


def is_sound(path: Path) -> bool:
    """Say whether SQLite finds nothing wrong with the file."""
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _at_home(value: object, home: Path) -> object:
    return _NAMED_ROW.sub("- ", value.replace(str(home), "~")) if isinstance(value, str) else value


def _lines(rows: Iterable[Row]) -> list[str]:
    return [
        f"{table}.{key}: {line}"
        for table, columns in sorted(rows, key=repr)
        for key, value in columns
        for line in str(value).splitlines() or [""]
    ]
