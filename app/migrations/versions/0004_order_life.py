"""The life of an order and of its stock: holds, timeline, fulfillments, locations, corrections."""

import sqlalchemy as sa
from alembic import op

from app.bus.sql import UtcDateTime, code, now

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _orders()
    _timeline()
    _fulfillments()
    _stock()
    _ledger()
    _write_history()


def downgrade() -> None:
    if _postgresql():
        op.execute("DROP TRIGGER append_only_truncate ON stock_movements")
    for index, table in (
        ("ix_stock_movements_order_id_id", "stock_movements"),
        ("ix_stock_movements_receipt_id", "stock_movements"),
        ("ix_stock_movements_adjustment_id", "stock_movements"),
        ("ix_reservation_lines_sku_order_id", "reservation_lines"),
        ("ix_orders_held", "orders"),
    ):
        op.drop_index(index, table)
    for table, columns in _ADDED.items():
        # Last first: a CHECK goes with its column, and names those before it.
        for column in reversed(columns):
            op.drop_column(table, column)
    for table in (
        "adjustments",
        "issues",
        "stock_items",
        "fulfillment_lines",
        "fulfillments",
        "order_timeline",
    ):
        op.drop_table(table)


_ADDED = {
    "orders": (
        "confirm",
        "hold_s",
        "reserved_at",
        "expires_at",
        "cancel_reason",
        "created_event_id",
    ),
    "order_lines": ("fulfilling", "fulfilled"),
    "locations": ("name", "priority", "active", "version"),
    "stock_levels": ("committed",),
    "reservation_lines": ("issued",),
    "receipts": ("actor",),
    "stock_movements": ("d_committed", "committed_after", "adjustment_id", "fulfillment_id"),
}


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _time(name: str) -> sa.Column[object]:
    """Return a column for a moment that the database notes by itself."""
    return sa.Column(name, UtcDateTime(), nullable=False, server_default=now())


def _count(name: str, check: sa.CheckConstraint | None = None) -> sa.Column[object]:
    """Return a column for a number that begins at zero."""
    checks = [] if check is None else [check]
    return sa.Column(name, sa.BigInteger(), *checks, nullable=False, server_default="0")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)


def _orders() -> None:
    op.add_column("orders", sa.Column("confirm", code(8), nullable=False, server_default="auto"))
    op.add_column("orders", sa.Column("hold_s", sa.Integer()))
    op.add_column("orders", sa.Column("reserved_at", UtcDateTime()))
    op.add_column("orders", sa.Column("expires_at", UtcDateTime()))
    op.add_column("orders", sa.Column("cancel_reason", sa.String(500)))
    op.add_column("orders", sa.Column("created_event_id", sa.Uuid()))
    _partial_index("ix_orders_held", "orders", ["expires_at"], "expires_at IS NOT NULL")
    op.add_column("order_lines", _count("fulfilling"))
    op.add_column(
        "order_lines",
        _count(
            "fulfilled",
            sa.CheckConstraint(
                "fulfilling >= 0 AND fulfilled >= 0 AND fulfilling + fulfilled <= quantity",
                name="ck_order_lines_fulfilled",
            ),
        ),
    )


def _timeline() -> None:
    op.create_table(
        "order_timeline",
        sa.Column("order_id", code(36), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("action", code(24), nullable=False),
        sa.Column("from_status", code(16)),
        sa.Column("to_status", code(16), nullable=False),
        sa.Column("actor", code(80)),
        sa.Column("event_id", sa.Uuid()),
        sa.Column("event_type", code(120)),
        sa.Column("detail", sa.Text(), nullable=False, server_default="{}"),
        _time("at"),
        sa.PrimaryKeyConstraint("order_id", "version", name="pk_order_timeline"),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name="fk_order_timeline_order_id_orders"
        ),
    )


def _fulfillments() -> None:
    op.create_table(
        "fulfillments",
        sa.Column("id", code(36), nullable=False),
        sa.Column("order_id", code(36), nullable=False),
        sa.Column("status", code(16), nullable=False),
        sa.Column("tracking", sa.String(200)),
        _time("created_at"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_fulfillments"),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name="fk_fulfillments_order_id_orders"
        ),
    )
    op.create_index("ix_fulfillments_order_id_id", "fulfillments", ["order_id", "id"])
    unfinished = "status IN ('requested', 'cancelling')"
    _partial_index("ix_fulfillments_open", "fulfillments", ["id"], unfinished)
    op.create_table(
        "fulfillment_lines",
        sa.Column("fulfillment_id", code(36), nullable=False),
        sa.Column("sku", code(64), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fulfillment_id", "sku", name="pk_fulfillment_lines"),
        sa.ForeignKeyConstraint(
            ["fulfillment_id"],
            ["fulfillments.id"],
            name="fk_fulfillment_lines_fulfillment_id_fulfillments",
        ),
        sa.CheckConstraint("quantity > 0", name="ck_fulfillment_lines_quantity"),
    )


def _stock() -> None:
    op.add_column("locations", sa.Column("name", sa.String(200)))
    op.add_column(
        "locations", sa.Column("priority", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "locations", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column(
        "locations", sa.Column("version", sa.BigInteger(), nullable=False, server_default="1")
    )
    op.create_table(
        "stock_items",
        sa.Column("sku", code(64), nullable=False),
        sa.Column("safety_stock", sa.BigInteger(), nullable=False),
        sa.Column("low_stock_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("sku", name="pk_stock_items"),
        sa.CheckConstraint("safety_stock >= 0", name="ck_stock_items_safety_stock"),
        sa.CheckConstraint("low_stock_at >= 0", name="ck_stock_items_low_stock_at"),
    )
    op.add_column(
        "stock_levels",
        _count(
            "committed",
            sa.CheckConstraint(
                "committed >= 0 AND committed <= reserved", name="ck_stock_levels_committed"
            ),
        ),
    )
    op.add_column(
        "reservation_lines",
        _count(
            "issued",
            sa.CheckConstraint(
                "issued >= 0 AND issued <= quantity", name="ck_reservation_lines_issued"
            ),
        ),
    )
    op.create_index("ix_reservation_lines_sku_order_id", "reservation_lines", ["sku", "order_id"])
    op.create_table(
        "issues",
        sa.Column("fulfillment_id", code(36), nullable=False),
        sa.Column("order_id", code(36), nullable=False),
        sa.Column("state", code(16), nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("fulfillment_id", name="pk_issues"),
    )


def _ledger() -> None:
    op.create_table(
        "adjustments",
        sa.Column("id", code(36), nullable=False),
        sa.Column("kind", code(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("reference", code(120)),
        sa.Column("actor", code(80)),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_adjustments"),
        sa.UniqueConstraint("reference", name="uq_adjustments_reference"),
    )
    op.add_column("receipts", sa.Column("actor", code(80)))
    op.add_column("stock_movements", _count("d_committed"))
    op.add_column(
        "stock_movements",
        _count(
            "committed_after",
            sa.CheckConstraint(
                "committed_after >= 0 AND committed_after <= reserved_after",
                name="ck_stock_movements_committed_after",
            ),
        ),
    )
    op.add_column("stock_movements", sa.Column("adjustment_id", code(36)))
    op.add_column("stock_movements", sa.Column("fulfillment_id", code(36)))
    op.create_index("ix_stock_movements_order_id_id", "stock_movements", ["order_id", "id"])
    for column in ("receipt_id", "adjustment_id"):
        _partial_index(
            f"ix_stock_movements_{column}", "stock_movements", [column], f"{column} IS NOT NULL"
        )
    if _postgresql():
        op.execute(
            """
            CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON stock_movements
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_ledger()
            """
        )


def _write_history() -> None:
    """Give what was there before a timeline, and commit the stock of confirmed orders."""
    op.execute(
        """
        INSERT INTO order_timeline (order_id, version, action, to_status, at)
        SELECT id, 1, 'place', 'pending', created_at FROM orders
        """
    )
    op.execute(
        """
        INSERT INTO order_timeline (order_id, version, action, from_status, to_status, at)
        SELECT id, 2, CASE status WHEN 'confirmed' THEN 'confirm' ELSE 'reject' END, 'pending',
               status, updated_at
          FROM orders WHERE status IN ('confirmed', 'rejected')
        """
    )
    confirmed = "SELECT id FROM orders WHERE status = 'confirmed'"
    op.execute(
        f"""
        UPDATE stock_levels SET committed = committed + (
            SELECT COALESCE(SUM(quantity), 0) FROM reservation_lines
             WHERE reservation_lines.sku = stock_levels.sku
               AND reservation_lines.location = stock_levels.location
               AND order_id IN ({confirmed}))
        """  # noqa: S608 - our own text
    )
    op.execute(
        """
        INSERT INTO stock_movements (sku, location, kind, d_on_hand, d_reserved, d_committed,
                                     on_hand_after, reserved_after, committed_after)
        SELECT sku, location, 'commit', 0, 0, committed, on_hand, reserved, committed
          FROM stock_levels WHERE committed > 0
        """
    )
    op.execute(
        f"""
        UPDATE reservations SET state = 'committed'
         WHERE state = 'held' AND order_id IN ({confirmed})
        """  # noqa: S608 - our own text
    )
