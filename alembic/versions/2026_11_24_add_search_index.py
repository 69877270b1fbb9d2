"""add search index."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

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
        UNION ALL SELECT value FROM json_each(iif(json_valid(files_modified), files_modified, '[]')))), '') AS files
FROM observations
""",
    """
CREATE VIEW searched_session_summaries AS
SELECT id, id + (1 << 40) AS number, request AS title,
    investigated || char(10) || learned || char(10) || completed || char(10) || next_steps || char(10) || notes AS text,
    '' AS concepts, '' AS files
FROM session_summaries
""",
    """
CREATE VIEW searched_user_prompts AS
SELECT id, id + (2 << 40) AS number, '' AS title, prompt_text AS text, '' AS concepts, '' AS files
FROM user_prompts
""",
)
TABLE = """
CREATE VIRTUAL TABLE search_index USING fts5(
    title, text, concepts, files, content='', tokenize='unicode61 remove_diacritics 2'
)
"""
SET_UP = "INSERT INTO search_index (search_index, rank) VALUES ('automerge', 16)"
IN = "INSERT INTO search_index (rowid, title, text, concepts, files) SELECT number, title, text, concepts, files"
OUT = (
    "INSERT INTO search_index (search_index, rowid, title, text, concepts, files) "
    "SELECT 'delete', number, title, text, concepts, files"
)
SEARCHED = {
    "observations": "title, subtitle, narrative, facts, concepts, files_read, files_modified",
    "session_summaries": "request, investigated, learned, completed, next_steps, notes",
    "user_prompts": "prompt_text",
}


def upgrade():
    for statement in (*VIEWS, TABLE, SET_UP):
        op.execute(statement)
    for table, columns in SEARCHED.items():
        op.execute(f"{IN} FROM searched_{table}")
        for name, event, change, row in (
            ("new", "AFTER INSERT", IN, "new"),
            ("gone", "BEFORE DELETE", OUT, "old"),
            ("before", f"BEFORE UPDATE OF {columns}", OUT, "old"),
            ("after", f"AFTER UPDATE OF {columns}", IN, "new"),
        ):
            change += f" FROM searched_{table} WHERE id = {row}.id"  # noqa: PLW2901
            op.execute(f"CREATE TRIGGER search_index_{table}_{name} {event} ON {table} BEGIN {change}; END")


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
