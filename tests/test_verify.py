"""Verify: silent on a sound database, and loud for each thing that can be wrong with one."""

import pytest
from sqlalchemy import text

from app.bus import outbox
from app.bus.stream import Stream
from app.db import Database
from app.main import SUBSCRIBERS
from app.verify import DELIVERED, INVARIANTS, Report, verify
from tests.bus.sample import loops, relay_all, running, subscribed, until_handled
from tests.inventory.sample import stock
from tests.orders.sample import catalogue, draft, placed

pytestmark = pytest.mark.every_postgres

# the invariant, and damage that nothing but a bug could do
DAMAGE = [
    ("counters equal the ledger", "UPDATE stock_levels SET on_hand = on_hand + 1"),
    ("reserved equals the reservations held", "DELETE FROM reservation_lines"),
    ("a confirmed order holds exactly", "UPDATE reservation_lines SET quantity = quantity + 1"),
    ("a confirmed order holds exactly", "UPDATE order_lines SET quantity = 7"),
    ("a rejected order holds nothing", "UPDATE orders SET status = 'rejected'"),
    (
        "every order said that it was created",
        "DELETE FROM outbox WHERE type = 'orders.order_confirmed.v1'",
    ),
    ("an order's total is the sum of its lines", "UPDATE orders SET total_minor = 1"),
    ("a published event has its place in the log", "UPDATE outbox SET published_at = NULL"),
    ("every inbox row belongs to an event", "DELETE FROM outbox WHERE context = 'orders'"),
    (
        "no event was applied twice",
        """
        INSERT INTO stock_movements (sku, location, kind, d_on_hand, d_reserved, on_hand_after,
                                     reserved_after, order_id)
        SELECT sku, location, kind, d_on_hand, d_reserved, on_hand_after, reserved_after, order_id
          FROM stock_movements WHERE kind = 'reserve'
        """,
    ),
    (DELIVERED, "DELETE FROM inbox WHERE subscriber = 'orders'"),
]


async def settled_shop(database: Database, stream: Stream) -> None:
    """Let the real loops confirm two orders and reject one."""
    await subscribed(database, *SUBSCRIBERS)
    await catalogue(database, MUG=425)
    await stock(database, MUG=10)
    async with running(*loops(database, stream, SUBSCRIBERS)):
        await placed(database, draft(("MUG", 2)), draft(("MUG", 11)), draft(("MUG", 3)))
        await until_handled(database, "orders", 3)
    await relay_all(database, stream)


def broken(report: Report) -> list[str]:
    return [name for name, offenders in report.offenders.items() if offenders]


async def test_a_sound_shop_has_no_violations(database: Database, stream: Stream) -> None:
    await settled_shop(database, stream)

    report = await verify(database, stream)

    assert report.violations == 0
    assert report.in_transit == 0
    assert set(report.offenders) == {invariant.name for invariant in INVARIANTS} | {DELIVERED}


@pytest.mark.parametrize(("name", "damage"), DAMAGE)
async def test_damage_is_found(database: Database, stream: Stream, name: str, damage: str) -> None:
    await settled_shop(database, stream)
    async with database.write() as session:
        await session.execute(text(damage))

    report = await verify(database, stream, second_look_s=0)

    assert any(found.startswith(name) for found in broken(report)), broken(report)


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
    assert broken(lost) == [DELIVERED]


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
