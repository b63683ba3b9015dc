"""Lists of orders over REST: filters, and pages that new orders do not shift."""

from datetime import UTC, datetime, timedelta

import httpx2

from tests.orders.rest import MUG, SQLITE, post, put


async def test_a_list_of_orders_is_newest_first_and_filtered(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    made = [
        (await post(client, ("MUG", 1), customer_id=f"c-{number % 2}", reference=f"R-{number}"))
        for number in range(5)
    ]
    ids = [one.json()["id"] for one in made]

    first = (await client.get("/v1/orders", params={"limit": 2})).json()
    rest = (
        await client.get("/v1/orders", params={"limit": 50, "cursor": first["next_cursor"]})
    ).json()
    odd = (await client.get("/v1/orders?status=pending&customer_id=c-1")).json()
    one = (await client.get("/v1/orders?reference=R-3")).json()
    none = (await client.get("/v1/orders?status=confirmed")).json()

    assert [order["id"] for order in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert [order["id"] for order in odd["items"]] == [ids[3], ids[1]]
    assert [order["id"] for order in one["items"]] == [ids[3]]
    assert none == {"items": [], "next_cursor": None}
    both = await client.get("/v1/orders?status=rejected&status=pending&sku=MUG")
    assert len(both.json()["items"]) == 5
    assert (await client.get("/v1/orders?sku=CUP")).json()["items"] == []
    shown = made[3].json()
    assert one["items"] == [{key: shown[key] for key in one["items"][0]}]


@SQLITE
async def test_a_list_refuses_what_it_does_not_know(client: httpx2.AsyncClient) -> None:
    for query in (
        "status=shipped",
        "state=pending",
        "limit=0",
        "cursor=nonsense",
        "sku=A/B",
        "created_from=yesterday",
        "created_from=2026-01-01T00:00:00",
        "created_to=0001-01-01T00:00:00Z",
        "&".join(["status=pending"] * 8),
    ):
        refused = await client.get(f"/v1/orders?{query}")
        assert refused.status_code == 422


@SQLITE
async def test_a_list_is_cut_by_the_time_of_creation(client: httpx2.AsyncClient) -> None:
    await put(client, "MUG", MUG)
    order = (await post(client, ("MUG", 1))).json()
    created = datetime.fromisoformat(order["created_at"])

    async def found(**moments: datetime) -> int:
        query = {name: moment.isoformat() for name, moment in moments.items()}
        return len((await client.get("/v1/orders", params=query)).json()["items"])

    assert await found(created_from=created) == 1
    assert await found(created_from=created + timedelta(milliseconds=1)) == 0
    assert await found(created_to=created) == 0
    assert await found(created_to=created + timedelta(milliseconds=1)) == 1
    everything = {"created_from": datetime(2000, 1, 1, tzinfo=UTC)}
    assert await found(**everything, created_to=datetime(8999, 1, 1, tzinfo=UTC)) == 1


async def test_a_cursor_survives_orders_that_are_placed_meanwhile(
    client: httpx2.AsyncClient,
) -> None:
    await put(client, "MUG", MUG)
    before = [(await post(client, ("MUG", 1))).json()["id"] for _ in range(4)]
    seen: list[str] = []
    cursor = None

    for _ in range(2):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/orders", params=query)).json()
        seen += [order["id"] for order in page["items"]]
        cursor = page["next_cursor"]
        await post(client, ("MUG", 1))

    assert seen == before[::-1]
    assert cursor is None
