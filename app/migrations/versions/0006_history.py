"""How far history was pruned, so that a reader of the event feed is told what it missed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# Places have no gaps of their own, so the last one missing is the last one pruned.
_LAST_MISSING = """
UPDATE log_head SET pruned_position = coalesce(
    (
        SELECT max(kept.log_position) - 1 FROM outbox AS kept
        WHERE kept.log_position IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM outbox AS previous WHERE previous.log_position = kept.log_position - 1
        )
    ),
    position
)
"""


def upgrade() -> None:
    op.add_column(
        "log_head",
        sa.Column("pruned_position", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.execute(_LAST_MISSING)


def downgrade() -> None:
    op.drop_column("log_head", "pruned_position")
