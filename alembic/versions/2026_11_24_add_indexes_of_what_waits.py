"""add indexes of what waits for the agent."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index(
        "ix_tool_uses_pending", "tool_uses", ["session_id", "status"], sqlite_where=sa.text("status = 'pending'")
    )
    op.create_index(
        "ix_session_summaries_provisional",
        "session_summaries",
        ["session_id"],
        sqlite_where=sa.text("source = 'provisional'"),
    )


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
