"""The invariants: what must always be true of the stored data, as pairs of a name and a query.

A query returns the ids that break its invariant, so no row is the good answer. The same text runs
on SQLite and PostgreSQL. Nothing here shares code with what it checks.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """One thing that must always hold, and the query for whatever breaks it."""

    name: str
    query: str


STOCK = (
    Invariant(
        "counters equal the ledger",
        """
        SELECT sku || ' at ' || location FROM (
            SELECT sku, location, on_hand, reserved, committed,
                   0 AS d_on_hand, 0 AS d_reserved, 0 AS d_committed
              FROM stock_levels
            UNION ALL
            SELECT sku, location, 0, 0, 0, d_on_hand, d_reserved, d_committed FROM stock_movements
        ) AS both_sides
        GROUP BY sku, location
        HAVING SUM(on_hand) <> SUM(d_on_hand) OR SUM(reserved) <> SUM(d_reserved)
            OR SUM(committed) <> SUM(d_committed)
        """,
    ),
    Invariant(
        "0 <= committed <= reserved <= on hand",
        """
        SELECT sku || ' at ' || location FROM stock_levels
        WHERE committed < 0 OR reserved < committed OR on_hand < reserved
        """,
    ),
    Invariant(
        "reserved equals the reservations held",
        """
        SELECT sku || ' at ' || location FROM (
            SELECT sku, location, reserved, committed, 0 AS held, 0 AS promised FROM stock_levels
            UNION ALL
            SELECT lines.sku, lines.location, 0, 0, lines.quantity - lines.issued,
                   CASE reservations.state WHEN 'committed'
                                           THEN lines.quantity - lines.issued ELSE 0 END
              FROM reservation_lines AS lines
              JOIN reservations ON reservations.order_id = lines.order_id
             WHERE reservations.state IN ('held', 'committed')
        ) AS both_sides
        GROUP BY sku, location
        HAVING SUM(reserved) <> SUM(held) OR SUM(committed) <> SUM(promised)
        """,
    ),
    Invariant(
        "what a reservation issued left the ledger",
        """
        SELECT order_id || ' ' || sku FROM (
            SELECT order_id, sku, location, issued, 0 AS gone
              FROM reservation_lines WHERE issued > 0
            UNION ALL
            SELECT order_id, sku, location, 0, -d_on_hand
              FROM stock_movements WHERE kind = 'issue'
        ) AS both_sides
        GROUP BY order_id, sku, location
        HAVING SUM(issued) <> SUM(gone)
        """,
    ),
    Invariant(
        "a reservation that is consumed has issued all, and no other has",
        """
        SELECT lines.order_id
          FROM reservation_lines AS lines
          JOIN reservations ON reservations.order_id = lines.order_id
         GROUP BY lines.order_id, reservations.state
        HAVING (reservations.state = 'consumed') <> (SUM(lines.issued) = SUM(lines.quantity))
        """,
    ),
)

ORDERS = (
    Invariant(
        "an order's total is the sum of its lines",
        """
        SELECT orders.id FROM orders JOIN order_lines ON order_lines.order_id = orders.id
        GROUP BY orders.id, orders.total_minor
        HAVING orders.total_minor <> SUM(order_lines.quantity * order_lines.unit_price_minor)
        """,
    ),
    Invariant(
        "an order's timeline has every version once, and ends at its status",
        """
        SELECT orders.id
          FROM orders LEFT JOIN order_timeline ON order_timeline.order_id = orders.id
         GROUP BY orders.id, orders.version
        HAVING COUNT(order_timeline.version) <> orders.version
            OR MAX(order_timeline.version) <> orders.version
        UNION ALL
        SELECT orders.id FROM orders
          JOIN order_timeline AS newest ON newest.order_id = orders.id
                                       AND newest.version = orders.version
         WHERE newest.to_status <> orders.status
        """,
    ),
    Invariant(
        "an order only ever went where orders may go",
        """
        SELECT entry.order_id || ' ' || CAST(entry.version AS VARCHAR(20))
          FROM order_timeline AS entry
          LEFT JOIN order_timeline AS before ON before.order_id = entry.order_id
                                            AND before.version = entry.version - 1
         WHERE COALESCE(entry.from_status, '') <> COALESCE(before.to_status, '')
            OR COALESCE(entry.from_status, '') || '>' || entry.to_status NOT IN (
               '>pending', 'pending>confirmed', 'pending>reserved', 'pending>rejected',
               'pending>cancelled', 'reserved>reserved', 'reserved>confirmed', 'reserved>expired',
               'reserved>cancelled', 'confirmed>confirmed', 'confirmed>cancelled',
               'confirmed>fulfilled')
        """,
    ),
    Invariant(
        "an order that is reserved has a manual hold that ends, and no other has",
        """
        SELECT id FROM orders
         WHERE (status = 'reserved') <> (expires_at IS NOT NULL)
            OR status = 'reserved' AND (confirm <> 'manual' OR reserved_at IS NULL)
        """,
    ),
    Invariant(
        "what an order's lines say of fulfillments, the fulfillments say too",
        """
        SELECT order_id || ' ' || sku FROM (
            SELECT order_id, sku, fulfilling, fulfilled, 0 AS under_way, 0 AS gone FROM order_lines
            UNION ALL
            SELECT fulfillments.order_id, lines.sku, 0, 0,
                   CASE WHEN fulfillments.status IN ('requested', 'cancelling')
                        THEN lines.quantity ELSE 0 END,
                   CASE fulfillments.status WHEN 'issued' THEN lines.quantity ELSE 0 END
              FROM fulfillment_lines AS lines
              JOIN fulfillments ON fulfillments.id = lines.fulfillment_id
        ) AS both_sides
        GROUP BY order_id, sku
        HAVING SUM(fulfilling) <> SUM(under_way) OR SUM(fulfilled) <> SUM(gone)
        """,
    ),
    Invariant(
        "an order is fulfilled when every unit left, and not before",
        """
        SELECT orders.id FROM orders JOIN order_lines ON order_lines.order_id = orders.id
         GROUP BY orders.id, orders.status
        HAVING (orders.status = 'fulfilled')
            <> (SUM(order_lines.fulfilled) = SUM(order_lines.quantity))
        """,
    ),
)

_NEWS = """
    SELECT 1 FROM outbox LEFT JOIN inbox ON inbox.event_id = outbox.event_id
                                        AND inbox.subscriber = 'inventory'
     WHERE outbox.subject = orders.id AND outbox.type = 'orders.order_' || orders.status || '.v1'
"""
# Inventory hears of it a moment later. What it heard of may be forgotten by now.
_HOLD_CONFIRMED = """
    EXISTS (SELECT 1 FROM outbox JOIN inbox ON inbox.event_id = outbox.event_id
                                           AND inbox.subscriber = 'inventory'
             WHERE outbox.subject = orders.id AND outbox.type = 'orders.hold_confirmed.v1')
"""
_ON_ITS_WAY = f"""
    EXISTS ({_NEWS} AND inbox.event_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM delivery WHERE delivery.event_id = outbox.event_id
           AND delivery.subscriber = 'inventory' AND delivery.state = 'discarded'))
"""  # noqa: S608 - our own text

BETWEEN = (
    Invariant(
        "a confirmed order holds exactly what it ordered",
        """
        SELECT order_id FROM (
            SELECT order_lines.order_id, order_lines.sku, order_lines.quantity AS ordered, 0 AS held
              FROM order_lines JOIN orders ON orders.id = order_lines.order_id
             WHERE orders.status IN ('reserved', 'confirmed', 'fulfilled')
            UNION ALL
            SELECT lines.order_id, lines.sku, 0, lines.quantity
              FROM reservation_lines AS lines
              JOIN reservations ON reservations.order_id = lines.order_id
              JOIN orders ON orders.id = lines.order_id
             WHERE orders.status IN ('reserved', 'confirmed', 'fulfilled')
               AND reservations.state IN ('held', 'committed', 'consumed')
        ) AS both_sides
        GROUP BY order_id, sku
        HAVING SUM(ordered) <> SUM(held)
        """,
    ),
    Invariant(
        "what a confirmed order holds is promised to it",
        f"""
        SELECT orders.id
          FROM orders JOIN reservations ON reservations.order_id = orders.id
         WHERE orders.status = 'confirmed' AND reservations.state = 'held'
           AND (orders.confirm = 'auto' OR {_HOLD_CONFIRMED})
        """,  # noqa: S608 - our own text
    ),
    Invariant(
        "an order that is off holds nothing, and nothing is held for an order that is not there",
        f"""
        SELECT reservations.order_id
          FROM reservations LEFT JOIN orders ON orders.id = reservations.order_id
         WHERE reservations.state IN ('held', 'committed')
           AND (orders.id IS NULL OR orders.status IN ('rejected', 'fulfilled')
                OR orders.status IN ('cancelled', 'expired') AND NOT {_ON_ITS_WAY})
        """,  # noqa: S608 - our own text
    ),
    Invariant(
        "a fulfillment left the house or did not, and both sides know",
        """
        SELECT fulfillments.id
          FROM fulfillments LEFT JOIN issues ON issues.fulfillment_id = fulfillments.id
         WHERE fulfillments.status = 'issued' AND COALESCE(issues.state, '') <> 'issued'
            OR fulfillments.status = 'cancelled' AND COALESCE(issues.state, '') <> 'void'
        UNION ALL
        SELECT issues.fulfillment_id
          FROM issues LEFT JOIN fulfillments ON fulfillments.id = issues.fulfillment_id
         WHERE fulfillments.id IS NULL
        """,
    ),
    Invariant(
        "no event was applied twice",
        """
        SELECT order_id || ' ' || sku FROM stock_movements
         WHERE kind IN ('reserve', 'commit', 'release') AND order_id IS NOT NULL
         GROUP BY kind, order_id, sku, location HAVING COUNT(*) > 1
        UNION ALL
        SELECT fulfillment_id || ' ' || sku FROM stock_movements
         WHERE kind = 'issue'
         GROUP BY fulfillment_id, sku, location HAVING COUNT(*) > 1
        UNION ALL
        SELECT subject FROM outbox
         WHERE type IN ('orders.order_created.v1', 'orders.order_reserved.v1',
                        'orders.order_confirmed.v1', 'orders.order_rejected.v1',
                        'orders.order_cancelled.v1', 'orders.order_expired.v1',
                        'orders.order_fulfilled.v1', 'orders.hold_confirmed.v1',
                        'inventory.stock_reserved.v1', 'inventory.stock_rejected.v1',
                        'inventory.stock_released.v1')
         GROUP BY type, subject HAVING COUNT(*) > 1
        """,
    ),
    Invariant(
        "every order said that it was created, and how it was settled",
        """
        SELECT orders.id FROM orders
         WHERE orders.id >= (SELECT MIN(subject) FROM outbox
                              WHERE type = 'orders.order_created.v1'
                                AND NOT EXISTS (SELECT 1 FROM delivery
                                                 WHERE delivery.event_id = outbox.event_id))
           AND (NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.subject = orders.id
                               AND outbox.type = 'orders.order_created.v1')
                OR orders.status <> 'pending' AND NOT EXISTS
                   (SELECT 1 FROM outbox WHERE outbox.subject = orders.id
                       AND outbox.type = 'orders.order_' || orders.status || '.v1'))
        """,
    ),
)

EVENTS = (
    Invariant(
        "a published event has its place in the log, and no other has",
        """
        SELECT CAST(event_id AS VARCHAR(36)) FROM outbox
         WHERE (published_at IS NULL) <> (log_position IS NULL)
            OR (published_at IS NULL) <> (stream_id IS NULL)
            OR log_position > (SELECT position FROM log_head)
        """,
    ),
    Invariant(
        "a delivery is settled or owed, never both",
        """
        SELECT delivery.subscriber || ' ' || CAST(delivery.event_id AS VARCHAR(36))
          FROM delivery JOIN inbox ON inbox.subscriber = delivery.subscriber
                                  AND inbox.event_id = delivery.event_id
         WHERE delivery.state = 'dead' AND delivery.reason <> 'replay'
        """,
    ),
    Invariant(
        "every inbox row belongs to an event of ours",
        """
        SELECT inbox.subscriber || ' ' || CAST(inbox.event_id AS VARCHAR(36))
          FROM inbox LEFT JOIN outbox ON outbox.event_id = inbox.event_id
                     LEFT JOIN pruned ON pruned.event_id = inbox.event_id
         WHERE outbox.event_id IS NULL AND pruned.event_id IS NULL
        """,
    ),
)

INVARIANTS = STOCK + ORDERS + BETWEEN + EVENTS
