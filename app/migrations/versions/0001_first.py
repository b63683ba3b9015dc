"""The first schema: the bus, idempotency keys, orders and inventory."""

import sqlalchemy as sa
from alembic import op

from app.bus.sql import UtcDateTime, code, now

revision = "0001"
down_revision = None

# SQLite gives never-reused numbers to INTEGER keys only.
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_bus()
    _create_idempotency_keys()
    _create_orders()
    _create_inventory()
    _create_ledger()
    _forbid_changing_the_ledger()


def downgrade() -> None:
    for table in (
        "stock_movements",
        "receipts",
        "reservation_lines",
        "reservations",
        "stock_levels",
        "locations",
        "order_lines",
        "orders",
        "products",
        "idempotency_keys",
        "inbox",
        "subscription",
        "log_head",
        "outbox",
    ):
        op.drop_table(table)
    if _postgresql():
        op.execute("DROP FUNCTION refuse_to_change_the_ledger()")


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _time(name: str) -> sa.Column[object]:
    """Return a column for a moment that the database notes by itself."""
    return sa.Column(name, UtcDateTime(), nullable=False, server_default=now())


def _create_bus() -> None:
    op.create_table(
        "outbox",
        sa.Column("position", _SERIAL, autoincrement=True),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("type", code(120), nullable=False),
        sa.Column("context", code(60), nullable=False),
        sa.Column("subject", code(80), nullable=False),
        sa.Column("correlation_id", code(128), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        _time("created_at"),
        sa.Column("published_at", UtcDateTime()),
        sa.Column("stream_id", sa.String(40)),
        sa.Column("log_position", sa.BigInteger()),
        sa.PrimaryKeyConstraint("position", name="pk_outbox"),
        sa.UniqueConstraint("event_id", name="uq_outbox_event_id"),
        sa.UniqueConstraint("log_position", name="uq_outbox_log_position"),
        sqlite_autoincrement=True,
    )
    unpublished = sa.text("published_at IS NULL")
    op.create_index(
        "ix_outbox_unpublished",
        "outbox",
        ["position"],
        postgresql_where=unpublished,
        sqlite_where=unpublished,
    )
    log_head = op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
    )
    op.bulk_insert(log_head, [{"id": 1, "position": 0}])
    op.create_table(
        "subscription",
        sa.Column("subscriber", code(80), nullable=False),
        sa.Column("event_type", code(120), nullable=False),
        sa.Column("since_log_position", sa.BigInteger(), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("subscriber", "event_type", name="pk_subscription"),
    )
    op.create_table(
        "inbox",
        sa.Column("subscriber", code(80), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        _time("handled_at"),
        sa.PrimaryKeyConstraint("subscriber", "event_id", name="pk_inbox"),
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", code(80), nullable=False),
        sa.Column("key", code(255), nullable=False),
        sa.Column("fingerprint", code(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("principal", "key", name="pk_idempotency_keys"),
    )


def _create_orders() -> None:
    op.create_table(
        "products",
        sa.Column("sku", code(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", code(3), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("sku", name="pk_products"),
        sa.CheckConstraint("unit_price_minor >= 0", name="ck_products_unit_price"),
    )
    op.create_table(
        "orders",
        sa.Column("id", code(36), nullable=False),
        sa.Column("reference", code(120)),
        sa.Column("customer_id", code(120), nullable=False),
        sa.Column("status", code(16), nullable=False),
        sa.Column("currency", code(3), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
        sa.UniqueConstraint("reference", name="uq_orders_reference"),
        sa.CheckConstraint("total_minor >= 0", name="ck_orders_total"),
    )
    op.create_index("ix_orders_status_id", "orders", ["status", "id"])
    op.create_index("ix_orders_customer_id_id", "orders", ["customer_id", "id"])
    op.create_table(
        "order_lines",
        sa.Column("order_id", code(36), nullable=False),
        sa.Column("sku", code(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger()),
        sa.PrimaryKeyConstraint("order_id", "sku", name="pk_order_lines"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_lines_order_id_orders"),
        sa.CheckConstraint("quantity > 0", name="ck_order_lines_quantity"),
        sa.CheckConstraint("unit_price_minor >= 0", name="ck_order_lines_unit_price"),
    )
    op.create_index("ix_order_lines_sku_order_id", "order_lines", ["sku", "order_id"])


def _create_inventory() -> None:
    locations = op.create_table(
        "locations",
        sa.Column("id", code(64), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_locations"),
    )
    op.bulk_insert(locations, [{"id": "default"}])
    op.create_table(
        "stock_levels",
        sa.Column("sku", code(64), nullable=False),
        sa.Column("location", code(64), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("sku", "location", name="pk_stock_levels"),
        sa.ForeignKeyConstraint(
            ["location"], ["locations.id"], name="fk_stock_levels_location_locations"
        ),
        sa.CheckConstraint("on_hand >= 0", name="ck_stock_levels_on_hand"),
        sa.CheckConstraint(
            "reserved >= 0 AND reserved <= on_hand", name="ck_stock_levels_reserved"
        ),
    )
    op.create_table(
        "reservations",
        sa.Column("order_id", code(36), nullable=False),
        sa.Column("state", code(16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("order_id", name="pk_reservations"),
    )
    op.create_table(
        "reservation_lines",
        sa.Column("order_id", code(36), nullable=False),
        sa.Column("sku", code(64), nullable=False),
        sa.Column("location", code(64), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "sku", "location", name="pk_reservation_lines"),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["reservations.order_id"],
            name="fk_reservation_lines_order_id_reservations",
        ),
        sa.CheckConstraint("quantity > 0", name="ck_reservation_lines_quantity"),
    )


def _create_ledger() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", code(36), nullable=False),
        sa.Column("reference", code(120)),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
        sa.UniqueConstraint("reference", name="uq_receipts_reference"),
    )
    op.create_table(
        "stock_movements",
        sa.Column("id", _SERIAL, autoincrement=True),
        sa.Column("sku", code(64), nullable=False),
        sa.Column("location", code(64), nullable=False),
        sa.Column("kind", code(16), nullable=False),
        sa.Column("d_on_hand", sa.BigInteger(), nullable=False),
        sa.Column("d_reserved", sa.BigInteger(), nullable=False),
        sa.Column("on_hand_after", sa.BigInteger(), nullable=False),
        sa.Column("reserved_after", sa.BigInteger(), nullable=False),
        sa.Column("order_id", code(36)),
        sa.Column("receipt_id", code(36)),
        sa.Column("event_id", sa.Uuid()),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_stock_movements"),
        sa.UniqueConstraint(
            "event_id",
            "sku",
            "location",
            "kind",
            name="uq_stock_movements_event_id_sku_location_kind",
        ),
        sa.CheckConstraint(
            "reserved_after >= 0 AND reserved_after <= on_hand_after",
            name="ck_stock_movements_after",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_stock_movements_sku_id", "stock_movements", ["sku", "id"])
    op.create_index("ix_stock_movements_location_id", "stock_movements", ["location", "id"])


def _forbid_changing_the_ledger() -> None:
    if _postgresql():
        op.execute(
            """
            CREATE FUNCTION refuse_to_change_the_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'stock_movements is append-only';
            END $$
            """
        )
        op.execute(
            """
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON stock_movements
            FOR EACH ROW EXECUTE FUNCTION refuse_to_change_the_ledger()
            """
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"""
            CREATE TRIGGER append_only_{change.lower()} BEFORE {change} ON stock_movements
            BEGIN
                SELECT RAISE(ABORT, 'stock_movements is append-only');
            END
            """
        )
