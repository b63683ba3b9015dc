"""Sessions of the console, with digests in place of cookies."""

import sqlalchemy as sa
from alembic import op

from app.bus.sql import UtcDateTime, code, now

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "console_sessions",
        sa.Column("token_digest", code(64), nullable=False),
        sa.Column("principal", code(40), nullable=False),
        sa.Column("digest", code(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_console_sessions")),
    )
    op.create_index("ix_console_sessions_expires_at", "console_sessions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("console_sessions")
