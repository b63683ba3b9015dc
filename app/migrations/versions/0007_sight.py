"""What an operator looks at: chains of events, failed attempts with their traces, pauses."""

import sqlalchemy as sa
from alembic import op

from app.bus.sql import UtcDateTime, clock, code, now

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _recorded_at(clock())
    op.create_index("ix_outbox_correlation_id", "outbox", ["correlation_id"])
    op.create_index("ix_outbox_subject", "outbox", ["subject"])
    op.add_column("delivery", sa.Column("traceback", sa.Text()))
    op.create_table(
        "failed_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber", code(80), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("becomes", code(12), nullable=False),
        sa.Column("error_type", code(200), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("took_ms", sa.Float()),
        sa.Column("failed_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_attempt")),
    )
    op.create_index("ix_failed_attempt_event_id", "failed_attempt", ["event_id"])
    op.create_table(
        "pause",
        sa.Column("subscriber", code(80), nullable=False),
        sa.Column("who", code(80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.PrimaryKeyConstraint("subscriber", name=op.f("pk_pause")),
    )


def downgrade() -> None:
    _recorded_at(now())
    op.drop_table("pause")
    op.drop_table("failed_attempt")
    op.drop_column("delivery", "traceback")
    op.drop_index("ix_outbox_subject", "outbox")
    op.drop_index("ix_outbox_correlation_id", "outbox")


def _recorded_at(default: now) -> None:
    """Set the clock of the outbox; on SQLite there is one only."""
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("outbox", "created_at", server_default=default)
