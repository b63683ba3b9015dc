"""One correlation, one trace and one line in the log for every request."""

import re

import httpx2
import pytest
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from app.bus.event import current_context

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


async def test_work_belongs_to_the_correlation_the_caller_named(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/things/context", headers={"x-correlation-id": "cart-7:a_b.c"})

    assert response.json()["correlation_id"] == "cart-7:a_b.c"
    assert response.headers["x-correlation-id"] == "cart-7:a_b.c"


async def test_a_request_id_serves_where_no_correlation_is_named(
    client: httpx2.AsyncClient,
) -> None:
    only = await client.get("/health/live", headers={"x-request-id": "r-1"})
    both = await client.get(
        "/health/live", headers={"x-request-id": "r-1", "x-correlation-id": "c-1"}
    )

    assert only.headers["x-correlation-id"] == "r-1"
    assert both.headers["x-correlation-id"] == "c-1"


@pytest.mark.parametrize("value", [b"", b"a b", b"a\nb", b"x" * 129, b"\xff", b"<script>", b'"'])
async def test_a_correlation_that_could_not_be_logged_is_replaced(
    client: httpx2.AsyncClient, value: bytes
) -> None:
    response = await client.get("/health/live", headers=[(b"x-correlation-id", value)])

    assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["x-correlation-id"])


async def test_two_requests_never_share_a_correlation_of_ours(client: httpx2.AsyncClient) -> None:
    first = await client.get("/health/live")
    second = await client.get("/health/live")

    assert first.headers["x-correlation-id"] != second.headers["x-correlation-id"]


async def test_work_is_a_span_of_the_callers_trace(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/things/context", headers={"traceparent": PARENT})

    traceparent = response.json()["traceparent"]
    assert traceparent.startswith(f"00-{TRACE}-")
    assert traceparent.endswith("-01")
    assert traceparent != PARENT
    assert response.headers["traceparent"] == traceparent


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        PARENT.upper(),
        PARENT + "-x",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"ff{PARENT[2:]}",
    ],
)
async def test_a_malformed_trace_starts_a_new_one(client: httpx2.AsyncClient, value: str) -> None:
    response = await client.get("/health/live", headers={"traceparent": value})

    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", response.headers["traceparent"])
    assert TRACE not in response.headers["traceparent"]


async def test_two_traces_are_none(client: httpx2.AsyncClient) -> None:
    response = await client.get(
        "/health/live", headers=[("traceparent", PARENT), ("traceparent", PARENT)]
    )

    assert TRACE not in response.headers["traceparent"]


async def test_a_request_is_one_line_in_the_log(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/v1/things?limit=1")

    (line,) = lines
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/v1/things",
        "status": 200,
    }


async def test_probes_do_not_fill_the_log(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/health/live")

    assert [line["log_level"] for line in lines] == ["debug"]


async def test_a_path_cannot_forge_a_line_of_the_log(client: httpx2.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/v1/a%0Ab%20%1B[31m/%C3%A4")

    assert [line["path"] for line in lines] == ["/v1/a%0Ab%20%1B%5B31m/%C3%A4"]


async def test_nothing_of_a_request_is_left_behind(client: httpx2.AsyncClient) -> None:
    with capture_logs():
        await client.get("/v1/things/broken")

    assert current_context.get() is None
    assert get_contextvars() == {}


@pytest.mark.parametrize("path", ["/health/live", "/v1/things", "/v1/nowhere", "/docs"])
async def test_head_is_get_without_the_body(client: httpx2.AsyncClient, path: str) -> None:
    got = await client.get(path)
    asked = await client.head(path)

    assert asked.status_code == got.status_code
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert asked.content == b""
