"""add where what is kept came from, and what observations rest on."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade():
    for table in ("tool_uses", "observations", "session_summaries"):
        op.add_column(table, sa.Column("origin", sa.String(), server_default="", nullable=False))
    op.add_column("observations", sa.Column("basis", sa.String(), server_default="", nullable=False))


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
