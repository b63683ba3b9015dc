"""What a body may be: how large, of which type, and JSON that says one thing."""

import time
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
    ("body", "said"),
    [
        (b'{"sku":"MUG","quantity":1,"quantity":2}', "'quantity' is named twice"),
        (b'{"sku":"MUG","quantity":1,"lines":[{"sku":"A","sku":"A"}]}', "'sku' is named twice"),
        (b'{"sku":"MUG","\\u0073ku":"CUP","quantity":1}', "'sku' is named twice"),
        (b'{"sku":"MUG","quantity":NaN}', "NaN is not a number in JSON"),
        (b'{"sku":"MUG","quantity":-Infinity}', "-Infinity is not a number in JSON"),
        (b'{"sku":"MUG","quantity":1e400}', "1e400 is too large a number"),
        (b'{"sku":"MUG","quantity":-1e999}', "-1e999 is too large a number"),
    ],
)
async def test_json_that_two_parsers_could_read_differently_is_refused(
    client: httpx2.AsyncClient, process: Process, body: bytes, said: str
) -> None:
    for content in (body, pieces(body[:7], body[7:])):
        response = await client.post("/v1/things", content=content, headers=JSON)

        assert response.status_code == 400
        assert problem_of(response)["code"] == "malformed_json"
        assert said in problem_of(response)["detail"]
    assert await count(process.database) == 0


async def test_one_name_in_two_objects_is_no_name_twice(client: httpx2.AsyncClient) -> None:
    line = {"sku": "MUG", "quantity": 1}

    response = await client.post("/v1/things", json=line | {"lines": [line, line]})

    assert response.status_code == 201


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"lines":'])
async def test_a_hundred_thousand_levels_are_refused_at_once(
    client: httpx2.AsyncClient, opening: bytes
) -> None:
    began = time.perf_counter()

    response = await client.post("/v1/things", content=opening * 100_000, headers=JSON)

    assert response.status_code == 400
    assert problem_of(response)["code"] == "malformed_json"
    assert time.perf_counter() - began < 1
