"""A rolling deploy that begins with the API: what is new waits for the workers that know it."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from app.bus.stream import Stream
from app.loops import Chores
from app.runtime import open_runtime
from app.settings import Role, Settings
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    listening,
    loops,
    ring,
    running,
    subscribed,
    until,
    until_handled,
)
from tests.bus.test_mixed_builds import Tolled, new_build
from tests.conftest import PostgresFixture
from tests.least_privilege import own_prefix
from tests.valkey import ValkeyServer


@pytest.fixture
def database_url(postgres: PostgresFixture) -> Iterator[str]:
    """Give an empty database."""
    with postgres("pg18") as url:
        yield url


async def test_an_api_of_the_new_build_may_come_before_its_workers(
    database_url: str, valkey: ValkeyServer
) -> None:
    by_old, by_new = Effects(), Effects()
    old, new = listening(by_old), new_build(by_new)
    prefix = own_prefix()
    settings = Settings.model_validate(
        {
            "role": Role.API,
            "stream_prefix": prefix,
            "DATABASE_URL": SecretStr(database_url),
            "REDIS_URL": SecretStr(valkey.url),
        }
    )
    stream = Stream(valkey.url, prefix=prefix)
    async with open_runtime(settings, Chores(subscribers=[old]), lambda: None) as process:
        database = process.database
        await subscribed(database, old)
        async with running(*loops(database, stream, [old], consumer="old")):
            async with open_runtime(settings, Chores(subscribers=[new]), lambda: None) as upgraded:
                await ring(upgraded.database, Rang(bell="a"), Tolled(bell="a"))

            async def passed_on() -> bool:
                return [row.reason for row in await delivery_rows(database)] == ["parked"]

            await until_handled(database, "ears", 1)
            await until(passed_on)
        async with running(*loops(database, stream, [new], consumer="new")):
            await until_handled(database, "ears", 2)
    await stream.close()

    assert (by_old.calls, by_new.calls) == (1, 1)
