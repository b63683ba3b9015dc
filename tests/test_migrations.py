"""The migrations make exactly the tables the code declares, on every database."""

import os
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import CheckConstraint, Connection, inspect, text

from app import schema
from app.bus import tables as bus_tables
from app.db import Base, Database
from app.invariants import INVARIANTS
from app.modules.inventory.models import tables as inventory_models
from app.modules.orders.models import tables as orders_models
from app.modules.orders.models.life import Action
from app.settings import Settings
from app.verify import DELIVERED, verify
from app.web import claims, keys
from tests.inventory.sample import auto, confirmed, counters, decide, shipment
from tests.least_privilege import owner_url
from tests.orders.sample import answer, fulfilling, history, issued, reserved

pytestmark = pytest.mark.every_postgres

DECLARED = (inventory_models, orders_models, claims, keys)
ROOT = Path(__file__).parent.parent
TARGETS = [bus_tables.metadata, Base.metadata]
OURS = {
    table.name: table
    for metadata in TARGETS
    for table in metadata.sorted_tables
    # Other tests declare tables for themselves.
    if not table.name.startswith("web_test")
}


def _only_ours(thing: Any, _: str | None, kind: str, *__: object) -> bool:  # noqa: ANN401 - the hook's signature
    table = thing if kind == "table" else thing.table
    return table.name in OURS


def _differences(connection: Connection) -> list[Any]:
    options = {"include_object": _only_ours, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, TARGETS))  # type: ignore[arg-type]  # it takes a list


async def test_the_schema_is_what_the_code_declares(database: Database) -> None:
    async with database.reader.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_every_table_and_check_is_there(database: Database) -> None:
    async with database.reader.connect() as connection:
        found = await connection.run_sync(_tables_and_checks)

    declared = {
        name: {str(one.name) for one in table.constraints if isinstance(one, CheckConstraint)}
        for name, table in OURS.items()
    }
    assert found == declared | {"alembic_version": set()}


def _tables_and_checks(connection: Connection) -> dict[str, set[str]]:
    inspector = inspect(connection)
    return {
        name: {str(one["name"]) for one in inspector.get_check_constraints(name)}
        for name in inspector.get_table_names()
    }


def test_the_names_of_the_files_are_the_revisions_in_order() -> None:
    # A start reads the names alone, because alembic takes long to import.
    script = ScriptDirectory.from_config(schema.alembic_config(Settings.model_validate({})))

    named = [one.revision for one in schema._migrations()]

    assert named[::-1] == [one.revision for one in script.walk_revisions()]
    assert named[-1:] == script.get_heads()


async def test_what_must_be_there_from_the_start_is(database: Database) -> None:
    async with database.read() as session:
        head = (await session.execute(text("SELECT id, position FROM log_head"))).all()
        locations = (await session.execute(text("SELECT id FROM locations"))).all()

    assert [tuple(row) for row in head] == [(1, 0)]
    assert [tuple(row) for row in locations] == [("default",)]


async def test_down_and_up_again_is_the_same_schema(database: Database) -> None:
    settings = _settings(database)

    await _downgrade(settings)
    async with database.reader.connect() as connection:
        assert await connection.run_sync(_tables_and_checks) == {"alembic_version": set()}
    await schema.migrate(settings)

    async with database.reader.connect() as connection:
        assert await connection.run_sync(_differences) == []


@pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)
async def test_alembic_by_hand_makes_the_same_schema(database: Database) -> None:
    settings = _settings(database)
    await _downgrade(settings)

    await _alembic_upgrade(settings)

    await schema.require_current(database)
    async with database.reader.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def _alembic_upgrade(settings: Settings) -> None:
    own = {"APP_DATA": str(settings.data), "DATABASE_URL": "", "REDIS_URL": ""}
    if settings.database_url is not None:
        own |= {"DATABASE_URL": settings.database_url.get_secret_value(), "REDIS_URL": "redis://"}
    await anyio.run_process(
        [sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, env={**os.environ, **own}
    )


def _settings(database: Database) -> Settings:
    """Return settings that name database, for who may change its schema."""
    url = database.writer.url
    if database.single_writer:
        return Settings.model_validate({"data": Path(str(url.database)).parent})
    named = SecretStr(owner_url(url.render_as_string(hide_password=False)))
    return Settings.model_validate(
        {"DATABASE_URL": named, "REDIS_URL": SecretStr("redis://unused")}
    )


async def _downgrade(settings: Settings, revision: str = "base") -> None:
    config = schema.alembic_config(settings)
    await anyio.to_thread.run_sync(command.downgrade, config, revision)


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
@pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)
async def test_what_an_older_build_wrote_goes_on_as_it_stands(
    database: Database, revision: str
) -> None:
    settings = _settings(database)
    await _downgrade(settings, revision)
    async with database.write() as session:
        for statement in filter(str.strip, _AS_OF_0001.split(";")):
            await session.execute(text(statement))

    await schema.migrate(settings)

    assert (await verify(database, None)).offenders == CLEAN
    assert await lying(database) == {"MUG": (10, 6, 4), "CUP": (5, 1, 1), "HAT": (1, 0, 0)}
    told = {id_: await history(database, id_) for id_ in ("o-1", "o-3", "o-4", "o-5")}
    assert {id_: [(one.action, one.at.day) for one in all_] for id_, all_ in told.items()} == {
        "o-1": [(Action.PLACE, 1), (Action.CONFIRM, 2)],
        "o-3": [(Action.PLACE, 1), (Action.REJECT, 2)],
        "o-4": [(Action.PLACE, 1)],
        "o-5": [(Action.PLACE, 1)],
    }
    # What the older build had under way ends in this one.
    await answer(database, reserved("o-4"))
    await decide(database, *map(confirmed, ("o-1", "o-2", "o-4")))
    await decide(database, auto("o-5", CUP=1))
    assert await lying(database) == {"MUG": (10, 6, 6), "CUP": (5, 2, 2), "HAT": (1, 0, 0)}
    await answer(database, reserved("o-5"))
    made = await fulfilling(database, "o-1")
    await decide(database, shipment("o-1", made.id, MUG=3, CUP=1))
    await answer(database, issued("o-1", made.id))
    assert await lying(database) == {"MUG": (7, 3, 3), "CUP": (4, 1, 1), "HAT": (1, 0, 0)}
    assert (await verify(database, None)).offenders == CLEAN


async def lying(database: Database) -> dict[str, tuple[int, int, int]]:
    """Return (on hand, reserved, committed) by SKU."""
    return {sku: found for (sku, _), found in (await counters(database)).items()}


CLEAN: dict[str, list[str]] = {name: [] for name in (*(one.name for one in INVARIANTS), DELIVERED)}

_AS_OF_0001 = """
INSERT INTO orders (id, customer_id, status, currency, total_minor, version, created_at, updated_at)
VALUES ('o-1', 'c-1', 'confirmed', 'GBP', 4, 2, '2026-03-01 10:00:00', '2026-03-02 10:00:00'),
       ('o-2', 'c-1', 'confirmed', 'GBP', 1, 2, '2026-03-01 10:00:00', '2026-03-02 10:00:00'),
       ('o-3', 'c-1', 'rejected', 'GBP', 5, 2, '2026-03-01 10:00:00', '2026-03-02 10:00:00'),
       ('o-4', 'c-1', 'pending', 'GBP', 2, 1, '2026-03-01 10:00:00', '2026-03-01 10:00:00'),
       ('o-5', 'c-1', 'pending', 'GBP', 1, 1, '2026-03-01 10:00:00', '2026-03-01 10:00:00');
INSERT INTO order_lines (order_id, sku, position, title, quantity, unit_price_minor, available)
VALUES ('o-1', 'MUG', 1, 'Mug', 3, 1, NULL), ('o-1', 'CUP', 2, 'Cup', 1, 1, NULL),
       ('o-2', 'MUG', 1, 'Mug', 1, 1, NULL), ('o-3', 'HAT', 1, 'Hat', 5, 1, 1),
       ('o-4', 'MUG', 1, 'Mug', 2, 1, NULL), ('o-5', 'CUP', 1, 'Cup', 1, 1, NULL);
INSERT INTO stock_levels (sku, location, on_hand, reserved, version)
VALUES ('MUG', 'default', 10, 6, 4), ('CUP', 'default', 5, 1, 2), ('HAT', 'default', 1, 0, 1);
INSERT INTO reservations (order_id, state, version)
VALUES ('o-1', 'held', 1), ('o-2', 'held', 1), ('o-3', 'rejected', 1), ('o-4', 'held', 1);
INSERT INTO reservation_lines (order_id, sku, location, quantity)
VALUES ('o-1', 'MUG', 'default', 3), ('o-1', 'CUP', 'default', 1), ('o-2', 'MUG', 'default', 1),
       ('o-4', 'MUG', 'default', 2);
INSERT INTO receipts (id, reference) VALUES ('rcp_1', 'PO-1');
INSERT INTO stock_movements (sku, location, kind, d_on_hand, d_reserved, on_hand_after,
                             reserved_after, order_id, receipt_id)
VALUES ('MUG', 'default', 'receive', 10, 0, 10, 0, NULL, 'rcp_1'),
       ('CUP', 'default', 'receive', 5, 0, 5, 0, NULL, 'rcp_1'),
       ('HAT', 'default', 'receive', 1, 0, 1, 0, NULL, 'rcp_1'),
       ('MUG', 'default', 'reserve', 0, 3, 10, 3, 'o-1', NULL),
       ('CUP', 'default', 'reserve', 0, 1, 5, 1, 'o-1', NULL),
       ('MUG', 'default', 'reserve', 0, 1, 10, 4, 'o-2', NULL),
       ('MUG', 'default', 'reserve', 0, 2, 10, 6, 'o-4', NULL)
"""


@pytest.mark.parametrize("given", ["head", "0001"])
def test_printing_sql_is_refused_with_a_sentence(given: str) -> None:
    with pytest.raises(SystemExit, match="--sql"):
        command.upgrade(schema.alembic_config(Settings.model_validate({})), given, sql=True)
