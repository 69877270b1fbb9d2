"""Owns the full-text index over observations, summaries and prompts: SQLite's FTS5, which only SQLite has.

The index is contentless: what is searched for is not stored a second time, and a view for each kind of row says which
of its texts count. Triggers keep it in step in the transaction that changes a row, whoever changes it. A row is taken
out by the very text that it was put in with, so that is done before the row changes. FTS5 could fill itself from a
view, but not from one of these: it lets nothing that it reads use `json_each`.
"""

from __future__ import annotations

import sqlite3

from watcher.memory.identifiers import all_parts

NAME = "search_index"  # and the beginning of the names of the tables in which FTS5 keeps it
TOGETHER = 1000  # rows that are read at a time
MERGED = 100  # pages at a time: some hundredths of a second

# One number names one row in the index, so each kind has numbers of its own: a row's id and so much.
ROOM = 1 << 40
OBSERVATIONS = 0
SUMMARIES = ROOM
PROMPTS = 2 * ROOM

# What should be a list and is no JSON counts for nothing: a damaged row must not stop who takes it out.
_VIEWS = (
    """
CREATE VIEW searched_observations AS
SELECT id, id AS number, title,
    subtitle || char(10) || narrative || char(10) || ifnull((SELECT group_concat(value, char(10)) FROM (
        SELECT value FROM json_each(iif(json_valid(facts), facts, '[]')))), '') AS text,
    ifnull((SELECT group_concat(value, char(10)) FROM (
        SELECT value FROM json_each(iif(json_valid(concepts), concepts, '[]')))), '') AS concepts,
    ifnull((SELECT group_concat(value, char(10)) FROM (
        SELECT value FROM json_each(iif(json_valid(files_read), files_read, '[]'))
        UNION ALL SELECT value FROM json_each(iif(json_valid(files_modified), files_modified, '[]')))), '') AS files,
    identifiers
FROM observations
""",
    """
CREATE VIEW searched_session_summaries AS
SELECT id, id + (1 << 40) AS number, request AS title,
    investigated || char(10) || learned || char(10) || completed || char(10) || next_steps || char(10) || notes AS text,
    '' AS concepts, '' AS files,
    identifiers
FROM session_summaries
""",
    """
CREATE VIEW searched_user_prompts AS
SELECT id, id + (2 << 40) AS number, '' AS title, prompt_text AS text, '' AS concepts, '' AS files,
    identifiers
FROM user_prompts
""",
)
# Words are runs of letters and digits, whatever their case and accents.
_TABLE = """
CREATE VIRTUAL TABLE search_index USING fts5(
    title, text, concepts, files, identifiers, content='', tokenize='unicode61 remove_diacritics 2'
)
"""
# Parts of the index are merged when there are many: sooner costs a writer much, and later a search hardly anything.
_SET_UP = "INSERT INTO search_index (search_index, rank) VALUES ('automerge', 16)"
_SEARCHED = {
    "observations": "title, subtitle, narrative, facts, concepts, files_read, files_modified, identifiers",
    "session_summaries": "request, investigated, learned, completed, next_steps, notes, identifiers",
    "user_prompts": "prompt_text, identifiers",
}
_COLUMNS = "title, text, concepts, files, identifiers"
_IN = f"INSERT INTO search_index (rowid, {_COLUMNS}) SELECT number, {_COLUMNS}"
_OUT = f"INSERT INTO search_index (search_index, rowid, {_COLUMNS}) SELECT 'delete', number, {_COLUMNS}"
_TRIGGERS = tuple(
    f"CREATE TRIGGER search_index_{table}_{name} {event} ON {table} "
    f"BEGIN {change} FROM searched_{table} WHERE id = {row}.id; END"
    for table, columns in _SEARCHED.items()
    for name, event, change, row in (
        ("new", "AFTER INSERT", _IN, "new"),
        ("gone", "BEFORE DELETE", _OUT, "old"),
        ("before", f"BEFORE UPDATE OF {columns}", _OUT, "old"),
        ("after", f"AFTER UPDATE OF {columns}", _IN, "new"),
    )
)
MAKE = (*_VIEWS, _TABLE, _SET_UP, *_TRIGGERS)  # statements, for a database whose tables are there and empty


def rebuild(connection: sqlite3.Connection) -> None:
    """Make the index anew of the rows that are there, whatever is left of the old one."""
    # FTS5 refuses to do anything where it cannot make sense of these; so they are first as it makes them itself.
    for table in ("data", "idx", "docsize"):
        connection.execute(f"DELETE FROM search_index_{table}")  # noqa: S608 - one of three words
    connection.execute("INSERT INTO search_index_data (id, block) VALUES (1, x''), (10, x'00000000000000')")
    connection.execute("REPLACE INTO search_index_config (k, v) VALUES ('version', 4)")
    connection.execute("INSERT INTO search_index (search_index) VALUES ('delete-all')")
    connection.execute(_SET_UP)
    for table in _SEARCHED:
        connection.execute(f"{_IN} FROM searched_{table}")


def refill(connection: sqlite3.Connection) -> int:
    """Take the identifiers of all rows apart anew; return how many rows had other parts, or none.

    Those are rows that another program wrote, or this one when it did so by other rules.
    """
    changed = 0
    for table in _SEARCHED:
        last: int | None = -1
        while last is not None:
            rows = connection.execute(
                f"SELECT id, identifiers, title, text, files FROM searched_{table} "  # noqa: S608 - one of three words
                "WHERE id > ? ORDER BY id LIMIT ?",
                (last, TOGETHER),
            ).fetchall()
            new = [(all_parts(texts), number, old) for number, old, *texts in rows]
            new = [row for row in new if row[0] != row[2]]
            connection.executemany(f"UPDATE {table} SET identifiers = ? WHERE id = ?", [row[:2] for row in new])  # noqa: S608
            changed += len(new)
            last = rows[-1][0] if rows else None
    return changed


def merge(connection: sqlite3.Connection, *, begin: bool) -> bool:
    """Merge some of the index's parts, all into one in the end; say whether there may be more to merge.

    What was taken out is only crossed out until then. `begin` is to be true the first time, and false as it goes on.
    """
    before = connection.total_changes
    pages = -MERGED if begin else MERGED
    connection.execute("INSERT INTO search_index (search_index, rank) VALUES ('merge', ?)", (pages,))
    return connection.total_changes - before > 1  # the statement itself counts for one


def is_part(table: str | None) -> bool:
    """Say of a table whether it belongs to the index, so that no model describes it."""
    return table is not None and table.startswith(NAME)
