"""A rolling deploy: on a schema that a later build has expanded, this one goes on."""

from collections.abc import Iterator

import pytest

from tests.migrations.planted import Planted, head
from tests.migrations.test_rules import EXPANDING
from tests.system.orderly import Orderly, Shop, run
from tests.valkey import ValkeyServer


@pytest.fixture
def engine() -> Iterator[ValkeyServer]:
    """Give an engine of its own."""
    server = ValkeyServer(persistent=False)
    server.start()
    yield server
    server.stop()


async def test_on_an_expanded_schema_orders_go_on(planted: Planted, engine: ValkeyServer) -> None:
    for name, body in EXPANDING.items():
        planted.add(body, title=name)
    code, said = planted.migrate().ended()
    assert code == 0, said
    environment = {**planted.environment}
    if "DATABASE_URL" in environment:
        environment["REDIS_URL"] = engine.url

    with Orderly(planted.folder, environment) as process:
        async with Shop(process.url) as shop:
            await shop.stock({"MUG": 2})
            bought = [await shop.order({"MUG": 1}) for _ in range(3)]
            stood = [(await shop.settled(one["id"]))["status"] for one in bought]
        assert stood == ["confirmed", "confirmed", "rejected"]
        assert f'"known":"{head()}"' in process.log()

    assert run(["verify"], planted.folder, environment).returncode == 0


async def test_on_a_contracted_schema_it_refuses_to_start_and_no_later_migration_forgets(
    planted: Planted,
) -> None:
    planted.add('online.needs_build_of("9001")\nop.drop_column("receipts", "actor")')
    planted.add('online.needs_build_of("0009")')
    code, said = planted.migrate().ended()
    assert code == 0, said

    for words in (["serve", "--port", "0"], ["migrate"], ["verify"]):
        done = run(words, planted.folder, planted.environment)
        assert done.returncode == 1
        assert "is at 9002, which this version of Orderly does not work with" in done.stderr
