"""Every refusal that an operation can give is in its description, and tests see to it."""

from typing import Any

import httpx2
import pytest

from tests.contracts.openapi import document
from tests.contracts.told import told

LETTER = "/v1/ops/dead-letters/{subscriber}/{event_id}"


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return document()


@pytest.mark.parametrize(
    ("operation", "status", "codes"),
    [
        ("POST /v1/orders", 400, {"idempotency_key_missing", "malformed_json"}),
        ("POST /v1/orders", 409, {"duplicate_reference", "idempotency_in_flight"}),
        ("POST /v1/orders/batch", 409, {"idempotency_in_flight"}),
        ("POST /v1/orders/{order_id}/confirm", 428, {"precondition_required"}),
        ("GET /v1/orders", 422, {"invalid_cursor", "unknown_parameter"}),
        ("GET /v1/inventory/movements", 403, {"insufficient_scope", "not_for_customers"}),
        ("PUT /v1/products/{sku}", 403, {"foreign_origin"}),
        ("PUT /v1/products/{sku}", 421, {"host_not_allowed"}),
        ("PUT /v1/products/{sku}", 503, {"overloaded", "stopping", "unavailable"}),
        (f"GET {LETTER}", 404, {"not_found"}),
        (f"POST {LETTER}/redrive", 409, {"no_handler", "not_dead"}),
        (f"POST {LETTER}/discard", 409, {"idempotency_in_flight", "not_dead"}),
        ("POST /v1/ops/replay", 404, {"not_found"}),
        ("POST /v1/ops/fill", 404, {"not_found"}),
        ("GET /v1/ops/actions/{action_id}", 404, {"not_found"}),
        ("GET /v1/ops/actions/{action_id}/deliveries", 422, {"invalid_cursor"}),
        ("GET /v1/ops/chains/{correlation_id}", 404, {"not_found"}),
        ("GET /v1/ops/streams", 503, {"unavailable"}),
        ("POST /v1/ops/subscribers/{subscriber}/pause", 404, {"not_found"}),
        ("POST /v1/ops/subscribers/{subscriber}/resume", 409, {"not_paused"}),
        ("DELETE /v1/ops/subscribers/{subscriber}", 404, {"not_found"}),
        (
            "DELETE /v1/ops/subscribers/{subscriber}",
            409,
            {"dead_letters_left", "subscriber_alive"},
        ),
    ],
)
def test_an_operation_tells_of_its_refusals(
    now: dict[str, Any], operation: str, status: int, codes: set[str]
) -> None:
    method, _, path = operation.partition(" ")

    description = now["paths"][path][method.lower()]["responses"][str(status)]["description"]

    assert {code for code in codes if f"`{code}`" not in description} == set()


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "is_told"),
    [
        ("POST", "/v1/orders/ord_1/confirm", 409, "order_state_conflict", True),
        ("POST", "/v1/orders/ord_1/confirm", 409, "extend_limit", False),
        ("POST", "/v1/orders/batch", 409, "duplicate_reference", False),
        ("GET", "/v1/orders/batch", 404, "not_found", True),
        ("GET", "/v1/orders/ord_1", 410, "not_found", False),
        ("GET", "/not/of/the/api", 404, "whatever", True),
    ],
)
async def test_what_is_not_told_is_noticed(
    method: str, path: str, status: int, code: str, *, is_told: bool
) -> None:
    headers = {"content-type": "application/problem+json"}
    request = httpx2.Request(method, f"http://localhost{path}")
    response = httpx2.Response(status, headers=headers, json={"code": code}, request=request)

    if is_told:
        await told(response)
    else:
        with pytest.raises(AssertionError, match=f"does not tell of {code}"):
            await told(response)
