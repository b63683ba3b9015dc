"""Whatever is sent, the answer is a problem document, and never a failure of ours."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.web.sample import problem_of

GOOD: dict[str, Any] = {"sku": "MUG", "quantity": 1}


async def post(client: httpx2.AsyncClient, content: bytes) -> httpx2.Response:
    headers = {"content-type": "application/json"}
    return await client.post("/v1/things", content=content, headers=headers)


async def test_a_refusal_carries_its_code_its_sentence_and_its_own_members(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.post("/v1/things", json=GOOD | {"sku": "NONE"})

    document = problem_of(response)
    assert response.status_code == 409
    assert document["code"] == "out_of_things"
    assert document["title"] == "No things left"
    assert document["detail"] == "There is no such thing."
    assert document["instance"] == "/v1/things"
    assert document["skus"] == ["NONE"]


async def test_the_document_carries_the_ids_that_the_log_carries(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.get("/v1/nowhere", headers={"x-correlation-id": "abc-1"})

    document = problem_of(response)
    assert document["correlation_id"] == "abc-1"
    assert document["trace_id"] == response.headers["traceparent"].split("-")[1]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\x00",
        b"not json",
        b'{"sku": "\xff"}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"quantity":' * 20_000 + b"1" + b"}" * 20_000,
        b'{"quantity":' + b"1" * 5_000 + b"}",
    ],
    ids=["cut", "nul", "text", "latin-1", "half-utf-16", "open", "deep", "5000-digits"],
)
async def test_what_is_not_json_is_a_400(client: httpx2.AsyncClient, body: bytes) -> None:
    response = await post(client, body)

    assert response.status_code == 400
    assert problem_of(response)["code"] == "malformed_json"


async def test_malformed_json_says_where(client: httpx2.AsyncClient) -> None:
    response = await post(client, b'{"sku": }')

    assert problem_of(response)["detail"] == "Expecting value, at character 8 of the body."


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b"", "", "missing"),
        (b"null", "", "model_attributes_type"),
        (b"[]", "", "model_attributes_type"),
        (b'{"sku":"MUG"}', "/quantity", "missing"),
        (b'{"sku":"MUG","quantity":"1"}', "/quantity", "int_type"),
        (b'{"sku":"MUG","quantity":true}', "/quantity", "int_type"),
        (b'{"sku":"MUG","quantity":1.0}', "/quantity", "int_type"),
        (b'{"sku":"MUG","quantity":0}', "/quantity", "greater_than_equal"),
        (b'{"sku":"MUG","quantity":' + b"9" * 4000 + b"}", "/quantity", "less_than_equal"),
        (b'{"sku":"MUG","quantity":' + b"[" * 900 + b"]" * 900 + b"}", "/quantity", "int_type"),
        (b'{"sku":"\\ud800","quantity":1}', "/sku", "string_unicode"),
        (b'{"sku":"\xed\xa0\x80","quantity":1}', "/sku", "string_unicode"),
        (b'{"sku":"a\\u0000b","quantity":1}', "/sku", "not_printable"),
        (b'{"sku":"MUG","quantity":1,"a/b~c":1}', "/a~1b~0c", "extra_forbidden"),
        (b'{"sku":"MUG","quantity":1,"\\ud800":1}', "", "string_unicode"),
    ],
)
async def test_json_that_does_not_fit_is_a_422_that_says_where(
    client: httpx2.AsyncClient, body: bytes, pointer: str, code: str
) -> None:
    response = await post(client, body)

    assert response.status_code == 422
    document = problem_of(response)
    assert document["code"] == "validation_failed"
    assert [
        (error["location"], error["pointer"], error["code"]) for error in document["errors"]
    ] == [("body", pointer, code)]


async def test_a_mistake_deep_inside_has_its_place_in_the_pointer(
    client: httpx2.AsyncClient,
) -> None:
    lines = [{"sku": "MUG", "quantity": 1}, {"sku": "MUG", "quantity": -1}]

    response = await client.post("/v1/things", json=GOOD | {"lines": lines})

    assert [error["pointer"] for error in problem_of(response)["errors"]] == ["/lines/1/quantity"]


async def test_thousands_of_mistakes_get_a_short_answer(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/things", json={"lines": [{"x" * 500: 1}] * 1000})

    assert len(problem_of(response)["errors"]) == 50
    assert len(response.content) < 50_000


async def test_what_was_sent_is_not_sent_back(client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/things", json=GOOD | {"quantity": "card number"})

    assert "card number" not in response.text


@pytest.mark.parametrize(
    "path",
    ["/v1/nowhere", "/v1/things/", "/%00", "/%ff%fe", "/docs/assets/%00", "/docs/assets/../x"],
)
async def test_an_unknown_path_is_a_404(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert problem_of(response)["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "pointer", "code"),
    [
        ("/v1/things/%00/name", "/sku", "not_printable"),
        ("/v1/things/a%0Ab/name", "/sku", "not_printable"),
        (f"/v1/things/{'x' * 65}/name", "/sku", "string_too_long"),
    ],
)
async def test_a_path_that_cannot_be_a_name_is_a_422(
    client: httpx2.AsyncClient, path: str, pointer: str, code: str
) -> None:
    response = await client.get(path)

    assert response.status_code == 422
    (error,) = problem_of(response)["errors"]
    assert (error["location"], error["pointer"], error["code"]) == ("path", pointer, code)


async def test_a_name_outside_ascii_travels_in_a_path(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/things/T%C3%A4sse%20%2B1/name")

    assert response.json() == "Tässe +1"


async def test_a_method_that_no_route_has_names_all_that_some_route_has(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.delete("/v1/things")

    assert response.status_code == 405
    assert problem_of(response)["code"] == "method_not_allowed"
    assert response.headers["allow"] == "GET, HEAD, POST"


async def test_options_is_a_405_like_any_other_method_without_a_route(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.options("/v1/things")

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, POST"
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_a_bug_is_a_bare_500_and_one_line_in_the_log(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        response = await client.get("/v1/things/broken")

    assert response.status_code == 500
    assert problem_of(response)["code"] == "internal"
    assert "secret" not in response.text
    assert [line["event"] for line in lines] == ["request failed", "request"]
    assert isinstance(lines[0]["exc_info"], LookupError)
    assert lines[1]["status"] == 500


async def test_a_busy_database_is_a_503_that_says_when_to_come_back(
    client: httpx2.AsyncClient,
) -> None:
    with capture_logs() as lines:
        response = await client.get("/v1/things/locked")

    assert response.status_code == 503
    assert problem_of(response)["code"] == "unavailable"
    assert problem_of(response)["detail"] == "Try again in a moment."
    assert response.headers["retry-after"] == "1"
    assert [line["event"] for line in lines] == ["database cannot serve a request", "request"]
    assert "secret" not in repr(lines)
