"""Deliveries that the database owes, what operators did, and how far all is settled."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from app.bus.sql import UtcDateTime, code, now

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("log_head", sa.Column("database_id", sa.Uuid()))
    log_head = sa.table("log_head", sa.column("database_id", sa.Uuid()))
    op.execute(log_head.update().values(database_id=uuid4()))
    op.create_table(
        "delivery",
        sa.Column("subscriber", code(80), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("state", code(12), nullable=False),
        sa.Column("reason", code(12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unfinished", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime()),
        sa.Column("error_type", code(200)),
        sa.Column("error", sa.Text()),
        sa.Column("envelope", sa.Text()),
        sa.Column("action_id", sa.Uuid()),
        sa.Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.Column("updated_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.PrimaryKeyConstraint("subscriber", "event_id", name="pk_delivery"),
    )
    due = sa.text("state = 'due'")
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["subscriber", "next_attempt_at"],
        postgresql_where=due,
        sqlite_where=due,
    )
    doubtful = sa.text("state = 'due' AND (unfinished > 0 OR reason = 'parked')")
    op.create_index(
        "ix_delivery_doubtful",
        "delivery",
        ["subscriber", "next_attempt_at"],
        postgresql_where=doubtful,
        sqlite_where=doubtful,
    )
    op.create_index("ix_delivery_state", "delivery", ["state", "subscriber", "updated_at"])
    op.create_index("ix_delivery_action_id", "delivery", ["action_id"])
    op.create_table(
        "operator_action",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", code(20), nullable=False),
        sa.Column("subscriber", code(80)),
        sa.Column("event_id", sa.Uuid()),
        sa.Column("who", code(80), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.PrimaryKeyConstraint("id", name="pk_operator_action"),
    )
    op.create_table(
        "settled",
        sa.Column("subscriber", code(80), nullable=False),
        sa.Column("log_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber", name="pk_settled"),
    )
    op.create_table(
        "pruned",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("pruned_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.PrimaryKeyConstraint("event_id", name="pk_pruned"),
    )
    op.create_index("ix_pruned_pruned_at", "pruned", ["pruned_at"])


def downgrade() -> None:
    for table in ("pruned", "settled", "operator_action", "delivery"):
        op.drop_table(table)
    op.drop_column("log_head", "database_id")
