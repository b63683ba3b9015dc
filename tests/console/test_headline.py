"""The first sentence of the overview, for each way that things can stand."""

from typing import Any

import pytest

from app.console.headline import headline
from tests.console.flows import flow, loop, outbox, sample, stream, subscriber

PAUSED = {"who": "key_1", "reason": "A stock take", "since": "2026-11-20T17:00:00Z"}


@pytest.mark.parametrize(
    ("found", "tone", "sentence"),
    [
        (flow(), "good", "Healthy: 12 events/s, nothing waits."),
        (flow(intake={"recorded_per_s": 0.7}), "good", "Healthy: 42 events/min, nothing waits."),
        (flow(intake={"recorded_per_s": 0.0}), "good", "Healthy: It is quiet, nothing waits."),
        (
            flow(intake={"recorded_per_s": None}, subscribers=[subscriber(pending=1)]),
            "good",
            "Healthy: The rates are not known yet, 1 event on its way.",
        ),
        (
            flow(engine=None, streams=[], outbox=outbox(unpublished=312)),
            "bad",
            "Redis is away: Orders are taken, 312 events wait.",
        ),
        (
            flow(engine=None, streams=[]),
            "bad",
            "Redis is away: Orders are taken, their events will wait.",
        ),
        (
            flow(loops=[loop("trim", state="dead", trouble="ValueError: no")]),
            "bad",
            "trim is dead: ValueError: no",
        ),
        (
            flow(outbox=outbox(unpublished=10_000, unpublished_capped=True, oldest_age_s=90.0)),
            "bad",
            "Events are not published: more than 10\u202f000 events wait, the oldest for 2 min.",
        ),
        (
            flow(streams=[stream(paused=True, length=1000)]),
            "wait",
            "The stream of orders is full: It holds 1\u202f000 entries; "  # noqa: ISC004
            "new events wait in the database.",
        ),
        (
            flow(subscribers=[subscriber(paused=PAUSED, lag=30, due=4)]),
            "wait",
            "inventory is paused: A stock take: 34 events wait for it.",
        ),
        (
            flow(subscribers=[subscriber(paused=PAUSED)]),
            "wait",
            "inventory is paused: A stock take: nothing waits for it yet.",
        ),
        (
            flow(subscribers=[subscriber(lag=30, oldest_age_s=40.0, handled_per_s=0.0)]),
            "bad",
            "inventory stands still: 30 events wait for it, the oldest for 40 s.",
        ),
        (
            flow(subscribers=[subscriber(held_back="Timeout: no lock")]),
            "wait",
            "inventory is held back: Timeout: no lock",
        ),
        (
            flow(outbox=outbox(unpublished=900), history=[sample(100), sample(400)]),
            "wait",
            "The backlog grows: 900 events wait to be published.",
        ),
        (
            flow(subscribers=[subscriber(dead=1), subscriber("orders", dead=2)]),
            "wait",
            "Events flow: 12 events/s. But 3 dead letters wait for a decision.",
        ),
    ],
)
def test_the_headline_says_what_to_know_first(
    found: dict[str, Any], tone: str, sentence: str
) -> None:
    said = headline(found)

    assert (said.tone, f"{said.title}: {said.text}") == (tone, sentence)


def test_the_worst_comes_first() -> None:
    everything = flow(
        engine=None,
        outbox=outbox(unpublished=5, oldest_age_s=99.0),
        subscribers=[subscriber(paused=PAUSED, dead=3)],
    )

    assert headline(everything).title == "Redis is away"


def test_what_is_read_as_it_comes_does_not_stand_still() -> None:
    busy = subscriber(lag=900, pending=100, oldest_age_s=40.0, handled_per_s=300.0)

    assert headline(flow(subscribers=[busy])).tone == "good"
