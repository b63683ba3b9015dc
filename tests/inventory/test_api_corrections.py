"""Adjustments and counts over REST: nothing that was sold, or is reserved, is wiped out."""

from functools import partial
from typing import Any

import httpx2
import pytest

from app.db import Database
from tests.inventory.sample import (
    auto,
    check_books,
    counters,
    decide,
    levels,
    request,
    shipment,
    stock,
)
from tests.transactions import at_once

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite", "pg18"], indirect=True)

COUNTS = "/v1/inventory/counts"
ADJUSTMENTS = "/v1/inventory/adjustments"


def counted(sku: str, on_hand: int, expected: int | None) -> dict[str, Any]:
    """Return a count of one level."""
    line = {"sku": sku, "on_hand": on_hand, "expected_on_hand": expected}
    return {"reason": "stocktaking", "lines": [line]}


def by(reason: str = "breakage", **deltas: int) -> dict[str, Any]:
    """Return an adjustment by these differences."""
    return {"reason": reason, "lines": [{"sku": s, "delta": d} for s, d in deltas.items()]}


async def test_an_adjustment_answers_with_what_is_there_now(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await stock(database, MUG=10, CUP=1)
    await decide(database, auto("o-1", MUG=2))
    asked = {**by(MUG=-3, CUP=4), "reference": "W-1"}
    asked["lines"].append({"sku": "MUG", "delta": 1})

    made = await client.post(ADJUSTMENTS, json=asked, headers={"Idempotency-Key": "k-1"})
    again = await client.post(ADJUSTMENTS, json=asked, headers={"Idempotency-Key": "k-1"})
    other = await client.post(ADJUSTMENTS, json=asked)
    missing = await client.get(f"{ADJUSTMENTS}/adj_none")

    assert (made.status_code, made.json()) == (
        201,
        {
            "id": made.json()["id"],
            "kind": "adjust",
            "reason": "breakage",
            "reference": "W-1",
            "actor": "open",
            "lines": [
                line("MUG", delta=-2, on_hand=8, reserved=2, committed=2),
                line("CUP", delta=4, on_hand=5, reserved=0, committed=0),
            ],
            "created_at": made.json()["created_at"],
        },
    )
    assert (again.content, again.headers["idempotency-replayed"]) == (made.content, "true")
    assert (other.status_code, other.json()["code"]) == (409, "duplicate_reference")
    assert other.json()["existing_id"] == made.json()["id"]
    assert made.headers["location"] == f"{ADJUSTMENTS}/{made.json()['id']}"
    assert (await client.get(made.headers["location"])).json() == made.json()
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    assert await levels(database) == {"MUG": (8, 2), "CUP": (5, 0)}
    await check_books(database)


def line(sku: str, **counters_: int) -> dict[str, Any]:
    """Return a line of an adjustment as booked."""
    return {"sku": sku, "location": "default", **counters_}


async def test_count_with_stale_expected(client: httpx2.AsyncClient, database: Database) -> None:
    await stock(database, MUG=10, CUP=5)
    await client.post(ADJUSTMENTS, json=by("sold at the till", MUG=-1))
    both = counted("MUG", 12, 10)
    both["lines"] += counted("CUP", 6, 5)["lines"]

    stale = await client.post(COUNTS, json=both, headers={"Idempotency-Key": "k-1"})
    before = await levels(database)
    both["lines"][0]["expected_on_hand"] = stale.json()["lines"][0]["on_hand"]
    fresh = await client.post(COUNTS, json=both, headers={"Idempotency-Key": "k-1"})
    anyway = await client.post(COUNTS, json=counted("MUG", 3, None))

    assert (stale.status_code, stale.json()["code"]) == (409, "count_conflict")
    assert stale.json()["lines"] == [
        {"sku": "MUG", "location": "default", "expected_on_hand": 10, "on_hand": 9}
    ]
    assert before == {"MUG": (9, 0), "CUP": (5, 0)}
    assert (fresh.status_code, fresh.json()["kind"]) == (201, "count")
    assert fresh.json()["actor"] == "open"
    assert [(one["delta"], one["on_hand"]) for one in fresh.json()["lines"]] == [(3, 12), (1, 6)]
    assert anyway.json()["lines"][0]["delta"] == -9
    assert await levels(database) == {"MUG": (3, 0), "CUP": (6, 0)}
    await check_books(database)


async def test_what_is_reserved_cannot_be_taken_away(
    client: httpx2.AsyncClient, database: Database
) -> None:
    await stock(database, MUG=10, CUP=5)
    await decide(database, request("o-1", MUG=4), auto("o-2", MUG=3, CUP=1))

    adjusted = await client.post(ADJUSTMENTS, json=by(CUP=-1, MUG=-4))
    counted_ = await client.post(COUNTS, json=counted("MUG", 6, 10))
    enough = await client.post(ADJUSTMENTS, json=by(MUG=-3))

    for refused in (adjusted, counted_):
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (409, "would_break_reservations")
        assert problem["lines"] == [
            line("MUG", on_hand=10, reserved=7, committed=3, wanted_on_hand=6)
        ]
        assert [(one["order_id"], one["quantity"]) for one in problem["reservations"]] == [
            ("o-2", 3),
            ("o-1", 4),
        ]
    assert enough.json()["lines"] == [line("MUG", delta=-3, on_hand=7, reserved=7, committed=3)]
    assert await levels(database) == {"MUG": (7, 7), "CUP": (5, 1)}
    await check_books(database)


async def test_parallel_counts_and_sales_lose_nothing(
    client: httpx2.AsyncClient, database: Database
) -> None:
    """Each count was made when the books said what it expected, so no sale is wiped out."""
    await stock(database, MUG=1000)
    stale = 0

    async def sell(order_id: str) -> None:
        await decide(database, auto(order_id, MUG=1), shipment(order_id, f"f-{order_id}", MUG=1))

    async def find_three() -> None:
        nonlocal stale
        expected = 1000
        while True:
            found = await client.post(COUNTS, json=counted("MUG", expected + 3, expected))
            if found.status_code == 201:
                return
            assert found.json()["code"] == "count_conflict"
            [conflict] = found.json()["lines"]
            expected = conflict["on_hand"]
            stale += 1

    sales = [partial(sell, f"o-{number}") for number in range(12)]
    await at_once(database, *sales[:6], *[find_three] * 4, *sales[6:])

    assert stale >= 3
    assert await levels(database) == {"MUG": (1000 - 12 + 4 * 3, 0)}
    await check_books(database)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (ADJUSTMENTS, {**by(MUG=1), "reason": " "}, "/reason"),
    (ADJUSTMENTS, by(MUG=0), "/lines/0/delta"),
    (ADJUSTMENTS, by(MUG=-(10**15) - 1), "/lines/0/delta"),
    (ADJUSTMENTS, {"reason": "none", "lines": []}, "/lines"),
    (ADJUSTMENTS, {"reason": "none", "lines": [{"sku": "MUG", "delta": 1}] * 501}, "/lines"),
    (COUNTS, counted("MUG", -1, 0), "/lines/0/on_hand"),
    (COUNTS, counted("MUG", 10**400, 0), "/lines/0/on_hand"),
    (COUNTS, {"reason": "x", "lines": [{"sku": "MUG", "on_hand": 1}]}, "/lines/0/expected_on_hand"),
]


async def test_what_is_wrong_with_a_correction_is_pointed_at(
    client: httpx2.AsyncClient, database: Database
) -> None:
    for url, body, pointer in REFUSED:
        refused = await client.post(url, json=body)

        assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed"), body
        assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
    twice = counted("MUG", 1, 0)
    twice["lines"] *= 2
    refused = await client.post(COUNTS, json=twice)
    nowhere = {"reason": "x", "lines": [{"sku": "MUG", "delta": 1, "location": "attic"}]}
    unknown = await client.post(ADJUSTMENTS, json=nowhere)

    assert (refused.status_code, refused.json()["code"]) == (422, "duplicate_line")
    assert refused.json()["lines"] == [{"sku": "MUG", "location": "default"}]
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_location")
    assert await counters(database) == {}
