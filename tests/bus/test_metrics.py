"""What the bus counts is what happened: once for each delivery, after its commit."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import metrics, scripts
from app.bus.delivery import Reason
from app.bus.errors import PermanentError
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.stream import Stream
from app.bus.subscriber import Failed, Subscriber
from app.db import Database
from tests.bus.owing import arrive, deliver, owe, run_due
from tests.bus.sample import SOON, Effects, Rang, listening, relay_all, ring, subscribed

pytestmark = pytest.mark.parametrize("closed_database", ["sqlite"], indirect=True)


def read(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def growth(name: str, **labels: str) -> Callable[[], float]:
    """Return what tells by how much a series grew from now on."""
    before = read(name, **labels)
    return lambda: read(name, **labels) - before


def attempts(outcome: str) -> Callable[[], float]:
    return growth(
        "orderly_handler_attempts_total", subscriber="ears", type=Rang.type, outcome=outcome
    )


def duration(part: str) -> Callable[[], float]:
    return growth(f"orderly_handler_duration_seconds_{part}", subscriber="ears", handler="_hear")


def deaf(kind: type[Exception] = ValueError) -> Subscriber:
    """Return a subscriber that cannot hear bells that are too loud."""
    subscriber = Subscriber("ears")

    @subscriber.on(Rang, retry=SOON)
    async def _hear(event: Rang, session: AsyncSession) -> None:
        del session
        if event.volume > 1:
            raise kind("too loud")

    return subscriber


async def test_each_delivery_is_counted_by_what_became_of_it(database: Database) -> None:
    handled, due, dead = attempts("handled"), attempts("due"), attempts("dead")
    calls = duration("count")

    await arrive(database, deaf(), Rang(bell="a"), Rang(bell="b", volume=9), Rang(bell="c"))
    await arrive(database, deaf(PermanentError), Rang(bell="d", volume=9))

    assert (handled(), due(), dead()) == (2, 1, 1)
    # Those that went well, however often their transaction was begun.
    assert calls() >= 2


async def test_a_copy_is_not_counted_again(database: Database) -> None:
    handled, event = attempts("handled"), Rang(bell="a")

    await arrive(database, deaf(), event)
    await deliver(database, deaf(), event, event)

    assert handled() == 1


async def test_what_a_batch_handler_returns_is_counted_as_failed(database: Database) -> None:
    subscriber = Subscriber("ears")

    @subscriber.on(Rang, batch=True)
    async def _hear(events: Sequence[Rang], session: AsyncSession) -> Sequence[Failed[Rang]]:
        del session
        return [Failed(one, "too loud", permanent=True) for one in events if one.volume > 1]

    handled, dead, calls = attempts("handled"), attempts("dead"), duration("count")
    await arrive(database, subscriber, Rang(bell="a"), Rang(bell="b", volume=9), Rang(bell="c"))

    assert (handled(), dead(), calls()) == (2, 1, 1)


async def test_critical_time_is_that_of_the_oldest_in_a_batch(database: Database) -> None:
    count = growth("orderly_critical_time_seconds_count", subscriber="ears")
    total = growth("orderly_critical_time_seconds_sum", subscriber="ears")
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)

    old = Rang(bell="a", time=an_hour_ago)
    await arrive(database, listening(Effects()), old, Rang(bell="b"), Rang(bell="c"))
    assert count() == 1
    assert 3600 <= total() < 3660
    # A clock that is ahead takes nothing back.
    ahead = Rang(bell="d", time=datetime.now(UTC) + timedelta(hours=1))
    await arrive(database, listening(Effects()), ahead)

    assert count() == 2
    assert 3600 <= total() < 3660


@pytest.mark.parametrize(
    ("reason", "counts", "heals"),
    [
        (Reason.LOST, 1, 1),
        (Reason.FAILED, 1, 0),
        (Reason.REDRIVE, 0, 0),
        (Reason.FILL, 0, 0),
    ],
)
async def test_what_is_asked_for_again_has_no_critical_time(
    database: Database, reason: Reason, counts: int, heals: int
) -> None:
    count = growth("orderly_critical_time_seconds_count", subscriber="ears")
    healed = growth("orderly_losses_healed_total", subscriber="ears")
    handled = attempts("handled")
    ears = listening(Effects())
    await owe(database, ears, Rang(bell="a"), reason=reason)

    await run_due(database, ears)

    assert (count(), healed(), handled()) == (counts, heals, 1)


async def test_the_relay_counts_what_it_published(database: Database, stream: Stream) -> None:
    published = growth("orderly_relay_published_events_total", stream="bells")
    pages = growth("orderly_relay_page_events_count")
    events = growth("orderly_relay_page_events_sum")
    await ring(database, *(Rang(bell=str(number)) for number in range(3)))

    await relay_all(database, stream)
    await relay_all(database, stream)

    assert (published(), pages(), events()) == (3, 1, 3)


async def test_losses_are_counted_when_they_are_proven(database: Database, stream: Stream) -> None:
    proven = growth("orderly_losses_proven_total", subscriber="ears")
    await subscribed(database, listening(Effects()))
    await ring(database, Rang(bell="a"), Rang(bell="b"))
    await relay_all(database, stream)
    await stream.ensure_groups(["bells"], "ears")
    reconcile = Reconcile(database, stream, ReconcilePolicy(after_s=0))

    await reconcile.run_round()
    assert proven() == 0
    await scripts.trim(stream, "bells", [], cap=2, unread=0)
    await reconcile.run_round()

    assert proven() == 2
