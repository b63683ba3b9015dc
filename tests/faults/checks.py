"""What must hold when everything has come to rest: invariants, each with what breaks it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from app.bus.stream import Stream
from app.db import Database
from app.verify import verify
from tests.faults.load import Witness
from tests.faults.poison import dead_letters_differ

_PAIR = "subscriber || ' ' || CAST(event_id AS VARCHAR(36))"

AT_REST = {
    "no event waits for the relay": (
        "SELECT CAST(event_id AS VARCHAR(36)) FROM outbox WHERE published_at IS NULL"
    ),
    "every owed delivery is handled or a dead letter": """
        SELECT subscription.subscriber || ' ' || CAST(outbox.event_id AS VARCHAR(36))
          FROM outbox JOIN subscription ON subscription.event_type = outbox.type
          LEFT JOIN inbox ON inbox.subscriber = subscription.subscriber
                         AND inbox.event_id = outbox.event_id
          LEFT JOIN delivery ON delivery.subscriber = subscription.subscriber
                            AND delivery.event_id = outbox.event_id
                            AND delivery.state IN ('dead', 'discarded')
         WHERE inbox.event_id IS NULL AND delivery.event_id IS NULL
           AND (outbox.log_position IS NULL
                OR outbox.log_position > subscription.since_log_position)
        """,
    "no delivery is due": f"SELECT {_PAIR} FROM delivery WHERE state = 'due'",  # noqa: S608
}
"""True once nothing is left to do; a run waits for these to become empty."""

ORDERS_AT_REST = {
    "no order is pending": "SELECT id FROM orders WHERE status = 'pending'",
    "no hold is overdue": "SELECT id FROM orders WHERE expires_at <= CURRENT_TIMESTAMP",
    "no fulfillment waits for inventory": (
        "SELECT id FROM fulfillments WHERE status IN ('requested', 'cancelling')"
    ),
}
"""Nothing waits for anything but people."""

EXACTLY_ONCE = {
    "no effect was committed twice": (
        f"SELECT {_PAIR} FROM effect_audit GROUP BY subscriber, event_id HAVING COUNT(*) > 1"  # noqa: S608
    ),
    "an effect for each inbox row, and an inbox row for each effect": """
        SELECT inbox.subscriber || ' ' || CAST(inbox.event_id AS VARCHAR(36))
          FROM inbox LEFT JOIN effect_audit ON effect_audit.subscriber = inbox.subscriber
                                           AND effect_audit.event_id = inbox.event_id
         WHERE effect_audit.event_id IS NULL
        UNION ALL
        SELECT effect_audit.subscriber || ' ' || CAST(effect_audit.event_id AS VARCHAR(36))
          FROM effect_audit LEFT JOIN inbox ON effect_audit.subscriber = inbox.subscriber
                                           AND effect_audit.event_id = inbox.event_id
         WHERE inbox.event_id IS NULL
        """,
    "no delivery is handled and dead": """
        SELECT delivery.subscriber || ' ' || CAST(delivery.event_id AS VARCHAR(36))
          FROM delivery JOIN inbox ON inbox.subscriber = delivery.subscriber
                                  AND inbox.event_id = delivery.event_id
         WHERE delivery.state = 'dead'
        """,
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One invariant that does not hold, and what breaks it."""

    name: str
    offenders: list[str]

    def __str__(self) -> str:
        shown = "".join(f"\n    {one[:4000]}" for one in self.offenders[:5])
        return f"{self.name}: {len(self.offenders)}{shown}"


async def broken(database: Database, invariants: dict[str, str]) -> list[Broken]:
    """Return those of the invariants that do not hold now."""
    found: list[Broken] = []
    async with database.snapshot() as session:
        for name, query in invariants.items():
            if offenders := sorted(map(str, await session.scalars(text(query)))):
                found.append(Broken(name, offenders))
    return found


async def bus_broken(database: Database) -> list[str]:
    """Return the names of the bus's invariants that do not hold on a database at rest."""
    names = [one.name for one in await broken(database, AT_REST | EXACTLY_ONCE)]
    if await deadlock_count(database):
        names.append(NO_DEADLOCK)
    return names


NOTHING_LOST = {
    "nothing is called lost where nothing was": (
        f"SELECT {_PAIR} FROM delivery WHERE reason = 'lost'"  # noqa: S608
    ),
}
"""For runs without faults: a backlog is no loss."""

NO_DEADLOCK = "locks are taken in one order everywhere, so there is no deadlock"


async def deadlock_count(database: Database) -> int:
    """Return how many deadlocks PostgreSQL has broken in this database; a crash forgets them."""
    if database.single_writer:
        return 0
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    async with database.read() as session:
        return int(await session.scalar(text(query)) or 0)


async def witnessed(database: Database, witness: Witness) -> list[Broken]:
    """Return where the database and the clients' own log differ: every 2xx is one order."""
    async with database.snapshot() as session:
        query = text("SELECT order_id, sku, quantity FROM order_lines")
        lines: dict[str, dict[str, int]] = {}
        for order_id, sku, quantity in await session.execute(query):
            lines.setdefault(order_id, {})[sku] = quantity
    answered = {key: min(ids) for key, ids in witness.ids.items()}
    differ = {
        "one key, one order": [key for key, ids in witness.ids.items() if len(ids) > 1],
        "every 2xx is an order, as it was asked for": [
            f"{key} {id_}" for key, id_ in answered.items() if lines.get(id_) != witness.lines[key]
        ],
        "every order was asked for once": sorted(set(lines) - set(answered.values())),
    }
    return [Broken(name, offenders) for name, offenders in differ.items() if offenders]


async def commands_witnessed(database: Database, witness: Witness) -> list[Broken]:
    """Return where what was done and the clients' own log of commands differ.

    A command that was answered with a 2xx is there, at the version that the client was told, and
    no other is: so whoever won against somebody else, both of them were told so. But one that was
    refused may be there too if an earlier request for it was never answered.
    """
    by_people = "SELECT order_id, version, action FROM order_timeline WHERE actor IS NOT NULL"
    made = (
        "SELECT order_id, id, 'fulfill' FROM fulfillments"
        " UNION ALL SELECT '', id, 'adjust' FROM adjustments"
        " UNION ALL SELECT id, cancel_reason, 'cancel' FROM orders WHERE cancel_reason IS NOT NULL"
    )
    async with database.snapshot() as session:
        done = {tuple(row) for row in await session.execute(text(by_people))}
        there = {tuple(row) for row in await session.execute(text(made))}
    told: set[tuple[Any, ...]] = {(min(ids), 1, "place") for ids in witness.ids.values()}
    things: set[tuple[Any, ...]] = set()
    for key, one in witness.answers.items():
        if one.refused is None:
            if one.version is not None:
                told.add((one.order_id, one.version, one.action))
            if one.action in {"fulfill", "adjust", "cancel"}:
                things.add((one.order_id, one.about or key, one.action))
    late = {(one.order_id, one.action) for one in witness.answers.values() if one.unsure}
    differ = {
        "every 2xx of a command is in the timeline": told - done,
        "every command in the timeline was answered with a 2xx": _but(done - told, late),
        "what was answered with a 2xx is there": things - there,
        "what is there was answered with a 2xx": _but(there - things, late),
    }
    return [Broken(name, sorted(map(repr, found))) for name, found in differ.items() if found]


def _but(found: set[tuple[Any, ...]], late: set[tuple[str, str]]) -> set[tuple[Any, ...]]:
    """Leave out what a request that was never answered may have done late."""
    return {one for one in found if (one[0], one[2]) not in late}


async def everything(database: Database, stream: Stream | None, witness: Witness) -> list[Broken]:
    """Check everything on a deployment at rest."""
    found = await broken(database, AT_REST | ORDERS_AT_REST | EXACTLY_ONCE)
    if differ := await dead_letters_differ(database):
        # Faults of the engines and of processes are no event's fault.
        found.append(Broken("the dead letters are the poison, exactly", differ))
    found += await witnessed(database, witness)
    found += await commands_witnessed(database, witness)
    report = await verify(database, stream)
    found += [Broken(f"verify: {name}", ids) for name, ids in report.offenders.items() if ids]
    if deadlocks := await deadlock_count(database):
        found.append(Broken(NO_DEADLOCK, [f"{deadlocks} deadlocks"]))
    return found
