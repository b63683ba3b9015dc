"""`load-orders` against a shop counter on a real port: what it sends, counts and survives."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from app.cli.load_tally import percentile
from app.cli.rest import Rest, ServerError
from tests.cli.counter import Counter, open_counter
from tests.cli.loading import EXAMPLE, export, report_of, run


def test_the_example_becomes_products_stock_and_orders(tmp_path: Path) -> None:
    counter = Counter()
    with open_counter(counter) as url:
        result = run(EXAMPLE, url, "--report", str(tmp_path / "report.json"))

    assert result.exit_code == 0, result.output
    assert len(counter.orders) == 11
    assert counter.products["LAMP-OIL"]["title"] == "Lamp oil one litre"
    price = {"amount": "3.10", "currency": "GBP"}
    assert counter.products["NAPKIN-LINEN"]["unit_price"] == price
    assert (
        "42 rows read = 25 in orders + 5 in adjustments + 12 skipped + 0 refused" in result.output
    )
    report = report_of(tmp_path / "report.json")
    assert report["skipped"]["not_goods"] == {"rows": 5, "lines": [6, 11, 16, 19, 31]}
    assert report["skipped"]["unusable"]["columns"]["Quantity"] == [23]
    assert report["settling"]["orders"] == 11


def test_a_program_gets_the_report_and_nothing_else() -> None:
    with open_counter(Counter()) as url:
        result = run(EXAMPLE, url, "--json")

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["rows"]["read"] == 42


def test_a_second_run_adds_nothing(tmp_path: Path) -> None:
    counter = Counter()
    with open_counter(counter) as url:
        run(EXAMPLE, url)
        before = json.dumps(
            [counter.products, counter.receipts, counter.adjustments, counter.orders]
        )
        again = run(EXAMPLE, url, "--stock", "3", "--report", str(tmp_path / "r.json"))

    assert again.exit_code == 0
    counts = {"posted": 0, "already_there": 11, "confirmed": 11}
    assert report_of(tmp_path / "r.json")["counts"] == counts
    adjusted = {"posted": 0, "already_there": 5, "booked": 5}
    assert report_of(tmp_path / "r.json")["adjusted"] == adjusted
    assert (
        json.dumps([counter.products, counter.receipts, counter.adjustments, counter.orders])
        == before
    )


def test_a_second_run_adds_nothing_when_the_keys_are_forgotten(tmp_path: Path) -> None:
    counter = Counter()
    with open_counter(counter) as url:
        run(EXAMPLE, url)
        counter.forgets_keys = True
        run(EXAMPLE, url, "--report", str(tmp_path / "r.json"))

    assert report_of(tmp_path / "r.json")["counts"]["already_there"] == 11
    assert report_of(tmp_path / "r.json")["receipts"] == {"posted": 0, "already_there": 1}
    assert report_of(tmp_path / "r.json")["adjusted"]["already_there"] == 5
    assert len(counter.orders) == 11


def test_stock_is_twice_the_demand_or_as_told(tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", "1,MUG,Mug,2,4.25,7", "2,MUG,Mug,3,4.25,7")
    plenty, scarce, none = Counter(), Counter(), Counter()
    with open_counter(plenty) as url:
        run(file, url)
    with open_counter(scarce) as url:
        run(file, url, "--stock", "4")
    with open_counter(none) as url:
        run(file, url, "--stock", "0")

    assert [*plenty.receipts.values()] == [[{"sku": "MUG", "quantity": 10}]]
    assert [*scarce.receipts.values()] == [[{"sku": "MUG", "quantity": 4}]]
    assert none.receipts == {}


def test_a_rejected_order_is_reported_with_its_shortages(tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", "1,MUG,Mug,2,4.25,poor", "2,MUG,Mug,3,4.25,7")
    with open_counter(Counter()) as url:
        result = run(file, url, "--report", str(tmp_path / "r.json"))

    assert result.exit_code == 0
    (rejected,) = report_of(tmp_path / "r.json")["orders"]["rejected"]
    assert rejected["lines"] == [2]
    assert rejected["shortages"] == [{"sku": "MUG", "requested": 2, "available": 1}]


@pytest.mark.parametrize("fault", [429, 502, 503, 504, "cut"])
def test_an_order_is_sent_again_with_the_same_key(tmp_path: Path, fault: int | str) -> None:
    file = export(tmp_path / "a.csv", "1,MUG,Mug,2,4.25,7")
    counter = Counter()
    counter.faults.append(fault)
    with open_counter(counter) as url:
        result = run(file, url, "--report", str(tmp_path / "r.json"))

    assert result.exit_code == 0
    assert len(counter.orders) == 1
    assert report_of(tmp_path / "r.json")["counts"]["posted"] == 1


def test_a_refusal_is_counted_by_code_and_stops_nothing(tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", "1,MUG,Mug,2,4.25,7", "2,MUG,Mug,1,4.25,7")
    counter = Counter()
    counter.faults.append(409)
    with open_counter(counter) as url:
        result = run(file, url, "--concurrency", "1", "--report", str(tmp_path / "r.json"))

    assert result.exit_code == 0
    assert "2 rows read = 1 in orders + 0 in adjustments + 0 skipped + 1 refused" in result.output
    (refused,) = report_of(tmp_path / "r.json")["orders"]["refused"]
    assert (refused["code"], refused["lines"]) == ("fault", [2])


def test_an_invoice_with_too_many_skus_is_refused_and_one_with_many_lines_is_merged(
    tmp_path: Path,
) -> None:
    wide = [f"1,SKU-{number},Thing,1,1.00,7" for number in range(1001)]
    long = ["2,MUG,Mug,1,4.25,7"] * 1001
    counter = Counter()
    with open_counter(counter) as url:
        result = run(export(tmp_path / "a.csv", *wide, *long), url)

    assert "refused: too_many_lines" in result.output
    (order,) = counter.orders.values()
    assert order["lines"] == [{"sku": "MUG", "quantity": 1001}]
    assert [len(lines) for lines in counter.receipts.values()] == [1000, 2]


def test_orders_left_pending_are_counted_and_exit_1(tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", *(f"{number},MUG,Mug,1,4.25,7" for number in range(60)))
    with open_counter(Counter(settles=False)) as url:
        result = run(file, url, "--timeout", "0.6", "--concurrency", "16")

    assert result.exit_code == 1
    assert "60 orders are still pending after 0.6 s" in result.output
    assert "60 rows read = 60 in orders" in result.output


def test_a_key_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_API_KEY", "an-example-key-1")
    file = export(tmp_path / "a.csv", "1,MUG,Mug,2,4.25,7")
    with open_counter(Counter(key="an-example-key-1")) as url:
        assert run(file, url).exit_code == 0
        wrong = run(file, url, "--api-key", "another-example-key")

    assert wrong.exit_code == 2
    assert (
        "refuses the key it was sent: give the right one by --api-key or APP_API_KEY"
        in wrong.output
    )


def test_what_cannot_be_used_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
        results = {
            "Nothing answers at": run(EXAMPLE, closed),
            "--url is not usable": run(EXAMPLE, "localhost:8000"),
            "cannot be read: No such file": run(tmp_path / "none.csv", closed),
            "there is no directory": run(EXAMPLE, closed, "--report", str(tmp_path / "x" / "r")),
        }

    for sentence, result in results.items():
        assert result.exit_code == 2
        assert sentence in result.output
        assert result.output.count("\n") == 1


def test_a_server_that_stays_away_is_given_up() -> None:
    async def ask() -> None:
        counter = Counter()
        counter.faults.extend([503] * 50)
        with open_counter(counter) as url:
            async with Rest(url, patience_s=0.3) as rest:
                with pytest.raises(ServerError, match=r"for 0\.3 s \(503 fault\): gave up"):
                    await rest.send("POST", "/v1/orders", json={})

    anyio.run(ask)


def test_ctrl_c_shows_what_was_done_so_far(tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", "1,MUG,Mug,1,4.25,7", "C2,POST,Post,-1,4.25,7")
    start = "import typer; from app.cli.load_orders import load_orders; typer.run(load_orders)"
    counter = Counter(settles=False)
    with open_counter(counter) as url:
        load = subprocess.Popen(
            [sys.executable, "-c", start, str(file), "--url", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"COLUMNS": "100"},
        )
        with load:
            anyio.run(_until_ordered, counter)
            load.send_signal(signal.SIGINT)
            output, _ = load.communicate(timeout=20)

    assert load.returncode == 130, output
    assert "Stopped; this is what was done so far." in output
    assert "skipped: not goods" in output
    assert "Traceback" not in output


async def _until_ordered(counter: Counter) -> None:
    with anyio.fail_after(20):
        while not counter.orders:
            await anyio.sleep(0.01)


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentile([], 50) is None
    assert percentile([7.0], 99) == 7.0
    assert percentile([float(n) for n in range(1, 201)], 99) == 198.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.0
