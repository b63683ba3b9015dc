"""The bus's own tables, on a MetaData of their own."""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, Uuid, text

from app.bus.sql import NAMING_CONVENTION, UtcDateTime, code, now

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
    Column("created_at", UtcDateTime(), nullable=False, server_default=now()),
    Column("published_at", UtcDateTime()),
    Column("stream_id", String(40)),
    Column("log_position", BigInteger(), unique=True),
    Index(
        "ix_outbox_unpublished",
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
