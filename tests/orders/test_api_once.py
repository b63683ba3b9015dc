"""Commands that are sent twice, at once, or to a version that is gone."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest

from app.db import Database
from app.modules.orders.models.life import OrderStatus
from tests.orders.rest import (
    COMMANDS,
    MUG,
    SQLITE,
    application,
    ask,
    client_of,
    placed_at,
    post,
    put,
    timeline,
)
from tests.orders.sample import answer, reserved
from tests.transactions import at_once


@pytest.fixture(autouse=True)
async def products(client: httpx2.AsyncClient) -> None:
    """Make the product that these tests order."""
    await put(client, "MUG", MUG)


@SQLITE
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_goes_to_the_version_it_names(
    client: httpx2.AsyncClient, database: Database, command: str
) -> None:
    confirmed = command == "fulfillments"
    status = OrderStatus.CONFIRMED if confirmed else OrderStatus.RESERVED
    order_id = await placed_at(client, database, status)
    current = 3 if confirmed else 2

    stale = await ask(client, order_id, command, If_Match='"1"')
    taken = await ask(client, order_id, command, If_Match=f'"1", "{current}"')

    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert stale.json()["current_version"] == current
    assert taken.is_success


@SQLITE
async def test_the_setting_asks_for_a_version(database: Database) -> None:
    async with client_of(application(database, if_match_required=True)) as client:
        order_id = str((await post(client, ("MUG", 2), confirm="manual")).json()["id"])
        await answer(database, reserved(order_id))

        refused = [await ask(client, order_id, command) for command in COMMANDS]
        taken = await ask(client, order_id, "confirm", If_Match="*")

    for one in refused:
        assert (one.status_code, one.json()["code"]) == (428, "precondition_required")
    assert taken.status_code == 200


# A command, its body, and another one that the same key cannot mean.
KEYED: list[tuple[str, Any, Any]] = [
    ("confirm", None, None),
    ("extend", {"seconds": 1000}, {"seconds": 2000}),
    ("cancel", {"reason": "a"}, {"reason": "b"}),
    ("fulfillments", {"tracking": "a"}, {"tracking": "b"}),
]


@pytest.mark.parametrize(("command", "body", "other"), KEYED)
async def test_a_command_with_a_key_happens_once(
    client: httpx2.AsyncClient, database: Database, command: str, body: object, other: object
) -> None:
    status = OrderStatus.CONFIRMED if command == "fulfillments" else OrderStatus.RESERVED
    order_id = await placed_at(client, database, status)
    before = len(await timeline(client, order_id))
    answers: list[httpx2.Response] = []

    async def once() -> None:
        answers.append(await ask(client, order_id, command, body, Idempotency_Key="k-1"))

    await at_once(database, once, once, once)
    late = await ask(client, order_id, command, body, Idempotency_Key="k-1")
    reused = await ask(client, order_id, command, other, Idempotency_Key="k-1")

    assert {one.content for one in answers} == {late.content}
    assert {one.headers["etag"] for one in answers} == {late.headers["etag"]}
    assert sorted("idempotency-replayed" in one.headers for one in answers) == [False, True, True]
    assert len(await timeline(client, order_id)) == before + 1
    if other is not None:
        assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_refusal_is_not_what_a_key_remembers(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database)

    early = await ask(client, order_id, "confirm", Idempotency_Key="k-1")
    await answer(database, reserved(order_id))
    taken = await ask(client, order_id, "confirm", Idempotency_Key="k-1")

    assert (early.status_code, taken.status_code) == (409, 200)


async def test_of_confirming_and_cancelling_at_once_one_happens(
    client: httpx2.AsyncClient, database: Database
) -> None:
    for _ in range(5):
        order_id = await placed_at(client, database, OrderStatus.RESERVED)
        answers: dict[str, httpx2.Response] = {}

        def asking(
            command: str, order_id: str = order_id, answers: dict[str, Any] = answers
        ) -> Callable[[], Coroutine[Any, Any, None]]:
            async def run() -> None:
                answers[command] = await ask(client, order_id, command)

            return run

        # Cancelling a confirmed order is allowed: so both happen, or the confirmation is late.
        await at_once(database, asking("confirm"), asking("cancel"))

        actions = await timeline(client, order_id)
        assert answers["cancel"].status_code == 200
        if answers["confirm"].status_code == 200:
            assert actions == ["place", "reserve", "confirm", "cancel"]
        else:
            refused = answers["confirm"]
            assert (refused.status_code, refused.json()["current_status"]) == (409, "cancelled")
            assert refused.json()["allowed_actions"] == []
            assert actions == ["place", "reserve", "cancel"]


async def test_of_two_that_saw_the_same_version_one_happens(
    client: httpx2.AsyncClient, database: Database
) -> None:
    order_id = await placed_at(client, database, OrderStatus.RESERVED)
    answers: list[httpx2.Response] = []

    async def confirm() -> None:
        answers.append(await ask(client, order_id, "confirm", If_Match='"2"'))

    async def cancel() -> None:
        answers.append(await ask(client, order_id, "cancel", If_Match='"2"'))

    await at_once(database, confirm, cancel)

    assert sorted(one.status_code for one in answers) == [200, 412]
    assert len(await timeline(client, order_id)) == 3
