"""The bus's own tables, on a MetaData of their own."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    text,
)

from app.bus.sql import NAMING_CONVENTION, UtcDateTime, clock, code, now

metadata = MetaData(naming_convention=NAMING_CONVENTION)

# SQLite gives AUTOINCREMENT, and with it never-reused positions, to INTEGER keys only.
_Position = BigInteger().with_variant(Integer(), "sqlite")

outbox = Table(
    "outbox",
    metadata,
    Column("position", _Position, primary_key=True, autoincrement=True),
    Column("event_id", Uuid(), nullable=False, unique=True),
    Column("type", code(120), nullable=False),
    Column("context", code(60), nullable=False),
    Column("subject", code(80), nullable=False),
    Column("correlation_id", code(128), nullable=False),
    Column("envelope", Text(), nullable=False),
    # As the row is written, so that it tells when the work that led to it was done.
    Column("created_at", UtcDateTime(), nullable=False, server_default=clock()),
    Column("published_at", UtcDateTime()),
    Column("stream_id", String(40)),
    Column("log_position", BigInteger(), unique=True),
    Index(
        "ix_outbox_unpublished",
        "position",
        postgresql_where=text("published_at IS NULL"),
        sqlite_where=text("published_at IS NULL"),
    ),
    # For whoever looks at what became of a request, or of an order.
    Index("ix_outbox_correlation_id", "correlation_id"),
    Index("ix_outbox_subject", "subject"),
    # For the streams that go on while another one is full.
    Index(
        "ix_outbox_unpublished_context",
        "context",
        "position",
        postgresql_where=text("published_at IS NULL"),
        sqlite_where=text("published_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

log_head = Table(
    "log_head",
    metadata,
    Column("id", Integer(), primary_key=True, autoincrement=False),
    Column("position", BigInteger(), nullable=False),
    # Tells this database from every other one that may share a stream engine with it.
    Column("database_id", Uuid()),
    # The last place in the log whose event is gone; all above it are there.
    Column("pruned_position", BigInteger(), nullable=False, server_default="0"),
)

subscription = Table(
    "subscription",
    metadata,
    Column("subscriber", code(80), primary_key=True),
    Column("event_type", code(120), primary_key=True),
    Column("since_log_position", BigInteger(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
)

inbox = Table(
    "inbox",
    metadata,
    Column("subscriber", code(80), primary_key=True),
    Column("event_id", Uuid(), primary_key=True),
    Column("handled_at", UtcDateTime(), nullable=False, server_default=now()),
)

delivery = Table(
    "delivery",
    metadata,
    Column("subscriber", code(80), primary_key=True),
    Column("event_id", Uuid(), primary_key=True),
    Column("state", code(12), nullable=False),
    Column("reason", code(12), nullable=False),
    Column("attempts", Integer(), nullable=False),
    # Attempts in a row that never came back with a verdict: the process died or froze in them.
    Column("unfinished", Integer(), nullable=False),
    Column("next_attempt_at", UtcDateTime()),
    Column("error_type", code(200)),
    Column("error", Text()),
    Column("traceback", Text()),
    # The event as an operator mended it; the outbox keeps the original.
    Column("envelope", Text()),
    Column("action_id", Uuid()),
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
    Column("updated_at", UtcDateTime(), nullable=False, server_default=now()),
    Index(
        "ix_delivery_due",
        "subscriber",
        "next_attempt_at",
        postgresql_where=text("state = 'due'"),
        sqlite_where=text("state = 'due'"),
    ),
    # The few with an attempt that never came back, however many are due.
    Index(
        "ix_delivery_suspect",
        "subscriber",
        "next_attempt_at",
        postgresql_where=text("state = 'due' AND unfinished > 0"),
        sqlite_where=text("state = 'due' AND unfinished > 0"),
    ),
    Index("ix_delivery_state", "state", "subscriber", "updated_at"),
    Index("ix_delivery_action_id", "action_id"),
)

failed_attempt = Table(
    "failed_attempt",
    metadata,
    Column("id", _Position, primary_key=True, autoincrement=True),
    Column("subscriber", code(80), nullable=False),
    Column("event_id", Uuid(), nullable=False),
    # 1 is the first; they begin anew with a redrive.
    Column("attempt", Integer(), nullable=False),
    # The state of the delivery afterwards: due, dead or discarded.
    Column("becomes", code(12), nullable=False),
    Column("error_type", code(200), nullable=False),
    Column("error", Text(), nullable=False),
    # How long the handler ran; None when it was not called.
    Column("took_ms", Float()),
    Column("failed_at", UtcDateTime(), nullable=False, server_default=now()),
    Index("ix_failed_attempt_event_id", "event_id"),
)

pause = Table(
    "pause",
    metadata,
    # A subscriber that an operator has stopped; its events wait.
    Column("subscriber", code(80), primary_key=True),
    Column("who", code(80), nullable=False),
    Column("reason", Text(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
)

operator_action = Table(
    "operator_action",
    metadata,
    Column("id", Uuid(), primary_key=True),
    Column("action", code(20), nullable=False),
    Column("subscriber", code(80)),
    Column("event_id", Uuid()),
    Column("who", code(80), nullable=False),
    Column("detail", Text(), nullable=False),
    Column("total", BigInteger(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
)

settled = Table(
    "settled",
    metadata,
    Column("subscriber", code(80), primary_key=True),
    # Every delivery owed at or below it has an inbox or a delivery row.
    Column("log_position", BigInteger(), nullable=False),
)

pruned = Table(
    "pruned",
    metadata,
    # Events whose outbox row is gone and whose inbox and delivery rows follow it.
    Column("event_id", Uuid(), primary_key=True),
    Column("pruned_at", UtcDateTime(), nullable=False, server_default=now()),
    Index("ix_pruned_pruned_at", "pruned_at"),
)
