"""An order is one trace, from the client's own span to its last effect, at a real receiver."""

from collections.abc import Callable

import anyio

from tests.system.conftest import Deployment
from tests.system.orderly import Shop
from tests.system.otlp import Received, Receiver, receiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
KEY = "a-key-that-nobody-else-may-know"

# They are sent at the stop, not before.
NEVER_MS = "600000"


async def _an_order_and_its_replay(url: str) -> str:
    async with Shop(url, key=KEY) as shop:
        await shop.stock({"MUG": 5})
        shop.http.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
        order = await shop.order({"MUG": 1})
        del shop.http.headers["traceparent"]
        await shop.settled(order["id"])
        asked = {"subscriber": "orders", "from_log_position": 1}
        accepted = await shop.http.post("/v1/ops/replay", json=asked)
        action = accepted.raise_for_status().headers["location"]
        with anyio.fail_after(30):
            while (await shop.http.get(action)).json()["done"] < 1:
                await anyio.sleep(0.01)
    return str(order["id"])


def _one(spans: list[Received], name: str, **attributes: str) -> Received:
    wanted = {key.replace("__", "."): value for key, value in attributes.items()}
    [found] = [
        span for span in spans if span.name == name and wanted.items() <= span.attributes.items()
    ]
    return found


async def test_an_order_is_one_trace_and_its_replay_has_a_link(
    deploy: Callable[[str], Deployment],
) -> None:
    with receiver() as received:
        deployment = deploy("embedded")
        deployment.environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_BSP_SCHEDULE_DELAY": NEVER_MS,
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "APP_API_KEY": KEY,
            # A quarter of it is for sending, also where the machine is busy.
            "APP_DRAIN_S": "40",
        }
        process = deployment.start_all()
        order_id = await _an_order_and_its_replay(process.url)
        assert not received.spans
        code, _ = process.terminate()

    assert code == 0
    _is_one_trace(received, order_id)
    _is_linked(received)
    assert not any(KEY.encode() in body for body in received.bodies)


def _is_one_trace(received: Receiver, order_id: str) -> None:
    ours = [span for span in received.spans if span.trace_id == TRACE]
    request = _one(ours, "POST /v1/orders")
    created = _one(ours, "send orders", cloudevents__event_type="orders.order_created.v1")
    reserve = _one(ours, "process orders", messaging__consumer__group__name="inventory")
    reserved = _one(ours, "send inventory")
    settle = _one(ours, "process inventory", messaging__consumer__group__name="orders")

    assert (request.parent_id, request.kind) == (CALLER, "SERVER")
    assert created.parent_id == reserve.parent_id == request.span_id
    assert reserved.parent_id == settle.parent_id == reserve.span_id
    assert (created.kind, reserve.kind) == ("PRODUCER", "CONSUMER")
    assert reserve.attributes["cloudevents.event_subject"] == order_id
    assert reserve.attributes["messaging.system"] == "redis"
    assert reserve.attributes["messaging.operation.type"] == "process"
    assert reserve.attributes["messaging.message.id"] == created.attributes["messaging.message.id"]
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["http.route"] == "/v1/orders"
    named = {name: request.resource[name] for name in ("service.name", "orderly.role")}
    assert named == {"service.name": "orderly", "orderly.role": "all"}
    assert request.resource["deployment.environment.name"] == "test"


def _is_linked(received: Receiver) -> None:
    again = [
        span
        for span in received.spans
        if span.name == "process inventory" and span.trace_id != TRACE
    ]
    first = _one(
        [span for span in received.spans if span.trace_id == TRACE],
        "process orders",
        messaging__consumer__group__name="inventory",
    )

    assert [(span.parent_id, span.links) for span in again] == [("", [(TRACE, first.span_id)])]
    assert not any(
        "?" in str(value) for span in received.spans for value in span.attributes.values()
    )
