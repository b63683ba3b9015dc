"""The roles of deploy/postgres: the application can do all that it does with its own, and no more.

TEST_LEAST_PRIVILEGE=1 runs the whole suite so; these tests always do.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import anyio.to_thread
import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app import db, main, schema
from app.bus.errors import PermanentError
from app.bus.outbox import publish
from app.bus.retention import Retention, RetentionPolicy
from app.bus.sql import later
from app.bus.subscriber import Subscriber
from app.bus.tables import outbox, pruned
from app.cli.doctor_rights import look_at_rights
from app.cli.finding import Verdict
from app.cli.verify import verified
from app.db import Database
from app.loops import Chores
from app.runtime import Runtime, open_runtime
from app.settings import Settings
from tests import least_privilege
from tests.bus.sample import Heard, Rang, delivery_rows, ring, until
from tests.conftest import PostgresFixture
from tests.console.browsing import ORIGIN, OURS, sign_in
from tests.least_privilege import APP, OWNER, READER, as_role
from tests.postgres import PostgresServer, PostgresUnavailableError
from tests.valkey import ValkeyServer

pytestmark = pytest.mark.every_postgres
BOTH = pytest.mark.parametrize("deployed", ["pg16", "pg18"], indirect=True)


@dataclass
class Deployed:
    """A database made as the files say, and the server it is on."""

    server: PostgresServer
    url: str

    @asynccontextmanager
    async def opened(self, role: str) -> AsyncIterator[Database]:
        """Open it as one of the roles."""
        database = db.postgresql(as_role(self.url, role), pool=4)
        try:
            yield database
        finally:
            await database.close()


@pytest.fixture
def empty(request: pytest.FixtureRequest, postgres: PostgresFixture) -> Iterator[Deployed]:
    """Give an empty database on a server of our own, because roles are the whole server's."""
    server = postgres._server(request.param)
    if server._external:
        pytest.skip("the server of TEST_DATABASE_URL may have roles of these names")
    url = server.create_database()
    yield Deployed(server, url)
    server.drop_database(url)


@pytest.fixture(scope="module")
def deployed(request: pytest.FixtureRequest, postgres: PostgresFixture) -> Iterator[Deployed]:
    """Give a database as after the first `migrate`; every file has run twice."""
    server = postgres._server(request.param)
    if server._external:
        pytest.skip("the server of TEST_DATABASE_URL may have roles of these names")
    url = server.create_database()
    for _ in range(2):
        least_privilege.migrate(server, url, with_users=True)
    yield Deployed(server, url)
    server.drop_database(url)


def settings_of(url: str, stream: str = "redis://unused", **values: object) -> Settings:
    urls = {"DATABASE_URL": SecretStr(url), "REDIS_URL": SecretStr(stream)}
    return Settings.model_validate(urls | values)


@pytest.fixture
def engine() -> Iterator[ValkeyServer]:
    server = ValkeyServer(persistent=False, users=True)
    server.start()
    yield server
    server.stop()


class Ears:
    """A subscriber that gives loud bells up until it is cured."""

    def __init__(self) -> None:
        self.cured = False
        self.subscriber = Subscriber("ears")
        self.subscriber.on(Rang)(self.hear)

    async def hear(self, event: Rang, session: AsyncSession) -> None:
        await publish(session, Heard(bell=event.bell))
        if event.volume >= LOUD and not self.cured:
            raise PermanentError(f"too loud: {event.volume}")


LOUD = 11


@pytest.mark.parametrize("deployed", ["pg18"], indirect=True)
async def test_the_roles_may_do_all_that_orderly_does(
    deployed: Deployed, engine: ValkeyServer
) -> None:
    ears = Ears()
    settings = settings_of(as_role(deployed.url, APP), engine.url, role="all", api_key=OURS)
    chores = main.chores(settings)
    chores = Chores(
        subscribers=(*chores.subscribers, ears.subscriber),
        timers=chores.timers,
        forget=chores.forget,
    )
    async with open_runtime(settings, chores, lambda: None) as process:
        app = main.create_app(settings)
        app.state.runtime = process
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url=ORIGIN,
            headers={"authorization": f"Bearer {OURS}"},
        ) as client:
            await sell(client)
            await operate(client, process.database, ears)
            await administer(client)
        await forget(process, chores)
        assert process.supervisor.troubles() == []
    report = await verified(settings)
    assert report.violations == 0, report.offenders

    with engine.client() as admin:
        assert admin.acl_log() == []


async def sell(client: httpx2.AsyncClient) -> None:
    """Take orders through every kind of change that a customer or a shop asks for."""
    price = {"amount": "4.25", "currency": "GBP"}
    lines = [{"sku": "MUG", "quantity": 1}]
    await done(client, "PUT", "/v1/products/MUG", {"title": "Mug", "unit_price": price})
    await done(client, "PUT", "/v1/inventory/locations/leeds", {"priority": 1})
    await done(client, "PUT", "/v1/inventory/items/MUG", {"safety_stock": 1, "low_stock_at": 2})
    received = {"lines": [{"sku": "MUG", "quantity": 20}]}
    await done(client, "POST", "/v1/inventory/receipts", received)
    adjustment = {"reason": "damage", "lines": [{"sku": "MUG", "delta": -1}]}
    await done(client, "POST", "/v1/inventory/adjustments", adjustment)

    order = {"customer_id": "c-1", "lines": lines}
    bought = await done(client, "POST", "/v1/orders", order)
    held = await done(client, "POST", "/v1/orders", order | {"confirm": "manual"})
    off = await done(client, "POST", "/v1/orders", order)
    await done(client, "POST", "/v1/orders/batch", {"orders": [order, order]})
    await status(client, bought["id"], "confirmed")
    await status(client, held["id"], "reserved")
    await done(client, "POST", f"/v1/orders/{held['id']}/extend", {"seconds": 60})
    await done(client, "POST", f"/v1/orders/{held['id']}/confirm")
    await done(client, "POST", f"/v1/orders/{off['id']}/cancel")
    await done(client, "POST", f"/v1/orders/{bought['id']}/fulfillments")
    await status(client, bought["id"], "fulfilled")


async def operate(client: httpx2.AsyncClient, database: Database, ears: Ears) -> None:
    """Do what operators do, to the delivery that a subscriber gives up."""
    await ring(database, Rang(bell="a", volume=LOUD), Rang(bell="b", volume=LOUD), Rang(bell="c"))

    async def dead() -> bool:
        return [row.state for row in await delivery_rows(database)] == ["dead", "dead"]

    await until(dead)
    letters = await done(client, "GET", "/v1/ops/dead-letters")
    first, second = (letter["event_id"] for letter in letters["items"])
    path = f"/v1/ops/dead-letters/ears/{first}"
    await done(client, "POST", f"{path}/redrive", {"dry_run": True})
    ears.cured = True
    redriven = await done(client, "POST", f"{path}/redrive")
    assert redriven["outcome"] == "handled", redriven
    await done(client, "POST", f"/v1/ops/dead-letters/ears/{second}/discard", {"reason": "noise"})
    await done(client, "POST", "/v1/ops/dead-letters/redrive", {"state": "discarded"})
    await done(client, "POST", "/v1/ops/subscribers/ears/pause", {"reason": "a look"})
    await done(client, "POST", "/v1/ops/subscribers/ears/resume")
    span = {"subscriber": "ears", "from_log_position": 1}
    assert (await done(client, "POST", "/v1/ops/replay", span))["total"] >= 2
    await done(client, "POST", "/v1/ops/fill", {"subscriber": "ears"})
    for page in ("flow", "streams", "outbox", "actions", "subscribers"):
        await done(client, "GET", f"/v1/ops/{page}")
    await done(client, "GET", "/v1/events?limit=5")

    async def quiet() -> bool:
        return not [row for row in await delivery_rows(database) if row.state == "due"]

    await until(quiet)


async def administer(client: httpx2.AsyncClient) -> None:
    """Make keys and take them back, and sign in to the console and out."""
    made = await done(client, "POST", "/v1/api-keys", {"name": "till", "scopes": ["orders:read"]})
    await done(client, "POST", f"/v1/api-keys/{made['id']}/rotate")
    answer = await client.delete(f"/v1/api-keys/{made['id']}")
    assert answer.is_success, answer.text
    del client.headers["authorization"]
    assert (await sign_in(client, OURS)).headers["location"] == "/console"
    for page in ("", "/orders", "/inventory", "/dead-letters", "/flow"):
        found = await client.get(f"/console{page}")
        assert found.status_code in {200, 404}, page
    left = await client.post("/console/sign-out", headers={"origin": ORIGIN})
    assert left.status_code == 303, left.text


async def forget(process: Runtime, chores: Chores) -> None:
    """Have everything grow old and be removed, with what follows it a day later."""
    retention = Retention(process.database, RetentionPolicy(), chores.forget)
    async with process.database.write() as session:
        await session.execute(update(outbox).values(published_at=later(-15 * 86400)))
    assert await retention.run_round()
    async with process.database.write() as session:
        await session.execute(update(pruned).values(pruned_at=later(-86400)))
    await retention.run_round()
    async with process.database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM pruned")) == 0


async def done(
    client: httpx2.AsyncClient, method: str, path: str, body: object = None
) -> dict[str, Any]:
    headers = {} if method == "GET" else {"idempotency-key": uuid4().hex}
    answer = await client.request(method, path, json=body, headers=headers)
    assert answer.is_success, f"{method} {path}: {answer.text}"
    found: dict[str, Any] = answer.json()
    return found


async def status(client: httpx2.AsyncClient, order_id: object, wanted: str) -> None:
    async def is_so() -> bool:
        found = await done(client, "GET", f"/v1/orders/{order_id}")
        return bool(found["status"] == wanted)

    await until(is_so)


DENIED = {
    "UPDATE stock_movements SET d_on_hand = 0",
    "DELETE FROM stock_movements",
    "UPDATE order_timeline SET actor = 'nobody'",
    "DELETE FROM order_timeline",
    "UPDATE operator_action SET who = 'nobody'",
    "DELETE FROM operator_action",
    "DELETE FROM orders",
    "DELETE FROM stock_levels",
    "DELETE FROM api_keys",
    "TRUNCATE outbox",
    "CREATE TABLE mine (id int)",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE outbox",
    "DROP TRIGGER append_only ON stock_movements",
    "ALTER TABLE stock_movements DISABLE TRIGGER append_only",
    "ALTER TABLE orders ADD COLUMN mine int",
    "SET session_replication_role = replica",
    "UPDATE alembic_version SET version_num = '0001'",
    "SELECT * FROM pg_authid",
    "CREATE ROLE mine",
    f"SET ROLE {OWNER}",
    "COPY orders TO '/tmp/orders'",
    "SELECT pg_read_file('PG_VERSION')",
}


@BOTH
async def test_the_application_may_not_rewrite_what_happened_nor_change_the_schema(
    deployed: Deployed,
) -> None:
    async with deployed.opened(APP) as database:
        for statement in sorted(DENIED):
            assert await refusal(database, statement) == "42501", statement


async def refusal(database: Database, statement: str) -> str | None:
    """Return the SQLSTATE with which a statement is refused, and take back what is not."""
    async with database.writer.connect() as connection:
        try:
            await connection.execute(text(statement))
        except DBAPIError as error:
            return getattr(error.orig, "sqlstate", None)
        finally:
            await connection.rollback()
    return None


_RIGHTS = text("""
    SELECT relname || ' ' || privilege FROM pg_class,
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES'])
        AS privilege
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND has_table_privilege(oid, privilege)
""")


@BOTH
async def test_what_a_later_migration_makes_is_the_applications_to_use(deployed: Deployed) -> None:
    server, url = deployed.server, deployed.url
    async with deployed.opened(OWNER) as owner, owner.write() as session:
        await session.execute(text("CREATE TABLE later (id bigserial PRIMARY KEY, n int)"))
    try:
        async with deployed.opened(APP) as database, database.write() as session:
            await session.execute(text("INSERT INTO later (n) VALUES (1)"))
            await session.execute(text("UPDATE later SET n = 2"))
            await session.execute(text("DELETE FROM later"))
        async with deployed.opened(READER) as database:
            assert await refusal(database, "SELECT * FROM later") == "42501"
    finally:
        server.execute(url, "DROP TABLE later")


@BOTH
async def test_doctor_knows_which_rights_are_needed_and_which_are_too_many(
    deployed: Deployed,
) -> None:
    server, url = deployed.server, deployed.url

    async def found() -> list[tuple[Verdict, str]]:
        async with deployed.opened(APP) as database, database.read() as session:
            return [(one.verdict, one.found) for one in await look_at_rights(session)]

    well = await found()
    server.execute(url, f"GRANT UPDATE ON order_timeline TO {APP}")
    too_many = await found()
    least_privilege.with_rights(server, url)
    server.execute(url, f"REVOKE DELETE ON outbox FROM {APP}")
    missing = await found()
    least_privilege.with_rights(server, url)

    assert well == await found() == [(Verdict.OK, f"{APP} may do all that is needed")]
    rewritten = "what is only ever added to can be rewritten: order_timeline"
    assert too_many == [(Verdict.WARNING, rewritten)]
    assert missing[0] == (Verdict.FAILED, "no full rights on outbox")


@BOTH
async def test_reports_read_the_business_and_nothing_secret(deployed: Deployed) -> None:
    async with deployed.opened(READER) as database, database.read() as session:
        rights = set(await session.scalars(_RIGHTS))
        secret = {"api_keys", "console_sessions", "idempotency_keys", "outbox", "delivery"}

        assert {right.partition(" ")[2] for right in rights} == {"SELECT"}
        assert {"orders", "stock_levels", "stock_movements"} <= names(rights)
        assert not names(rights) & secret
        limit = await session.scalar(text("SHOW statement_timeout"))
        assert limit == "1min"
    async with deployed.opened(READER) as database:
        assert await refusal(database, "CREATE TABLE mine (id int)") == "25006"


def names(rights: set[str]) -> set[str]:
    return {right.partition(" ")[0] for right in rights}


@BOTH
async def test_passwords_are_set_when_given_and_kept_when_not(deployed: Deployed) -> None:
    server, url = deployed.server, deployed.url
    hashes = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'orderly%' ORDER BY 1"

    async def stored() -> dict[str, str]:
        async with deployed.opened("postgres") as database, database.read() as session:
            return {row.rolname: row.rolpassword for row in await session.execute(text(hashes))}

    before = await stored()
    await anyio.to_thread.run_sync(server.run, url, least_privilege.ROLES)
    kept = await stored()
    least_privilege.with_roles(server, url)
    anew = await stored()

    assert set(before) == {OWNER, APP, READER}
    assert all(word.startswith("SCRAM-SHA-256$") for word in before.values())
    assert kept == before
    assert not set(anew.items()) & set(before.items())


@pytest.mark.parametrize("empty", ["pg18"], indirect=True)
def test_what_one_user_migrated_so_far_is_handed_over(empty: Deployed) -> None:
    server, url = empty.server, empty.url
    single = f"single_{uuid4().hex[:8]}"
    server.execute(url, f"CREATE ROLE {single} LOGIN")
    server.execute(url, f"GRANT CREATE ON SCHEMA public TO {single}")
    anyio.run(schema.migrate, settings_of(as_role(url, single)))
    least_privilege.with_roles(server, url)

    server.execute(url, f"REASSIGN OWNED BY {single} TO {OWNER}")
    least_privilege.with_rights(server, url)

    server.execute(url, f"DROP OWNED BY {single}")
    server.execute(url, f"DROP ROLE {single}")
    report = anyio.run(verified, settings_of(as_role(url, APP)))
    assert report.offenders
    assert report.violations == 0


@pytest.mark.parametrize("empty", ["pg16", "pg18"], indirect=True)
def test_who_is_no_superuser_but_may_create_roles_can_run_the_files(empty: Deployed) -> None:
    server, url = empty.server, empty.url
    own = {role: f"{role}_{uuid4().hex[:8]}" for role in ("owner", "app", "reader")}
    manager = f"manager_{uuid4().hex[:8]}"
    database = url.rpartition("/")[2].partition("?")[0]
    server.execute(url, f"CREATE ROLE {manager} LOGIN CREATEROLE")
    server.execute(url, f'ALTER DATABASE "{database}" OWNER TO {manager}')
    try:
        for _ in range(2):
            server.run(url, least_privilege.ROLES, user=manager, **own)
        anyio.run(schema.migrate, settings_of(as_role(url, own["owner"])))
        for script in (least_privilege.APPEND_ONLY, least_privilege.REPORTS):
            with pytest.raises(PostgresUnavailableError, match="run this as who owns the tables"):
                server.run(url, script, user=own["app"], **own)
            server.run(url, script, user=own["owner"], **own)
    finally:
        for role in (*own.values(), manager):
            server.execute(url, f"DROP OWNED BY {role} CASCADE")
        server.execute(url, f'ALTER DATABASE "{database}" OWNER TO postgres')
        for role in (own["app"], own["reader"], own["owner"], manager):
            server.execute(url, f"DROP ROLE {role}")
