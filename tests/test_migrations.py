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
from app.modules.inventory import models as inventory_models
from app.modules.orders import models as orders_models
from app.settings import Settings
from app.web import idempotency

pytestmark = pytest.mark.every_postgres

DECLARED = (inventory_models, orders_models, idempotency)
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

    known, head = schema._revisions()

    assert sorted(known, reverse=True) == [one.revision for one in script.walk_revisions()]
    assert [head] == script.get_heads()


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


async def test_alembic_by_hand_makes_the_same_schema_even_twice_at_once(
    database: Database,
) -> None:
    settings = _settings(database)
    await _downgrade(settings)
    hands = 1 if database.single_writer else 2

    async with anyio.create_task_group() as both:
        for _ in range(hands):
            both.start_soon(_alembic_upgrade, settings)

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
    """Return settings that name database."""
    url = database.writer.url
    if database.single_writer:
        return Settings.model_validate({"data": Path(str(url.database)).parent})
    named = SecretStr(url.render_as_string(hide_password=False))
    return Settings.model_validate(
        {"DATABASE_URL": named, "REDIS_URL": SecretStr("redis://unused")}
    )


async def _downgrade(settings: Settings) -> None:
    config = schema.alembic_config(settings)
    await anyio.to_thread.run_sync(command.downgrade, config, "base")


@pytest.mark.parametrize("given", ["head", "0001"])
def test_printing_sql_is_refused_with_a_sentence(given: str) -> None:
    with pytest.raises(SystemExit, match="--sql"):
        command.upgrade(schema.alembic_config(Settings.model_validate({})), given, sql=True)
