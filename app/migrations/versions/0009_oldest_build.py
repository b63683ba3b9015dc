"""The oldest build that works with the schema, so that those before it refuse to start."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # Beside the revision, because it is of it; nothing there: every build does.
    op.add_column("alembic_version", sa.Column("oldest", sa.String(32)))


def downgrade() -> None:
    op.drop_column("alembic_version", "oldest")
