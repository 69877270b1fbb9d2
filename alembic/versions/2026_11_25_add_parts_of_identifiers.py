"""add parts of identifiers to what is searched."""

import sqlalchemy as sa
from alembic import op

# What is made of the rows that are there is made by the rule of today, whatever version they come from.
from watcher.memory.identifiers import all_parts

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TOGETHER = 1000  # rows
VIEWS = (
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
TABLE = """
CREATE VIRTUAL TABLE search_index USING fts5(
    title, text, concepts, files, identifiers, content='', tokenize='unicode61 remove_diacritics 2'
)
"""
SET_UP = "INSERT INTO search_index (search_index, rank) VALUES ('automerge', 16)"
COLUMNS = "title, text, concepts, files, identifiers"
IN = f"INSERT INTO search_index (rowid, {COLUMNS}) SELECT number, {COLUMNS}"
OUT = f"INSERT INTO search_index (search_index, rowid, {COLUMNS}) SELECT 'delete', number, {COLUMNS}"
SEARCHED = {
    "observations": "title, subtitle, narrative, facts, concepts, files_read, files_modified, identifiers",
    "session_summaries": "request, investigated, learned, completed, next_steps, notes, identifiers",
    "user_prompts": "prompt_text, identifiers",
}


def upgrade():
    for table in SEARCHED:
        for name in ("new", "gone", "before", "after"):
            op.execute(f"DROP TRIGGER search_index_{table}_{name}")
        op.execute(f"DROP VIEW searched_{table}")
    op.execute("DROP TABLE search_index")
    for table in SEARCHED:
        op.add_column(table, sa.Column("identifiers", sa.String(), server_default="", nullable=False))
    for statement in (*VIEWS, TABLE, SET_UP):
        op.execute(statement)
    for table, columns in SEARCHED.items():
        take_apart(table)
        op.execute(f"{IN} FROM searched_{table}")
        for name, event, change, row in (
            ("new", "AFTER INSERT", IN, "new"),
            ("gone", "BEFORE DELETE", OUT, "old"),
            ("before", f"BEFORE UPDATE OF {columns}", OUT, "old"),
            ("after", f"AFTER UPDATE OF {columns}", IN, "new"),
        ):
            change += f" FROM searched_{table} WHERE id = {row}.id"  # noqa: PLW2901
            op.execute(f"CREATE TRIGGER search_index_{table}_{name} {event} ON {table} BEGIN {change}; END")


def take_apart(table):
    connection = op.get_bind()
    last = -1
    while rows := connection.exec_driver_sql(
        f"SELECT id, title, text, files FROM searched_{table} WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
        (last, TOGETHER),
    ).all():
        parts = [(all_parts(texts), number) for number, *texts in rows]
        connection.exec_driver_sql(f"UPDATE {table} SET identifiers = ? WHERE id = ?", parts)  # noqa: S608
        last = rows[-1].id


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
