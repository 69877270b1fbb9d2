"""add since of checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("checkpoints", sa.Column("since_epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    # Until now a watcher left alone what was written an hour before the first one ever ran, and nobody else kept any.
    op.execute(
        "UPDATE checkpoints SET since_epoch = max(0, ifnull((SELECT min(started_at_epoch) FROM watchers), 0) - 3600000)"
    )


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
