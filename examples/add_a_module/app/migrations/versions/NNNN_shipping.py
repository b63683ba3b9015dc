"""The table shipping owns."""

import sqlalchemy as sa
from alembic import op

from app.bus.sql import UtcDateTime, code, now

revision = "NNNN"
down_revision = "PREV"


def upgrade() -> None:
    op.create_table(
        "shipping_shipments",
        sa.Column("id", code(36), nullable=False),
        sa.Column("order_id", code(36), nullable=False),
        sa.Column("status", code(16), nullable=False),
        sa.Column("carrier", sa.String(80)),
        sa.Column("tracking", sa.String(200)),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.Column("updated_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_shipments")),
        sa.UniqueConstraint("order_id", name=op.f("uq_shipping_shipments_order_id")),
    )
    op.create_index(op.f("ix_shipping_shipments_status_id"), "shipping_shipments", ["status", "id"])


def downgrade() -> None:
    op.drop_table("shipping_shipments")
