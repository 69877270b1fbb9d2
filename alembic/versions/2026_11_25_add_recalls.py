"""add which observations a session was told of with its prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "recalls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("observation_id", sa.Integer(), nullable=False),
        sa.Column("recalled_at_epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recalls")),
        sa.UniqueConstraint("session_id", "observation_id", name=op.f("uq_recalls_session_id_observation_id")),
    )


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
