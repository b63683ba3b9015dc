"""An order's events as a waterfall, in every state that a delivery can have."""

from typing import Any

from rich.console import Console

from app.cli.order_view import waterfall

FIRST, SECOND = "0197-1", "0197-2"


def at(milliseconds: int) -> str:
    return f"2026-11-20T17:02:08.{milliseconds:03}000Z"


def delivery(subscriber: str, state: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    nothing = dict.fromkeys(("started_at", "finished_at", "wait_ms", "run_ms", "next_attempt_at"))
    return nothing | {"subscriber": subscriber, "state": state, "attempts": []} | more


def event(id_: str, type_: str, recorded: int, *deliveries: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id_,
        "type": type_,
        "causation_id": FIRST if id_ == SECOND else None,
        "recorded_at": at(recorded),
        "published_at": at(recorded + 5),
        "deliveries": list(deliveries),
    }


def drawn(events: list[dict[str, Any]], *, wide: bool) -> list[str]:
    console = Console(width=140, force_terminal=False)
    with console.capture() as capture:
        console.print(waterfall(events, wide=wide))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_waiting_and_running_are_bars_on_one_scale() -> None:
    handled = delivery(
        "inventory",
        "handled",
        started_at=at(50),
        finished_at=at(100),
        wait_ms=45.0,
        run_ms=50.0,
    )
    second = event(SECOND, "inventory.stock_reserved.v1", 100, delivery("orders", "waiting"))

    _, first, ran, caused, waiting = drawn(
        [event(FIRST, "orders.order_created.v1", 0, handled), second], wide=True
    )

    assert first.startswith("orders.order_created.v1")
    assert "░" in ran
    assert ran.index("░") < ran.index("█")
    assert ran.endswith("45 ms   50 ms")
    assert caused.startswith("  inventory.stock_reserved.v1")
    assert caused.index("◆") > first.index("◆")
    assert "→ orders: waiting" in waiting
    assert "█" not in waiting


def test_each_try_that_failed_stands_below_its_delivery() -> None:
    tries = [
        {"attempt": n, "took_ms": 3.0, "error_type": "ValueError", "error": "too long"}
        for n in (1, 2)
    ]
    dead = delivery("receipts", "dead", attempts=tries)

    *_, given_up, one, two = drawn([event(FIRST, "orders.order_created.v1", 0, dead)], wide=False)

    assert "→ receipts: dead" in given_up
    assert "try 1 failed: ValueError: too long" in one
    assert two.endswith("3 ms")


def test_events_of_one_moment_are_drawn_too() -> None:
    unpublished = event(FIRST, "orders.order_created.v1", 0) | {"published_at": None}

    assert "◆" in drawn([unpublished], wide=True)[1]
