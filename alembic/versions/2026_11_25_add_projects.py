"""add which project a folder belongs to, and what a project is known again by."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "project_folders",
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("looked_at_epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("folder", name=op.f("pk_project_folders")),
    )
    op.create_index("ix_project_folders_project", "project_folders", ["project"])
    op.create_table(
        "project_identities",
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_project_identities")),
    )
    op.create_index("ix_project_identities_project", "project_identities", ["project"])
    op.create_table(
        "project_names",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_project_names")),
    )


def downgrade():
    raise NotImplementedError("a memory is never taken back to an older schema; restore a backup")
