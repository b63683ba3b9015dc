"""Indexes for what is looked for among much: expired keys, suspects, and streams that go on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_UNPUBLISHED = sa.text("published_at IS NULL")
_SUSPECT = sa.text("state = 'due' AND unfinished > 0")
_DOUBTFUL = sa.text("state = 'due' AND (unfinished > 0 OR reason = 'parked')")


def upgrade() -> None:
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    _index("ix_outbox_unpublished_context", "outbox", ["context", "position"], _UNPUBLISHED)
    _index("ix_delivery_suspect", "delivery", ["subscriber", "next_attempt_at"], _SUSPECT)
    # Nothing but speed is lost to a build from before that still runs.
    op.drop_index("ix_delivery_doubtful", "delivery")


def downgrade() -> None:
    _index("ix_delivery_doubtful", "delivery", ["subscriber", "next_attempt_at"], _DOUBTFUL)
    op.drop_index("ix_delivery_suspect", "delivery")
    op.drop_index("ix_outbox_unpublished_context", "outbox")
    op.drop_index("ix_idempotency_keys_created_at", "idempotency_keys")


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
