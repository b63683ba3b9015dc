"""Which parameters a query may have."""

import httpx2
import pytest

from tests.web.sample import Process, count, problem_of

JSON = {"content-type": "application/json"}
THING = b'{"sku":"MUG","quantity":1}'


@pytest.mark.parametrize(
    ("query", "unknown"),
    [
        ("colour=red", "'colour'"),
        ("limit=1&Limit=1", "'Limit'"),
        ("=", "''"),
        ("sku[]=MUG", "'sku[]'"),
    ],
)
async def test_an_unknown_parameter_is_refused_by_name(
    client: httpx2.AsyncClient, query: str, unknown: str
) -> None:
    response = await client.get(f"/v1/things?{query}")

    assert response.status_code == 422
    document = problem_of(response)
    assert document["code"] == "unknown_parameter"
    assert unknown in document["detail"]
    assert "known are: cursor, limit, sku" in document["detail"]


async def test_a_post_knows_no_parameters(client: httpx2.AsyncClient, process: Process) -> None:
    response = await client.post("/v1/things?dry_run=true", content=THING, headers=JSON)

    assert response.status_code == 422
    assert problem_of(response)["detail"].endswith("known are: none.")
    assert await count(process.database) == 0


@pytest.mark.parametrize("value", ["%00", "a%0Ab", "%C2%85"])
async def test_a_parameter_holds_no_control_characters(
    client: httpx2.AsyncClient, value: str
) -> None:
    response = await client.get(f"/v1/things?sku=MUG&sku={value}")

    assert response.status_code == 422
    assert [error["pointer"] for error in problem_of(response)["errors"]] == ["/sku"]


@pytest.mark.parametrize("query", ["sku=%FF", "sku=%ED%A0%80", "sku=%", "sku=%F0%9F%98%80", "&&&"])
async def test_any_other_value_is_looked_for(client: httpx2.AsyncClient, query: str) -> None:
    response = await client.get(f"/v1/things?{query}")

    assert response.status_code == 200
    assert response.json()["items"] == []
