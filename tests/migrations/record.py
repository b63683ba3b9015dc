"""`python -m tests.migrations.record 0.1.0`: keep a database as this release leaves it.

Once per release, before it is tagged: orders in every state, and work of every kind under way, as
SQL of both databases in `releases/VERSION/`. Every later release is tested to take it over.
"""

import re
import sys
import tempfile
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from uuid import UUID

import anyio
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from app import db, schema
from app.bus.errors import PermanentError
from app.bus.event import Envelope
from app.bus.pause import pause
from app.bus.subscriber import Subscriber
from app.bus.tables import delivery, failed_attempt, outbox
from app.db import Database
from app.modules.orders.events import OrderCreated
from app.settings import Settings
from app.web import keys, sessions
from app.web.principal import Principal
from tests.bus.owing import deliver, ripen
from tests.domain.post import Post
from tests.domain.shop import every_life
from tests.inventory.sample import stock_at
from tests.migrations.dumps import dump_postgresql, dump_sqlite
from tests.orders.rest import application, client_of, order_of
from tests.orders.sample import draft, fulfilling, manual, overdue, placed
from tests.postgres import PostgresServer

RELEASES = Path(__file__).parent / "releases"

KEY = "the-key-of-the-recording"
"""APP_API_KEY at the time."""
ONCE = "order-0001"
"""The Idempotency-Key of an order that was placed then."""

DAY, FAR = "2026-01-01", "2100-01-01"
"""When all was that had been, and when all will be that was to come."""
NOON = "12:00:00"

_UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}(?![0-9a-f])"
)
_TRACE = re.compile(r"(?<=00-)[0-9a-f]{32}-[0-9a-f]{16}(?=-0\d)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d:\d\d)(\.\d+)?")


async def story(database: Database) -> None:
    """Live through all that a release knows, and stop in the middle of it."""
    post = await every_life(database)
    await stock_at(database, "near", MUG=500, HAT=500)
    await _under_way(database, post)
    await _failed(database)
    await _kept_by_the_edge(database)
    async with database.write() as session:
        await pause(session, "orders", who="ann", reason="stock-taking")
    await placed(database, draft(("MUG", 2)), draft(("HAT", 1)))  # nobody has published it
    await _without_places(database)


async def _under_way(database: Database, post: Post) -> None:
    """Leave what a timer, a warehouse and a lost stream still owe an answer."""
    late, bought, asked = await placed(
        database, manual(("MUG", 1)), draft(("HAT", 2)), draft(("MUG", 3))
    )
    await post.deliver_all()
    await overdue(database, late.id)
    await fulfilling(database, bought.id, ("HAT", 1))
    await post.collect()
    await placed(database, draft(("MUG", 4)))
    await post.collect()  # published, and the stream will not have it
    del asked


async def _failed(database: Database) -> None:
    """Have inventory give one order's event up, and put another's off."""
    given_up, put_off = Subscriber("inventory"), Subscriber("inventory")

    @given_up.on(OrderCreated)
    async def give_up(event: OrderCreated, _: AsyncSession) -> None:
        raise PermanentError(f"no such shelf for {event.order_id}")

    @put_off.on(OrderCreated)
    async def put(event: OrderCreated, _: AsyncSession) -> None:
        raise ValueError(event.order_id)

    for subscriber in (given_up, put_off):
        [order] = await placed(database, draft(("MUG", 1)))
        async with database.read() as session:
            found = select(outbox.c.envelope).where(outbox.c.subject == order.id)
            text = await session.scalar(found)
        event = Envelope.model_validate_json(text or "").open(OrderCreated)
        await deliver(database, subscriber, event)
    await ripen(database)


async def _kept_by_the_edge(database: Database) -> None:
    """Have an API key, a console session, and an order that a client may send again."""
    client = client_of(application(database, api_key=KEY), Authorization=f"Bearer {KEY}")
    async with client:
        reply = await client.post(
            "/v1/orders", json=order_of(("MUG", 1)), headers={"Idempotency-Key": ONCE}
        )
        reply.raise_for_status()
    async with database.write() as session:
        key = keys.KeyDraft(name="web shop", scopes=frozenset({"orders:read", "orders:write"}))
        issued = await keys.create(session, key, by="key")
    await sessions.begin(database, Principal(name="key", scopes=frozenset()), issued.secret)


async def _without_places(database: Database) -> None:
    """Leave out what is of this machine or by chance: where files lie, how long something took."""
    async with database.write() as session:
        given = delivery.c.traceback.is_not(None)
        await session.execute(update(delivery).where(given).values(traceback="ValueError: …"))
        await session.execute(update(failed_attempt).values(took_ms=1.0))
        await session.execute(update(keys.api_keys).values(prefix="ok_0123", hash="a" * 64))
        secrets = {"token_digest": "b" * 64, "digest": "a" * 64}
        await session.execute(update(sessions.console_sessions).values(secrets))


def steady(text: str, recorded_at: datetime) -> str:
    """Return a dump with ids and times that are the same whenever it is made."""
    text = _TRACE.sub(f"{1:032x}-{1:016x}", text)
    ids = {UUID(found[0]): None for found in _UUID.finditer(text)}
    ordered = sorted(one for one in ids if one.version == 7)
    new = {old: _id(7, at) for at, old in enumerate(ordered, 1)}
    others = [one for one in ids if one not in new]
    new |= {old: _id(4, at) for at, old in enumerate(others, 1)}

    def named(found: re.Match[str]) -> str:
        name = new[UUID(found[0])]
        return str(name) if found[1] else name.hex

    def moved(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(f"{found[1]}T{found[3]}").replace(tzinfo=UTC)
        day = DAY if at <= recorded_at else FAR
        return f"{day}{found[2]}{NOON}{'.000000' if found[4] else ''}"

    text = _TIME.sub(moved, _UUID.sub(named, text))
    # Rows come as they lie in their table, which is by chance.
    tables = groupby(text.splitlines(), key=lambda line: line.partition(" VALUES")[0])
    return "\n".join(line for _, lines in tables for line in sorted(lines))


def _id(version: int, number: int) -> UUID:
    return UUID(f"01900000-0000-{version}000-8000-{number:012x}")


async def _told(database: Database, settings: Settings) -> None:
    await schema.migrate(settings)
    try:
        with capture_logs():
            await story(database)
    finally:
        await database.close()


def _sqlite(folder: Path) -> str:
    settings = Settings.model_validate({"data": folder})
    anyio.run(_told, db.sqlite(folder / "orderly.db"), settings)
    return dump_sqlite(folder / "orderly.db")


def _postgresql(server: PostgresServer) -> str:
    url = server.create_database()
    named = {"DATABASE_URL": SecretStr(url), "REDIS_URL": SecretStr("redis://unused")}
    anyio.run(_told, db.postgresql(url), Settings.model_validate(named))
    return dump_postgresql(server, url)


def record(version: str) -> None:
    """Write both dumps of a release."""
    folder = RELEASES / version
    folder.mkdir(parents=True, exist_ok=True)
    server = PostgresServer(16)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as data:
            texts = {"sqlite": _sqlite(Path(data)), "postgresql": _postgresql(server)}
    finally:
        server.stop()
    for dialect, text in texts.items():
        (folder / f"{dialect}.sql").write_text(f"{steady(text, datetime.now(UTC))}\n")


if __name__ == "__main__":
    record(sys.argv[1])
