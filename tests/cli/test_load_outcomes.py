"""What `load-orders` does beyond placing: it adjusts stock, and decides orders that are held."""

from pathlib import Path

from tests.cli.counter import Counter, open_counter
from tests.cli.loading import export, report_of, run


def test_what_came_and_went_unsold_adjusts_stock_as_far_as_there_is_enough(
    tmp_path: Path,
) -> None:
    file = export(
        tmp_path / "a.csv",
        "1,MUG,Mug,2,4.25,7",
        "C2,MUG,Mug,-5,4.25,7",
        "3,MUG,,-1,0,",
        "3,RARE,,-1,0,",
        "C2,CUP,Cup,-1,2.00,7",
        "4,CUP,,2,0,",
    )
    counter = Counter()
    with open_counter(counter) as url:
        result = run(file, url, "--report", str(tmp_path / "r.json"))

    assert result.exit_code == 0, result.output
    assert "6 rows read = 1 in orders + 4 in adjustments + 0 skipped + 1 refused" in result.output
    assert "adjusted: written off, would_break_reservations" in result.output
    report = report_of(tmp_path / "r.json")
    assert report["adjusted"] == {"posted": 3, "already_there": 0, "booked": 3, "refused": 1}
    (refused,) = report["adjustments"]["refused"]
    assert (refused["invoice"], refused["lines"]) == ("3", [5])
    booked = [(body["reason"], body["lines"]) for body in counter.adjustments.values()]
    assert booked == [
        (
            "returned: cancelled by invoice C2",
            [{"sku": "MUG", "delta": 5}, {"sku": "CUP", "delta": 1}],
        ),
        ("found: invoice 4", [{"sku": "CUP", "delta": 2}]),
        ("written off: invoice 3", [{"sku": "MUG", "delta": -1}]),
    ]


def test_held_orders_are_confirmed_or_cancelled_as_the_seed_says(tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", *(f"{number},MUG,Mug,1,4.25,7" for number in range(12)))
    statuses = []
    for seed in ("1", "1", "2"):
        counter = Counter()
        with open_counter(counter) as url:
            result = run(file, url, "--manual", "--seed", seed)
            assert result.exit_code == 0, result.output
            again = run(file, url, "--manual", "--seed", seed, "--report", str(tmp_path / "r"))
        assert again.exit_code == 0
        assert len(counter.decisions) == 12
        statuses.append({id_: order["status"] for id_, order in counter.orders.items()})
        counts = report_of(tmp_path / "r")["counts"]
        assert counts["confirmed"] + counts["cancelled"] == 12

    assert statuses[0] == statuses[1] != statuses[2]
    assert set(statuses[0].values()) == {"confirmed", "cancelled"}


def test_an_order_that_expired_first_is_counted_so(tmp_path: Path) -> None:
    file = export(tmp_path / "a.csv", "1,MUG,Mug,2,4.25,late", "2,MUG,Mug,2,4.25,poor")
    with open_counter(Counter()) as url:
        result = run(file, url, "--manual", "--report", str(tmp_path / "r.json"))

    assert result.exit_code == 0, result.output
    report = report_of(tmp_path / "r.json")["orders"]
    assert [*report] == ["expired", "rejected"]
    assert report["expired"][0]["code"] == "order_state_conflict"


def test_an_order_left_held_by_a_killed_run_is_told_of_and_decided_by_the_next(
    tmp_path: Path,
) -> None:
    file = export(tmp_path / "a.csv", "1,MUG,Mug,2,4.25,7")
    counter = Counter()
    with open_counter(counter) as url:
        assert run(file, url, "--manual").exit_code == 0
        (order,) = counter.orders.values()
        order["status"] = "reserved"
        counter.replies.clear()
        other = run(file, url)
        again = run(file, url, "--manual")

    assert other.exit_code == 1
    assert "1 orders are held and not decided: run this with --manual" in other.output
    assert again.exit_code == 0
    assert order["status"] in {"confirmed", "cancelled"}
