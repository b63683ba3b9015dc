"""API keys, with digests in place of secrets."""

import sqlalchemy as sa
from alembic import op

from app.bus.sql import UtcDateTime, code, now

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", code(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("prefix", code(40), nullable=False),
        sa.Column("hash", code(64), nullable=False),
        sa.Column("previous_hash", code(64)),
        sa.Column("previous_until", UtcDateTime()),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("customer_id", code(120)),
        sa.Column("rate_limit", sa.Integer()),
        sa.Column("created_by", code(80), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
        sa.Column("expires_at", UtcDateTime()),
        sa.Column("last_used_at", UtcDateTime()),
        sa.Column("revoked_at", UtcDateTime()),
        sa.CheckConstraint("rate_limit > 0", name="ck_api_keys_rate_limit"),
        sa.CheckConstraint(
            "(previous_hash IS NULL) = (previous_until IS NULL)", name="ck_api_keys_previous"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )


def downgrade() -> None:
    op.drop_table("api_keys")
