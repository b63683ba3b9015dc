"""Verify: silent on a sound database, and loud for each thing that can be wrong with one."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from sqlalchemy import text

from app.bus import outbox
from app.bus.stream import Stream
from app.db import Database
from app.invariants import INVARIANTS
from app.main import SUBSCRIBERS
from app.verify import DELIVERED, Report, verify
from tests.bus.sample import relay_all, subscribed
from tests.domain.shop import every_life
from tests.least_privilege import owned
from tests.orders.sample import catalogue, draft, placed

pytestmark = pytest.mark.every_postgres

COUNTERS = "counters equal the ledger"
BOUNDS = "0 <= committed <= reserved <= on hand"
HELD = "reserved equals the reservations held"
ISSUED = "what a reservation issued left the ledger"
CONSUMED = "a reservation that is consumed has issued all, and no other has"
TOTAL = "an order's total is the sum of its lines"
TIMELINE = "an order's timeline has every version once, and ends at its status"
MOVES = "an order only ever went where orders may go"
HOLDS = "an order that is reserved has a manual hold that ends, and no other has"
MOVING = "what an order's lines say of fulfillments, the fulfillments say too"
FULFILLED = "an order is fulfilled when every unit left, and not before"
EXACTLY = "a confirmed order holds exactly what it ordered"
PROMISED = "what a confirmed order holds is promised to it"
OFF = "an order that is off holds nothing, and nothing is held for an order that is not there"
LEFT = "a fulfillment left the house or did not, and both sides know"
TWICE = "no event was applied twice"
SAID = "every order said that it was created, and how it was settled"
PLACE = "a published event has its place in the log, and no other has"
SETTLED = "a delivery is settled or owed, never both"
OURS = "every inbox row belongs to an event of ours"

_FIRST = "(SELECT MIN(id) FROM orders WHERE status = '{}')"


def first(status: str) -> str:
    """Return the SQL for the id of an order that stands there."""
    return _FIRST.format(status)


def movement(kind: str, *, twin: bool = True, **changed: str) -> str:
    """Return the SQL that writes movements of a kind once more, or with other differences."""
    columns = (
        "sku, location, kind, d_on_hand, d_reserved, d_committed, on_hand_after, reserved_after,"
        " committed_after, order_id, fulfillment_id"
    )
    taken = columns
    for name, value in changed.items():
        taken = taken.replace(name, value)
    last = "" if twin else " ORDER BY id DESC LIMIT 1"
    return (
        f"INSERT INTO stock_movements ({columns}) SELECT {taken}"  # noqa: S608 - our own text
        f" FROM stock_movements WHERE kind = '{kind}'{last}"
    )


# The invariant, and damage that nothing but a bug could do.
DAMAGE: list[tuple[str, str]] = [
    (COUNTERS, "UPDATE stock_levels SET on_hand = on_hand + 1"),
    (COUNTERS, "UPDATE stock_levels SET reserved = reserved - 1 WHERE reserved > committed"),
    (COUNTERS, "UPDATE stock_levels SET committed = committed - 1 WHERE committed > 0"),
    (COUNTERS, "DELETE FROM stock_levels WHERE on_hand > 0"),
    (BOUNDS, "UPDATE stock_levels SET on_hand = reserved - 1 WHERE reserved > 0"),
    (BOUNDS, "UPDATE stock_levels SET committed = reserved + 1 WHERE reserved < on_hand"),
    (BOUNDS, "UPDATE stock_levels SET committed = -1"),
    (HELD, "DELETE FROM reservation_lines"),
    (HELD, "UPDATE reservations SET state = 'held' WHERE state = 'committed'"),
    (HELD, "UPDATE reservations SET state = 'committed' WHERE state = 'released'"),
    (ISSUED, "UPDATE reservation_lines SET issued = issued - 1 WHERE issued > 0"),
    (ISSUED, movement("issue", twin=False)),
    (CONSUMED, "UPDATE reservations SET state = 'consumed' WHERE state = 'committed'"),
    (CONSUMED, "UPDATE reservations SET state = 'committed' WHERE state = 'consumed'"),
    (TOTAL, "UPDATE orders SET total_minor = 1"),
    (TOTAL, "UPDATE order_lines SET unit_price_minor = unit_price_minor + 1"),
    (TIMELINE, "DELETE FROM order_timeline WHERE version = 2"),
    (TIMELINE, "UPDATE orders SET version = version + 1"),
    (TIMELINE, "UPDATE orders SET status = 'confirmed' WHERE status = 'reserved'"),
    (MOVES, "UPDATE order_timeline SET to_status = 'expired' WHERE version = 2"),
    (MOVES, "UPDATE order_timeline SET from_status = 'fulfilled' WHERE version = 3"),
    (HOLDS, "UPDATE orders SET expires_at = NULL WHERE status = 'reserved'"),
    (HOLDS, "UPDATE orders SET expires_at = reserved_at WHERE status = 'expired'"),
    (HOLDS, "UPDATE orders SET confirm = 'auto' WHERE status = 'reserved'"),
    (MOVING, "UPDATE order_lines SET fulfilling = fulfilling + 1 WHERE fulfilled < quantity"),
    (MOVING, "UPDATE order_lines SET fulfilled = 0"),
    (MOVING, "UPDATE fulfillments SET status = 'requested' WHERE status = 'issued'"),
    (FULFILLED, "UPDATE orders SET status = 'confirmed' WHERE status = 'fulfilled'"),
    (FULFILLED, f"UPDATE orders SET status = 'fulfilled' WHERE id = {first('confirmed')}"),  # noqa: S608
    (EXACTLY, "UPDATE reservation_lines SET quantity = quantity + 1"),
    (EXACTLY, "UPDATE order_lines SET quantity = 70"),
    (EXACTLY, f"UPDATE reservations SET state = 'released' WHERE order_id = {first('confirmed')}"),  # noqa: S608
    (PROMISED, f"UPDATE reservations SET state = 'held' WHERE order_id = {first('confirmed')}"),  # noqa: S608
    (OFF, "UPDATE reservations SET state = 'committed' WHERE state = 'released'"),
    (OFF, f"UPDATE orders SET status = 'cancelled' WHERE id = {first('confirmed')}"),  # noqa: S608
    (OFF, f"UPDATE orders SET status = 'expired' WHERE id = {first('reserved')}"),  # noqa: S608
    (OFF, f"UPDATE orders SET status = 'rejected' WHERE id = {first('confirmed')}"),  # noqa: S608
    (OFF, "UPDATE reservations SET state = 'held' WHERE state = 'consumed'"),
    (LEFT, "UPDATE issues SET state = 'void'"),
    (LEFT, "UPDATE issues SET state = 'issued'"),
    (LEFT, "DELETE FROM issues"),
    (LEFT, "UPDATE issues SET fulfillment_id = SUBSTR(fulfillment_id, 2)"),
    (TWICE, movement("reserve")),
    (TWICE, movement("commit")),
    (TWICE, movement("release")),
    (TWICE, movement("issue")),
    (TWICE, "UPDATE outbox SET type = 'orders.order_confirmed.v1' WHERE context = 'orders'"),
    (SAID, "DELETE FROM outbox WHERE type = 'orders.order_confirmed.v1'"),
    (SAID, f"DELETE FROM outbox WHERE subject = {first('fulfilled')}"),  # noqa: S608
    (PLACE, "UPDATE outbox SET published_at = NULL"),
    (PLACE, "UPDATE outbox SET stream_id = NULL"),
    (PLACE, "UPDATE outbox SET log_position = NULL"),
    (PLACE, "UPDATE log_head SET position = 1"),
    (
        SETTLED,
        """
        INSERT INTO delivery (subscriber, event_id, state, reason, attempts, unfinished)
        SELECT subscriber, event_id, 'dead', 'failed', 1, 0 FROM inbox
        """,
    ),
    (OURS, "DELETE FROM outbox WHERE context = 'orders'"),
]


class Undone(Exception):  # noqa: N818 - what it says
    """The damage was looked at, and is taken back."""


async def found_after(database: Database, damage: str) -> set[str]:
    """Return which invariants see the damage; nothing of it stays."""
    found = set()
    with suppress(Undone):
        async with owned(database) as open_to_all, open_to_all.write() as session:
            for statement in (*_without_checks(database), damage):
                await session.execute(text(statement))
            for one in INVARIANTS:
                if (await session.scalars(text(one.query))).first() is not None:
                    found.add(one.name)
            raise Undone
    return found


def _without_checks(database: Database) -> Sequence[str]:
    """Return what takes the last wall away, so that the invariants stand alone."""
    if database.single_writer:
        return ("PRAGMA ignore_check_constraints = ON",)
    return [
        f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{name}"
        for table, names in {
            "stock_levels": ("on_hand", "reserved", "committed"),
            "reservation_lines": ("issued",),
            "order_lines": ("fulfilled",),
        }.items()
        for name in names
    ]


def broken(report: Report) -> dict[str, list[str]]:
    return {name: found for name, found in report.offenders.items() if found}


async def test_verify_is_silent_on_a_sound_shop_and_sees_every_damage(
    database: Database, stream: Stream
) -> None:
    await every_life(database)

    report = await verify(database, stream)

    assert broken(report) == {}
    assert report.in_transit == 0
    assert set(report.offenders) == {invariant.name for invariant in INVARIANTS} | {DELIVERED}
    assert {name for name, _ in DAMAGE} == {invariant.name for invariant in INVARIANTS}
    missed = {}
    for name, damage in DAMAGE:
        found = await found_after(database, damage)
        if name not in found:
            missed[name, damage] = found
    assert missed == {}
    assert broken(await verify(database, stream)) == {}
    async with database.write() as session:
        await session.execute(text("UPDATE orders SET total_minor = total_minor + 1"))
        await session.execute(text("DELETE FROM inbox WHERE subscriber = 'orders'"))
    assert {*broken(await verify(database, stream, second_look_s=0))} == {TOTAL, DELIVERED}


async def test_what_waits_its_turn_is_in_transit_and_no_violation(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, *SUBSCRIBERS)
    await stream.ensure_groups(["orders", "inventory"], "inventory")
    await catalogue(database, MUG=425)
    await placed(database, draft(("MUG", 1)))
    unpublished = await verify(database, stream)

    await relay_all(database, stream)
    undelivered = await verify(database, stream)
    async with stream.reader(["orders"], "inventory", "c", block_s=0.2) as reader:
        (entry,) = await reader.fresh(10)
    pending = await verify(database, stream)

    for report in (unpublished, undelivered, pending):
        assert (report.violations, report.in_transit) == (0, 1)

    # Acknowledged and not in the inbox: somebody threw it away.
    await stream.ack("inventory", [entry])
    lost = await verify(database, stream, second_look_s=0)
    assert {*broken(lost)} == {DELIVERED}


async def test_with_no_engine_to_ask_everything_published_is_in_transit(
    database: Database, stream: Stream
) -> None:
    await subscribed(database, *SUBSCRIBERS)
    await catalogue(database, MUG=425)
    await placed(database, draft(("MUG", 1)))
    await relay_all(database, stream)

    report = await verify(database, None)

    assert (report.violations, report.in_transit) == (0, 1)
    assert not report.stream_asked


async def test_a_suspect_that_clears_up_is_no_violation(database: Database, stream: Stream) -> None:
    await subscribed(database, *SUBSCRIBERS)
    await stream.ensure_groups(["orders"], "inventory")
    await catalogue(database, MUG=425)
    await placed(database, draft(("MUG", 1)))
    async with database.write() as session:
        # As between the two looks of a verification: published, and its entry not there yet.
        page = await outbox.unpublished(session, 10)
        await outbox.mark_published(session, page, ["1-1"])
    looks = 0
    group_state = stream.group_state

    async def appended_after_the_first_look(context: str, group: str) -> object:
        nonlocal looks
        looks += 1
        if looks == 2:
            await stream._redis.xadd(stream.key("orders"), {"event": page[0].envelope}, id="1-1")
        return await group_state(context, group)

    stream.group_state = appended_after_the_first_look  # type: ignore[method-assign,assignment]

    report = await verify(database, stream, second_look_s=0)

    assert (report.violations, report.in_transit) == (0, 1)
