"""add conditions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "conditions",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("hint", sa.String(), server_default="", nullable=False),
        sa.Column("since_epoch", sa.BigInteger(), nullable=False),
        sa.Column("until_epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_conditions")),
    )


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
