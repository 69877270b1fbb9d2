"""add agent requests, and an index of what subagents did."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "agent_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("tool_uses", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("created_at_epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_requests")),
    )
    op.create_index("ix_agent_requests_created_at_epoch", "agent_requests", ["created_at_epoch"])
    op.create_index("ix_agent_requests_session_id", "agent_requests", ["session_id"])
    op.create_index("ix_tool_uses_of_subagents", "tool_uses", ["session_id"], sqlite_where=sa.text("agent_id != ''"))


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
