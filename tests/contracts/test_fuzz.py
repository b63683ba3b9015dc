"""Whatever fits the API's description, and whatever does not, is answered without a failure.

`FUZZ_CASES=20000`, with `-o faulthandler_timeout=0`, makes it long; the suite runs a short form.
"""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import anyio.from_thread
import anyio.to_thread
import httpx2
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from structlog.testing import capture_logs

from app.db import Database
from tests.orders.rest import MUG, SQLITE, app_of, application, client_of, put

schemathesis = pytest.importorskip("schemathesis", reason="the fuzzer is not installed")
requests = pytest.importorskip("requests")

CASES = int(os.environ.get("FUZZ_CASES", "150"))
KEY = "0123456789abcdef"

_FOLLOWS = "/v1/orders/{order_id}/events"  # answers for as long as the order lives
_QUIET = settings(
    deadline=None,
    database=None,
    derandomize="FUZZ_CASES" not in os.environ,
    phases=[Phase.generate],
    verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck),
)


class Sender:
    """Sends what the fuzzer makes up, from its thread, and judges the answers."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        document = app_of(client).openapi()
        paths = {path: one for path, one in document["paths"].items() if path != _FOLLOWS}
        self.schema = schemathesis.openapi.from_dict({**document, "paths": paths})
        self.sent = 0
        self.statuses: dict[int, int] = {}
        self._client = client
        self._checks = schemathesis.checks.CHECKS.get_by_names(
            [
                "not_a_server_error",
                "status_code_conformance",
                "content_type_conformance",
                "response_headers_conformance",
                "response_schema_conformance",
            ]
        )

    def send(self, case: Any) -> httpx2.Response:  # noqa: ANN401 - the fuzzer's own class
        """Send a case and check its answer; raises what the checks find."""
        asked = case.as_transport_kwargs(base_url="http://localhost:8000")
        names = ("method", "url", "headers", "params", "data", "json", "files", "cookies")
        prepared = requests.Request(**{k: v for k, v in asked.items() if k in names}).prepare()
        headers = {k: _text(v).encode("latin-1") for k, v in prepared.headers.items()}
        # A made-up key would end nearly every request at the door.
        headers["Authorization"] = f"Bearer {KEY}".encode()
        if "Prefer" in headers:
            headers["Prefer"] = re.sub(rb"wait *=.*", b"wait=0", headers["Prefer"])
        response = anyio.from_thread.run(
            partial(
                self._client.request,
                prepared.method,
                prepared.url,
                headers=headers,
                content=prepared.body,
            )
        )
        self.sent += 1
        status = int(response.status_code)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        case.validate_response(response, checks=self._checks)
        return response


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


@pytest.fixture
async def sender(database: Database) -> AsyncIterator[Sender]:
    """Prepare an application with something in it."""
    app = application(database, api_key=KEY, request_timeout_s=60)
    async with client_of(app, authorization=f"Bearer {KEY}") as client:
        assert (await put(client, "MUG", MUG)).status_code == 201
        lines = [{"sku": "MUG", "quantity": 1000}]
        receipt = await client.post("/v1/inventory/receipts", json={"lines": lines})
        assert receipt.status_code == 201
        yield Sender(client)


def every_operation(sender: Sender) -> None:
    """Try each operation with what fits its description and with what does not."""
    operations = [found.ok() for found in sender.schema.get_all_operations()]
    each = max(1, CASES * 3 // 4 // len(operations) // 2)
    for operation in operations:
        for mode in schemathesis.GenerationMode:

            @settings(_QUIET, max_examples=each)
            @given(case=operation.as_strategy(generation_mode=mode))
            def try_out(case: Any) -> None:  # noqa: ANN401 - the fuzzer's own class
                sender.send(case)

            try:
                try_out()
            except Unsatisfiable:
                continue  # nothing of that kind can be made up, as where there are no parameters


def whole_stories(sender: Sender) -> None:
    """Go from operation to operation along what their answers name."""

    class Story(sender.schema.as_state_machine()):  # type: ignore[misc]
        """Operations in a row, each with what those before returned."""

        def call(self, case: Any, **_: Any) -> Any:  # noqa: ANN401 - the fuzzer's own classes
            """Send one."""
            return schemathesis.Response.from_any(sender.send(case))

        def validate_response(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
            """Leave it at what was checked."""

    for number in count():
        if sender.sent >= CASES // 4:
            return
        # What the server remembers of one story makes the next one go otherwise, which the fuzzer
        # calls flaky when it comes to the same point again. Then it begins anew.
        with suppress(FlakyStrategyDefinition):
            run_state_machine_as_test(
                seed(number)(Story),
                settings=settings(_QUIET, max_examples=25, stateful_step_count=8),
            )


@SQLITE
@pytest.mark.parametrize("way", [every_operation, whole_stories])
async def test_no_request_makes_us_fail(
    sender: Sender,
    way: Callable[[Sender], None],
    record_property: Callable[[str, object], None],
) -> None:
    with capture_logs() as lines:
        await anyio.to_thread.run_sync(way, sender)
    record_property("answers", dict(sorted(sender.statuses.items())))

    assert sender.sent > CASES // 8
    assert 401 not in sender.statuses
    assert sum(sender.statuses.get(status, 0) for status in (200, 201)) > sender.sent // 20
    assert not [status for status in sender.statuses if status >= 500]
    assert not [line for line in lines if line.get("log_level") == "error"]
