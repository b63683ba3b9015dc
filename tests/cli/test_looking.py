"""The commands that look at a running program, for people and for programs."""

import json
import time
from collections.abc import Callable

import httpx2
import pytest

from tests.cli.conftest import Run
from tests.system.orderly import Orderly

NOBODY = "http://127.0.0.1:9"
LOOKING = [
    ("status", "--once"),
    ("streams",),
    ("subscribers", "list"),
    ("orders", "list"),
    ("outbox",),
    ("dead-letters", "list"),
    ("api-keys", "list"),
]


@pytest.fixture(scope="module")
def order(program: Orderly) -> str:
    """Place an order and wait until all of it has happened; return its id."""
    with httpx2.Client(base_url=f"{program.url}/v1", timeout=20) as http:
        price = {"amount": "4.25", "currency": "GBP"}
        http.put("/products/MUG", json={"title": "Mug", "unit_price": price}).raise_for_status()
        lines = [{"sku": "MUG", "quantity": 40}]
        http.post("/inventory/receipts", json={"lines": lines}).raise_for_status()
        body = {"customer_id": "c-1", "lines": [{"sku": "MUG", "quantity": 2}]}
        placed = http.post("/orders", json=body, headers={"Prefer": "wait=10"}).json()
        assert placed["status"] == "confirmed"
        return str(placed["id"])


def until(come: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something; fail the test when it does not come about."""
    give_up_at = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_one_document_is_all_that_a_program_gets(
    typed: Run, order: str, words: tuple[str, ...]
) -> None:
    done = typed(*words, "--json")

    assert order
    assert (done.exit_code, done.stderr) == (0, "")
    assert isinstance(json.loads(done.stdout), dict)


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_what_is_refused_is_json_for_programs(typed: Run, words: tuple[str, ...]) -> None:
    away = typed(*words, "--json", url=NOBODY)
    told = typed(*words, url=NOBODY)

    assert (away.exit_code, told.exit_code) == (2, 2)
    assert away.stdout == told.stdout == ""
    assert json.loads(away.stderr)["code"] == "no_server"
    assert told.stderr.startswith(f"Nothing answers at {NOBODY}")
    assert told.stderr.count("\n") == 1


def test_a_refusal_is_the_servers_own_problem(typed: Run) -> None:
    gone = typed("orders", "show", "ord_0", "--json")
    unfit = typed("orders", "list", "--status", "lost")

    assert gone.exit_code == unfit.exit_code == 1
    assert json.loads(gone.stderr) | {"code": "not_found", "status": 404} == json.loads(gone.stderr)
    assert unfit.stderr.count("\n") == 1


@pytest.mark.parametrize("width", [60, 140])
def test_status_is_a_picture_of_the_flow(typed: Run, order: str, width: int) -> None:
    shown = typed("status", "--once", width=width)

    assert order
    assert shown.exit_code == 0, shown.output
    words = shown.stdout.split()
    assert {"recorded", "published", "inventory", "orders", "reads"} <= set(words)
    assert ("critical" in words) == (width == 140)
    assert max(map(len, shown.stdout.splitlines())) <= width
    assert "0 wait in the outbox" in " ".join(words)


def test_an_order_is_told_from_its_lines_to_its_last_event(typed: Run, order: str) -> None:
    shown = typed("orders", "show", order).stdout
    narrow = typed("orders", "show", order, width=60).stdout
    told = json.loads(typed("orders", "show", order, "--json").stdout)

    assert "8.50 GBP" in shown
    assert "pending → confirmed" in shown
    assert "→ inventory: handled" in shown
    assert "█" in shown
    assert "█" not in narrow
    types = [event["type"] for event in told["chain"]["events"]]
    assert types[0] == "orders.order_created.v1"
    assert "orders.order_confirmed.v1" in types
    assert all(kind in shown for kind in types)
    assert [step["action"] for step in told["timeline"]] == ["place", "confirm"]
    assert told["order"]["id"] == order


def test_orders_are_found_by_what_is_known_of_them(typed: Run, order: str) -> None:
    here = typed("orders", "list", "--status", "confirmed", "--customer", "c-1", "--sku", "MUG")
    none = typed("orders", "list", "--reference", "nobody's")

    assert order in here.stdout
    assert "8.50 GBP" in here.stdout
    assert none.stdout == "There are none.\n"


def test_a_subscriber_is_paused_seen_to_be_and_goes_on(typed: Run, order: str) -> None:
    assert order
    paused = typed("subscribers", "pause", "inventory", "--reason", "Stock take")
    try:
        listed = typed("subscribers", "list").stdout
        pictured = typed("status", "--once").stdout
    finally:
        resumed = typed("subscribers", "resume", "inventory", "--json")
    again = typed("subscribers", "resume", "inventory")
    nobody = typed("subscribers", "pause", "nobody", "--reason", "x")

    assert paused.stdout.startswith("inventory is paused")
    assert "paused by open: Stock take" in listed
    assert "paused by open: Stock take" in pictured
    assert json.loads(resumed.stdout)["action"] == "resume"
    assert (again.exit_code, again.stderr) == (1, "inventory is not paused.\n")
    assert (nobody.exit_code, nobody.stderr) == (1, "No subscriber is called nobody.\n")
    until(lambda: "paused by" not in typed("subscribers", "list").stdout)


def test_streams_are_told_with_their_groups_and_consumers(typed: Run, order: str) -> None:
    assert order
    groups = typed("streams").stdout
    consumers = typed("streams", "--consumers").stdout

    told = [tuple(line.split()[:2]) for line in groups.splitlines()[1:]]
    assert {("inventory", "orders"), ("orders", "inventory")} <= set(told)
    assert "orders on inventory" in consumers
    assert "embedded" in consumers


def test_an_outbox_that_is_empty_says_so(typed: Run, order: str) -> None:
    assert order
    until(lambda: typed("outbox").stdout == "Nothing waits: every event is published.\n")


def test_colours_are_for_terminals_that_want_them(typed: Run) -> None:
    green = "\x1b[32m"

    assert "\x1b[" not in typed("status", "--once").stdout
    assert green in typed("status", "--once", FORCE_COLOR="1").stdout
    assert green not in typed("status", "--once", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_replay_is_waited_for(typed: Run, order: str) -> None:
    assert order
    counted = typed("replay", "orders", "--from-position", "0", "--dry-run")
    done = typed("replay", "orders", "--from-position", "0", "--wait", "--timeout", "20")
    told = typed("fill", "inventory", "--wait", "--json")

    assert counted.stdout.endswith(" would be made due; nothing was changed.\n")
    assert done.exit_code == 0, done.output
    assert " are handled; 0 due, 0 dead, 0 discarded." in done.stdout
    assert json.loads(told.stdout)["due"] == 0
