"""A time axis that cuts long waits, and a chain of events drawn on it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.console.axis import axis, lasting
from app.console.chain import is_settled, waterfalls
from app.console.steps import Effect

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def at(ms: float) -> datetime:
    return START + timedelta(milliseconds=ms)


def event(number: int, ms: float, **more: object) -> dict[str, Any]:
    """Return an event of a chain, published 2 ms after its commit."""
    return {
        "id": str(UUID(int=number)),
        "type": "orders.order_created.v1",
        "subject": "ord_1",
        "correlation_id": "c-1",
        "causation_id": None,
        "time": at(ms).isoformat(),
        "recorded_at": at(ms).isoformat(),
        "published_at": at(ms + 2).isoformat(),
        "log_position": number,
        "data": {},
        "deliveries": [],
        **more,
    }


def delivery(subscriber: str, state: str = "handled", **more: object) -> dict[str, Any]:
    return {
        "subscriber": subscriber,
        "state": state,
        "started_at": None,
        "finished_at": None,
        "wait_ms": None,
        "run_ms": None,
        "next_attempt_at": None,
        "attempts": [],
        **more,
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 ms"),
        (0.0032, "3.2 ms"),
        (0.12, "120 ms"),
        (4.2, "4.20 s"),
        (185, "3 min 5 s"),
        (7500, "2 h 5 min"),
        (360_000, "4 d 4 h"),
    ],
)
def test_durations_are_written_for_people(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_short_waits_are_drawn_to_scale() -> None:
    drawn = axis([at(0), at(4), at(5), at(10)], [(at(0), at(4)), (at(5), at(10))])

    assert drawn.cuts == []
    assert [drawn.place(at(ms)) for ms in (0, 4, 5, 10)] == pytest.approx([0, 40, 50, 100])


def test_a_long_wait_is_cut_and_the_work_around_it_stays_readable() -> None:
    drawn = axis([at(0), at(5), at(60_005), at(60_010)], [(at(0), at(5)), (at(60_005), at(60_010))])

    [cut] = drawn.cuts
    assert cut.label == "1 min 0 s"
    assert drawn.place(at(5)) == pytest.approx(47.5)
    assert drawn.place(at(60_005)) == pytest.approx(52.5)
    assert drawn.place(at(99_999)) == pytest.approx(100)


def test_one_moment_alone_is_an_axis() -> None:
    assert axis([at(0)], []).place(at(0)) == 0


def test_consequences_stand_below_what_caused_them() -> None:
    handled = delivery("inventory", started_at=at(5).isoformat(), finished_at=at(8).isoformat())
    other = delivery("mail", started_at=at(6).isoformat())
    cause = event(1, 0, deliveries=[handled, other])
    caused = event(2, 8, type="inventory.stock_reserved.v1", causation_id=cause["id"])
    done = Effect(cause["id"], "inventory", at(8), "stock: +2 reserved")

    [fall] = waterfalls({"events": [caused, cause]}, [done], now=at(20))

    assert [(row.kind, row.depth, row.name) for row in fall.rows] == [
        ("event", 0, "orders.order_created.v1"),
        ("delivery", 1, "inventory"),
        ("effect", 2, "stock: +2 reserved"),
        ("event", 2, "inventory.stock_reserved.v1"),
        ("delivery", 1, "mail"),
    ]
    assert (fall.rows[1].wait, fall.rows[1].run) == ("3.0 ms", "3.0 ms")
    assert (fall.rows[4].wait, fall.rows[4].run) == ("4.0 ms", "")
    assert [bar.kind for bar in fall.rows[1].bars] == ["wait", "run"]
    assert fall.lasted == "10 ms"
    assert fall.settled


def test_attempts_stand_below_the_delivery_that_failed() -> None:
    failed = {"attempt": 1, "failed_at": at(12).isoformat(), "took_ms": 5.0, "becomes": "due"}
    attempts = [failed | {"error_type": "OSError", "error": "away"}]
    waits = delivery("mail", "due", attempts=attempts, next_attempt_at=at(900).isoformat())
    chain = {"events": [event(1, 0, deliveries=[waits])]}

    [fall] = waterfalls(chain, [], now=at(100))

    assert [(row.kind, row.state) for row in fall.rows] == [
        ("event", "published"),
        ("delivery", "due"),
        ("attempt", "failed"),
    ]
    assert (fall.rows[2].note, fall.rows[2].wait, fall.rows[2].run) == (
        "OSError: away",
        "5.0 ms",
        "5.0 ms",
    )
    assert [bar.kind for bar in fall.rows[1].bars] == ["open"]
    assert not is_settled(chain)


def test_what_is_in_the_outbox_is_open_until_now() -> None:
    [fall] = waterfalls({"events": [event(1, 0, published_at=None)]}, [], now=at(50))

    assert [(bar.kind, bar.at, bar.width) for bar in fall.rows[0].bars] == [("open", 0.0, 100.0)]
    assert not fall.settled


def test_each_request_has_a_waterfall_of_its_own() -> None:
    later = event(2, 60_000, correlation_id="c-2")

    falls = waterfalls({"events": [later, event(1, 0)]}, [], now=at(0))

    assert [fall.correlation_id for fall in falls] == ["c-1", "c-2"]


def test_events_that_name_each_other_as_their_cause_are_drawn_all_the_same() -> None:
    first, second = event(1, 0), event(2, 1)
    first["causation_id"], second["causation_id"] = second["id"], first["id"]

    [fall] = waterfalls({"events": [first, second]}, [], now=at(9))

    assert len(fall.rows) == 2


def test_the_word_that_a_letter_is_dead_stands_below_who_gave_it_up() -> None:
    cause = event(1, 0, deliveries=[delivery("inventory", started_at=at(3).isoformat())])
    cause["deliveries"].append(delivery("mail", "dead"))
    told = event(2, 9, causation_id=cause["id"], type="dead_letters.event_dead_lettered.v1")
    told["data"] = {"subscriber": "mail"}

    [fall] = waterfalls({"events": [cause, told]}, [], now=at(9))

    assert [(row.depth, row.name) for row in fall.rows[1:]] == [
        (1, "inventory"),
        (1, "mail"),
        (2, "dead_letters.event_dead_lettered.v1"),
    ]


def test_the_request_is_a_bar_up_to_its_commit() -> None:
    asked = event(1, 4, time=at(0).isoformat())
    caused = event(2, 9, time=at(7).isoformat(), causation_id=asked["id"])

    [fall] = waterfalls({"events": [asked, caused]}, [], now=at(20))

    assert [[bar.kind for bar in row.bars] for row in fall.rows] == [
        ["request", "outbox"],
        ["outbox"],
    ]
    assert [row.run for row in fall.rows] == ["4.0 ms", ""]


def test_an_id_that_was_drawn_before_tells_when_the_request_began() -> None:
    ms = int(at(0).timestamp() * 1000)
    drawn = str(UUID(int=(ms << 80) | (7 << 76) | (2 << 62)))
    asked = event(1, 9, id=drawn, time=at(8).isoformat())

    [fall] = waterfalls({"events": [asked]}, [], now=at(20))

    assert fall.rows[0].run == "9.0 ms"
