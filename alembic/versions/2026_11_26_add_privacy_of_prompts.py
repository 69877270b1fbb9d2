"""add privacy of prompts."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("sdk_sessions", sa.Column("hides_title", sa.Boolean(), server_default=sa.text("0"), nullable=False))
    op.add_column("user_prompts", sa.Column("is_private", sa.Boolean(), server_default=sa.text("0"), nullable=False))


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
