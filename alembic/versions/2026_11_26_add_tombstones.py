"""add what was forgotten and must not come in again."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "forgotten",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("since_epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("until_epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("forgotten_at_epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forgotten")),
        sa.UniqueConstraint("kind", "key", "since_epoch", name=op.f("uq_forgotten_kind_key_since_epoch")),
    )


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
