"""add index of decisions, trade-offs and gotchas."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index(
        "ix_observations_to_heed",
        "observations",
        ["project", "created_at_epoch"],
        sqlite_where=sa.text("type = 'decision' OR instr(concepts, '\"gotcha\"') OR instr(concepts, '\"trade-off\"')"),
    )


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
