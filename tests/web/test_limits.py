"""What a request may be: how large, of which type, with which parameters."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.web.conftest import connected
from tests.web.sample import Process, count, problem_of, settings

JSON = {"content-type": "application/json"}
THING = b'{"sku":"MUG","quantity":1}'


@pytest.fixture
def small(process: Process) -> httpx2.AsyncClient:
    """Connect to a server that takes bodies of at most 1024 bytes."""
    process.settings = settings(body_limit_bytes=1024)
    return connected(process)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_body_as_large_as_the_limit_is_read(small: httpx2.AsyncClient) -> None:
    response = await small.post("/v1/things", content=THING.ljust(1024), headers=JSON)

    assert response.status_code == 201


async def test_a_larger_body_is_refused(small: httpx2.AsyncClient, process: Process) -> None:
    response = await small.post("/v1/things", content=THING.ljust(1025), headers=JSON)

    assert response.status_code == 413
    assert problem_of(response)["code"] == "body_too_large"
    assert response.headers["connection"] == "close"
    assert await count(process.database) == 0


async def test_a_larger_body_in_pieces_is_refused(small: httpx2.AsyncClient) -> None:
    body = pieces(THING, b" " * 1000, b" " * 1000)

    response = await small.post("/v1/things", content=body, headers=JSON)

    assert response.status_code == 413
    assert problem_of(response)["code"] == "body_too_large"


async def test_a_body_in_pieces_is_read(small: httpx2.AsyncClient) -> None:
    body = pieces(THING[:5], THING[5:])

    assert (await small.post("/v1/things", content=body, headers=JSON)).status_code == 201


@pytest.mark.parametrize("length", ["1025", "9" * 5000, "001025"])
async def test_a_declared_length_is_enough_to_refuse(
    small: httpx2.AsyncClient, length: str
) -> None:
    headers = JSON | {"content-length": length}

    assert (await small.post("/v1/things", content=b"", headers=headers)).status_code == 413


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "²", "", "0", "5"])
async def test_a_body_is_counted_whatever_length_it_declared(
    small: httpx2.AsyncClient, length: str
) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", length.encode("latin-1")),
    ]

    response = await small.post("/v1/things", content=THING.ljust(2000), headers=headers)

    assert response.status_code == 413


async def test_a_body_that_no_header_announced_must_be_json_too(client: httpx2.AsyncClient) -> None:
    headers = {"content-length": "0", "content-type": "text/plain"}

    response = await client.post("/v1/things", content=THING, headers=headers)

    assert response.status_code == 415
    assert problem_of(response)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;charset=utf-8;x=\x01",
        "application/merge-patch+json",
    ],
)
async def test_json_is_read_whatever_follows_its_type(
    client: httpx2.AsyncClient, media_type: str
) -> None:
    headers = {"content-type": media_type}

    assert (await client.post("/v1/things", content=THING, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/json",
        "\xff",
        "",
    ],
)
async def test_what_is_not_said_to_be_json_is_refused(
    client: httpx2.AsyncClient, media_type: str
) -> None:
    headers = [(b"content-type", media_type.encode("latin-1"))]

    response = await client.post("/v1/things", content=THING, headers=headers)

    assert response.status_code == 415
    assert problem_of(response)["code"] == "unsupported_media_type"


async def test_a_missing_content_type_is_refused(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/v1/things", content=THING)).status_code == 415


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
