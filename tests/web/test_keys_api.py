"""API keys over REST: who may make which, and what is shown when."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from app.bus.sql import later
from app.web import claims, keys
from tests.web.key_server import THING, make, secret
from tests.web.sample import Process, problem_of


async def test_a_key_is_made_shown_listed_and_ended(admin: httpx2.AsyncClient) -> None:
    made = await make(admin, "ops", "orders:read", rate_limit=60, expires_in_s=3600)
    key = made.json()
    other = (await make(admin, "keys")).json()
    found = (await admin.get(made.headers["location"])).json()
    first = (await admin.get("/v1/api-keys?limit=1")).json()
    rest = (await admin.get(f"/v1/api-keys?limit=1&cursor={first['next_cursor']}")).json()
    ended = await admin.delete(made.headers["location"])
    again = await admin.delete(made.headers["location"])

    assert made.status_code == 201
    assert made.headers["location"] == f"/v1/api-keys/{key['id']}"
    assert made.headers["cache-control"] == "no-store"
    assert key.pop("secret").startswith(key["prefix"])
    assert found == key
    assert key == {
        "id": key["id"],
        "name": "shop",
        "prefix": key["prefix"],
        "scopes": ["ops", "orders:read"],
        "customer_id": None,
        "rate_limit": 60,
        "state": "active",
        "created_by": "key",
        "created_at": key["created_at"],
        "expires_at": key["expires_at"],
        "last_used_at": None,
        "revoked_at": None,
        "previous_secret_until": None,
    }
    assert [one["id"] for one in first["items"] + rest["items"]] == [other["id"], key["id"]]
    assert rest["next_cursor"] is None
    assert ended.json()["state"] == "revoked"
    assert again.json() == ended.json()


async def test_a_replay_makes_no_second_key_and_shows_no_secret(
    admin: httpx2.AsyncClient, process: Process
) -> None:
    headers = {"idempotency-key": "k-1"}
    first = await make(admin, "ops", headers=headers)
    again = await make(admin, "ops", headers=headers)
    shown = first.json().pop("secret")
    turned = await admin.post(
        f"{first.headers['location']}/rotate", headers={"idempotency-key": "k-2"}
    )
    turned_again = await admin.post(
        f"{first.headers['location']}/rotate", headers={"idempotency-key": "k-2"}
    )
    async with process.database.read() as session:
        stored = str((await session.execute(select(claims.keys))).all())

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json() | {"secret": None}
    assert turned_again.json() == turned.json() | {"secret": None}
    assert shown[-39:] not in stored
    assert turned.json()["secret"][-39:] not in stored
    assert len((await admin.get("/v1/api-keys")).json()["items"]) == 1


async def test_the_name_of_a_key_outlives_its_secret(admin: httpx2.AsyncClient) -> None:
    made = await make(admin, "orders:write")
    old = {"authorization": f"Bearer {made.json()['secret']}", "idempotency-key": "k-1"}
    first = await admin.post("/v1/things", json=THING, headers=old)
    turned = await admin.post(f"{made.headers['location']}/rotate", json={"overlap_s": 60})
    new = old | {"authorization": f"Bearer {turned.json()['secret']}"}

    again = await admin.post("/v1/things", json=THING, headers=new)
    other = await admin.post(
        "/v1/things", json=THING, headers=new | await secret(admin, "orders:write")
    )

    assert turned.status_code == 200
    assert turned.headers["cache-control"] == "no-store"
    assert turned.json()["previous_secret_until"] is not None
    assert again.json() == first.json()
    assert "idempotency-replayed" in again.headers
    assert "idempotency-replayed" not in other.headers
    assert (await admin.get("/v1/things", headers=old)).status_code == 200


async def test_a_secret_ends_at_once_when_the_key_is_rotated_or_revoked(
    admin: httpx2.AsyncClient,
) -> None:
    made = await make(admin, "orders:write")
    old = {"authorization": f"Bearer {made.json()['secret']}"}
    assert (await admin.get("/v1/things", headers=old)).status_code == 200

    turned = await admin.post(f"{made.headers['location']}/rotate")
    new = {"authorization": f"Bearer {turned.json()['secret']}"}
    rotated = await admin.get("/v1/things", headers=old)
    assert (await admin.get("/v1/things", headers=new)).status_code == 200
    await admin.delete(made.headers["location"])
    revoked = await admin.get("/v1/things", headers=new)
    too_late = await admin.post(f"{made.headers['location']}/rotate")

    for refused, word in ((rotated, "rotated"), (revoked, "revoked")):
        assert (refused.status_code, problem_of(refused)["code"]) == (401, "unauthenticated")
        assert word in problem_of(refused)["detail"]
        assert "invalid_token" in refused.headers["www-authenticate"]
    assert (too_late.status_code, problem_of(too_late)["code"]) == (409, "key_not_active")


async def test_an_expired_key_says_when_it_ended(
    admin: httpx2.AsyncClient, process: Process
) -> None:
    holder = await secret(admin, "orders:write", expires_in_s=60)
    async with process.database.write() as session:
        await session.execute(update(keys.api_keys).values(expires_at=later(-1)))

    refused = await admin.get("/v1/things", headers=holder)

    assert refused.status_code == 401
    assert "expired at 20" in problem_of(refused)["detail"]


async def test_when_a_key_was_used_last_is_shown(admin: httpx2.AsyncClient) -> None:
    made = await make(admin, "orders:write")
    await admin.get("/v1/things", headers={"authorization": f"Bearer {made.json()['secret']}"})

    assert (await admin.get(made.headers["location"])).json()["last_used_at"] is not None


async def test_nobody_hands_out_more_than_they_hold(admin: httpx2.AsyncClient) -> None:
    clerk = await secret(admin, "keys", "orders:read")
    mighty = await make(admin, "ops")
    reader = await make(admin, "orders:read")
    mighty_path, reader_path = (one.headers["location"] for one in (mighty, reader))

    more = await make(admin, "orders:read", "ops", "orders:fulfill", headers=clerk)
    everything = await make(admin, "*", headers=clerk)
    stolen = await admin.post(f"{mighty_path}/rotate", headers=clerk)
    same = await make(admin, "orders:read", headers=clerk)
    turned = await admin.post(f"{reader_path}/rotate", headers=clerk)
    ended = await admin.delete(mighty_path, headers=clerk)

    assert [one.status_code for one in (more, everything, stolen)] == [403, 403, 403]
    assert problem_of(more)["required_scopes"] == ["ops", "orders:fulfill"]
    assert [one.status_code for one in (same, turned, ended)] == [201, 200, 200]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"name": " "}, "/name", "blank"),
        ({"scopes": []}, "/scopes", "too_short"),
        ({"scopes": ["orders:delete"]}, "/scopes/0", "literal_error"),
        ({"rate_limit": 0}, "/rate_limit", "greater_than_equal"),
        ({"expires_in_s": 10**12}, "/expires_in_s", "less_than_equal"),
        ({"customer_id": "c-1", "scopes": ["*"]}, "/scopes", "not_for_customers"),
        ({"customer_id": "c-1", "scopes": ["orders:fulfill"]}, "/scopes", "not_for_customers"),
        ({"customer_id": ""}, "/customer_id", "string_too_short"),
        ({"admin": True}, "/admin", "extra_forbidden"),
    ],
)
async def test_what_is_wrong_with_a_key_is_pointed_at(
    admin: httpx2.AsyncClient, change: dict[str, Any], pointer: str, code: str
) -> None:
    body = {"name": "shop", "scopes": ["orders:read"]}
    refused = await admin.post("/v1/api-keys", json=body | change)

    assert refused.status_code == 422
    [error] = problem_of(refused)["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


async def test_a_key_that_is_not_there_is_not_found(admin: httpx2.AsyncClient) -> None:
    for method, path in (("GET", "key_0"), ("DELETE", "key_0"), ("POST", "key_0/rotate")):
        missing = await admin.request(method, f"/v1/api-keys/{path}")
        assert (missing.status_code, problem_of(missing)["code"]) == (404, "not_found")


async def test_a_key_hands_out_no_more_life_and_rate_than_its_own(
    admin: httpx2.AsyncClient,
) -> None:
    bounds = {"rate_limit": 5, "expires_in_s": 60}
    maker = (await make(admin, "keys", "orders:read", **bounds)).json()
    own = {"authorization": f"Bearer {maker['secret']}"}
    greedy = await make(admin, "orders:read", rate_limit=1000, headers=own)
    modest = await make(admin, "orders:read", rate_limit=2, expires_in_s=1, headers=own)

    assert (greedy.json()["rate_limit"], greedy.json()["expires_at"]) == (5, maker["expires_at"])
    assert modest.json()["rate_limit"] == 2
    assert modest.json()["expires_at"] < maker["expires_at"]
