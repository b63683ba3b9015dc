"""The documentation: complete, true about refusals, and from this host alone."""

import re
from typing import Any

import httpx2
import pytest


@pytest.fixture
async def document(client: httpx2.AsyncClient) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get("/openapi.json")).json()
    return answer


async def test_the_front_door_leads_to_the_docs(client: httpx2.AsyncClient) -> None:
    response = await client.get("/", follow_redirects=True)

    assert response.status_code == 200
    assert response.url.path == "/docs"


async def test_the_page_and_all_it_loads_come_from_here(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 5
    for address in loaded:
        assert "//" not in address
        assert (await client.get(f"/{address}")).status_code == 200


async def test_the_page_forbids_everything_from_elsewhere_and_inline_scripts(
    client: httpx2.AsyncClient,
) -> None:
    page = await client.get("/docs")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert not re.search(r"<script>|\son\w+=", page.text)


async def test_no_validation_error_of_the_framework_is_left(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in str(document)
    assert "ValidationError" not in document["components"]["schemas"]


async def test_every_operation_shows_problem_documents(document: dict[str, Any]) -> None:
    operations = [one for path in document["paths"].values() for one in path.values()]

    assert len(operations) > 5
    shown = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operation in operations:
        assert operation["responses"]["default"]["content"] == {"application/problem+json": shown}
        if "security" in operation:
            assert operation["responses"]["422"]["content"] == {"application/problem+json": shown}


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r"#/components/schemas/([\w.-]+)", str(document)))

    assert names <= document["components"]["schemas"].keys()
    assert {"Problem", "FieldProblem"} <= names


async def test_the_key_is_shown_where_it_is_needed_and_nowhere_else(
    document: dict[str, Any],
) -> None:
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["paths"]["/v1/things"]["post"]["security"] == [{"key": ["orders:write"]}]
    assert "security" not in document["paths"]["/health/live"]["get"]


async def test_the_idempotency_key_is_shown_where_it_works(document: dict[str, Any]) -> None:
    (shown,) = document["paths"]["/v1/things"]["post"]["parameters"]

    assert (shown["name"], shown["in"]) == ("Idempotency-Key", "header")


async def test_asking_twice_gives_the_same_document(
    client: httpx2.AsyncClient, document: dict[str, Any]
) -> None:
    assert (await client.get("/openapi.json")).json() == document


@pytest.mark.parametrize("path", ["/docs", "/docs/assets/swagger-ui.css", "/docs/assets/x", "/"])
async def test_what_can_only_be_read_says_so(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.post(path)

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert response.json()["code"] == "method_not_allowed"
