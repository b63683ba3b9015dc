"""The picture of the flow: every figure on the box or edge it belongs to, and none on another."""

from itertools import combinations

import pytest

from app.console.drawing import tall, wide
from app.console.picture import Box, Drawing, PlacedBox, picture
from tests.console.flows import flow, loop, outbox, stream, subscriber
from tests.console.test_headline import PAUSED


def box(of: str, **found: object) -> Box:
    seen = picture(flow(**found))
    return next(one for one in [*seen.head, *seen.streams, *seen.subscribers] if one.id == of)


def figures(one: Box) -> dict[str, str]:
    return {figure.name: figure.value for figure in one.figures}


def test_each_station_shows_its_own_figures() -> None:
    found = {
        "outbox": outbox(unpublished=1234, oldest_age_s=6.0),
        "streams": [stream(length=250)],
        "subscribers": [subscriber(pending=3, due=2, dead=1, critical_time_s=1.25)],
    }

    assert figures(box("outbox", **found)) == {"unpublished": "1\u202f234", "oldest": "6.0 s"}
    assert box("outbox", **found).tone == "wait"
    assert figures(box("stream-orders", **found)) == {"entries": "250", "cap": "1\u202f000"}
    assert box("stream-orders", **found).fill == 0.25
    inventory = box("subscriber-inventory", **found)
    assert figures(inventory) == {
        "pending": "3",
        "due": "2",
        "dead letters": "1",
        "critical time": "1.2 s",
    }
    links = {one.name: one.href for one in inventory.figures if one.href}
    assert links == {
        "due": "/console/dead-letters?subscriber=inventory&state=due",
        "dead letters": "/console/dead-letters?subscriber=inventory",
    }


def test_calm_has_no_colour() -> None:
    seen = picture(flow())

    boxes = [*seen.head, *seen.streams, *seen.subscribers]
    assert {one.tone for one in boxes} == {edge.tone for edge in seen.edges} == {""}
    assert {figure.tone for one in boxes for figure in one.figures} == {""}


def test_edges_say_how_fast_and_what_waits() -> None:
    seen = picture(flow(subscribers=[subscriber(lag=34, handled_per_s=80.0)]))

    told = {(edge.start, edge.end): (edge.label, edge.waits, edge.pace) for edge in seen.edges}
    assert told == {
        ("api", "outbox"): ("12/s", "", "brisk"),
        ("outbox", "relay"): ("2.0/s", "", "slow"),
        ("relay", "stream-orders"): ("2.0/s", "", "slow"),
        ("stream-orders", "subscriber-inventory"): ("80/s", "lag 34", "fast"),
    }


@pytest.mark.parametrize(
    ("found", "of", "state"),
    [
        ({"engine": None, "streams": []}, "relay", "waits"),
        ({"engine": None, "streams": []}, "stream-orders", "away"),
        ({"engine": None, "streams": []}, "subscriber-inventory", "waits"),
        ({"loops": []}, "relay", "elsewhere"),
        ({"loops": [loop(state="stalled")]}, "relay", "stalled"),
        ({"streams": [stream(paused=True)]}, "stream-orders", "full"),
        ({"subscribers": [subscriber(paused=PAUSED)]}, "subscriber-inventory", "paused"),
        (
            {"subscribers": [subscriber(lag=1, oldest_age_s=60, handled_per_s=0)]},
            "subscriber-inventory",
            "stands still",
        ),
        ({"subscribers": [subscriber(held_back="no")]}, "subscriber-inventory", "held back"),
        ({"outbox": outbox(unpublished=1, oldest_age_s=60)}, "outbox", "waits"),
    ],
)
def test_trouble_is_a_word_beside_a_colour(found: dict[str, object], of: str, state: str) -> None:
    seen = box(of, **found)

    assert seen.state == state
    assert seen.tone in ({""} if state == "elsewhere" else {"wait", "bad"})


def overlap(one: PlacedBox, other: PlacedBox) -> bool:
    apart = (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )
    return not apart


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_boxes_stand_apart_inside_the_drawing_however_many_there_are(number: int) -> None:
    contexts = [f"context-{place}" for place in range(max(1, number // 2))]
    crowd = [
        subscriber(f"subscriber-{place}", streams=contexts[: 1 + place % 3])
        for place in range(number)
    ]
    seen = picture(flow(streams=[stream(one) for one in contexts], subscribers=crowd))
    drawings: list[Drawing] = [wide(seen), tall(seen)]

    for drawing in drawings:
        assert len(drawing.boxes) == 3 + len(contexts) + number
        for placed in drawing.boxes:
            assert placed.x >= 0
            assert placed.y >= 0
            assert placed.x + placed.width <= drawing.width
            assert placed.y + placed.height <= drawing.height
        assert not [pair for pair in combinations(drawing.boxes, 2) if overlap(*pair)]
