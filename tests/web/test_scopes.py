"""What keys open, and that a server with a key is open no longer."""

import httpx2
import pytest

from app.web.auth import require
from tests.web.key_server import OURS, connected, make, secret
from tests.web.sample import Process, problem_of, settings

ALL_OF_CUSTOMERS = ["inventory:read", "orders:read", "orders:write", "products:read"]


async def test_a_key_opens_what_it_holds_and_a_refusal_names_what_it_lacks(
    admin: httpx2.AsyncClient,
) -> None:
    made = (await make(admin, "orders:write")).json()
    holder = {"authorization": f"Bearer {made['secret']}"}

    who = await admin.get("/v1/things/context", headers=holder)
    refused = await admin.get("/v1/api-keys", headers=holder)
    half = await admin.get("/v1/odd/both", headers=await secret(admin, "ops"))
    whole = await admin.get("/v1/odd/both", headers=await secret(admin, "*"))

    assert who.json()["who"] == made["id"]
    assert (refused.status_code, problem_of(refused)["code"]) == (403, "insufficient_scope")
    assert problem_of(refused)["detail"] == "The API key needs the scope keys."
    assert problem_of(refused)["required_scopes"] == ["keys"]
    assert refused.headers["www-authenticate"].endswith('insufficient_scope", scope="keys"')
    assert problem_of(half)["required_scopes"] == ["keys"]
    assert whole.status_code == 200


async def test_a_route_that_declares_no_scope_refuses_everybody(
    admin: httpx2.AsyncClient, anybody: httpx2.AsyncClient
) -> None:
    almighty = await secret(admin, "*")

    for refused in (
        await admin.get("/v1/odd/undeclared"),
        await admin.get("/v1/odd/undeclared", headers=almighty),
    ):
        assert (refused.status_code, problem_of(refused)["code"]) == (403, "insufficient_scope")
    for path in ("/v1/odd/undeclared", "/unguarded"):
        assert (await anybody.get(path)).status_code == 401


async def test_a_scope_that_does_not_exist_cannot_be_required() -> None:
    with pytest.raises(ValueError, match="there is no scope"):
        require("orders:delete")  # type: ignore[arg-type]  # that is the point


async def test_a_customers_key_enters_what_is_for_customers(admin: httpx2.AsyncClient) -> None:
    holder = await secret(admin, *ALL_OF_CUSTOMERS, customer_id="c-1")

    stock = await admin.get("/v1/odd/stock", headers=holder)
    shelf = await admin.get("/v1/odd/shelf", headers=holder)
    ours = await admin.get("/v1/odd/shelf")

    assert (stock.status_code, problem_of(stock)["code"]) == (403, "not_for_customers")
    assert (shelf.status_code, shelf.json()) == (200, "c-1")
    assert (ours.status_code, ours.json()) == (200, None)


async def test_the_first_key_closes_an_open_server_for_good(
    anybody: httpx2.AsyncClient,
) -> None:
    assert (await anybody.get("/v1/things")).status_code == 200
    useless = await make(anybody, "orders:read")
    made = await make(anybody, "keys", "orders:write")
    holder = {"authorization": f"Bearer {made.json()['secret']}"}
    stranger = await anybody.get("/v1/things")
    known = await anybody.get("/v1/things", headers=holder)
    elsewhere = await anybody.get("/v1/things", headers=holder | {"host": "shop.example"})
    await anybody.delete(made.headers["location"], headers=holder)
    after = await anybody.get("/v1/things")

    assert (useless.status_code, problem_of(useless)["errors"][0]["code"]) == (422, "keys_needed")
    assert (made.status_code, made.json()["created_by"]) == (201, "open")
    assert [one.status_code for one in (stranger, known, after)] == [401, 200, 401]
    assert (elsewhere.status_code, problem_of(elsewhere)["code"]) == (421, "host_not_allowed")


async def test_a_server_that_finds_a_key_in_its_database_does_not_start_open(
    admin: httpx2.AsyncClient, process: Process
) -> None:
    holder = await secret(admin, "orders:write")
    process.settings = settings()

    async with connected(process) as restarted:
        stranger = await restarted.get("/v1/things")
        known = await restarted.get("/v1/things", headers=holder)
        old = await restarted.get("/v1/things", headers={"authorization": f"Bearer {OURS}"})

    assert [one.status_code for one in (stranger, known, old)] == [401, 200, 401]
    assert stranger.headers["www-authenticate"] == 'Bearer realm="orderly"'


async def test_the_key_of_the_setting_needs_no_database(
    admin: httpx2.AsyncClient, nowhere: object
) -> None:
    del nowhere

    assert (await admin.get("/v1/things/context")).status_code == 200
