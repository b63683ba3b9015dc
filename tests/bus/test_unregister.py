"""A subscriber that no build has any more: nothing is kept for it, and it may come back."""

from typing import Any, Literal

import pytest
from sqlalchemy import Table, func, insert, select, update

from app.bus import scripts
from app.bus.action import Action, ActionKind, page_of_actions
from app.bus.delivery import Reason
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.replay import NoSubscriberError
from app.bus.retention import Retention, RetentionPolicy
from app.bus.sql import later
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.tables import (
    delivery as delivery_table,
    failed_attempt,
    inbox as inbox_table,
    outbox as outbox_table,
    pruned as pruned_table,
)
from app.bus.trim import Room, Trim, TrimPolicy
from app.bus.unregister import DeadLettersLeftError, SubscriberAliveError, unregister
from app.db import Database
from tests.bus.given_up import LOUD, Ears, dead
from tests.bus.owing import due, owe
from tests.bus.sample import (
    Effects,
    Rang,
    delivery_rows,
    handled_count,
    listening,
    loops,
    relay_all,
    ring,
    running,
    subscribed,
    until_handled,
)

DAY_S = 86_400.0


async def gone(database: Database, stream: Stream, name: str = "ears", **more: Any) -> Action:  # noqa: ANN401 - as `unregister` takes them
    """Unregister a subscriber whose workers are gone."""
    return await unregister(database, stream, name, who="ann", alive_s=0, **more)


async def tidy(database: Database, stream: Stream) -> None:
    await Trim(database, stream, Room(), TrimPolicy(unread=0)).run_round()


async def groups(stream: Stream) -> list[str]:
    found: Any = await stream._redis.xinfo_groups(stream.key("bells"))
    return [group["name"] for group in found]


async def retain(database: Database) -> None:
    """Let the days pass in which events are kept, and then one more."""
    retention = Retention(database, RetentionPolicy(days=14))
    async with database.write() as session:
        await session.execute(update(outbox_table).values(published_at=later(-15 * DAY_S)))
    await retention.run_round()
    async with database.write() as session:
        await session.execute(update(pruned_table).values(pruned_at=later(-DAY_S)))
    await retention.run_round()


async def kept(database: Database) -> list[int]:
    """Return how many events, inbox rows and notes of pruned events there are."""
    async with database.read() as session:
        return [
            await session.scalar(select(func.count()).select_from(table)) or 0
            for table in (outbox_table, inbox_table, pruned_table)
        ]


async def test_neither_stream_nor_history_is_kept_for_it_any_longer(
    database: Database, stream: Stream
) -> None:
    ears, eyes = listening(Effects()), Subscriber("eyes")
    eyes.on(Rang)(_nothing)
    await subscribed(database, ears, eyes)
    for group in ("ears", "eyes"):
        await stream.ensure_groups(["bells"], group)
    await ring(database, *(Rang(bell="a") for _ in range(10)))
    await relay_all(database, stream)
    async with running(*loops(database, stream, [eyes])):
        await until_handled(database, "eyes", 10)
    await Reconcile(database, stream, ReconcilePolicy(after_s=0)).run_round()
    await retain(database)
    await tidy(database, stream)
    before = (await kept(database), await stream._redis.xlen(stream.key("bells")))

    done = await gone(database, stream)
    await tidy(database, stream)
    await retain(database)

    assert before == ([10, 10, 0], 10)
    assert await groups(stream) == ["eyes"]
    assert await stream._redis.xlen(stream.key("bells")) == 0
    assert await kept(database) == [0, 0, 0]
    assert (done.action, done.who, done.subscriber) == (ActionKind.UNREGISTER, "ann", "ears")
    assert done.detail == {"types": [Rang.type], "due": 0, "dead": 0, "discarded": 0}


async def rows_of(database: Database, table: Table) -> int | None:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def _nothing(*_: object) -> None:
    pass


async def test_what_it_handled_is_forgotten_with_the_events(
    database: Database, stream: Stream
) -> None:
    effects = Effects()
    ears = listening(effects)
    await subscribed(database, ears)
    await ring(database, Rang(bell="a"))
    async with running(*loops(database, stream, [ears])):
        await until_handled(database, "ears", 1)
    async with database.write() as session:
        await session.execute(inbox_table.delete().where(inbox_table.c.subscriber == "effects"))
    await gone(database, stream)

    await retain(database)

    assert await kept(database) == [0, 0, 0]


async def test_what_a_worker_wrote_too_late_keeps_nothing(
    database: Database, stream: Stream
) -> None:
    await owe(database, listening(Effects()), Rang(bell="a"), reason=Reason.FAILED)
    await relay_all(database, stream)
    async with database.read() as session:
        [late] = (await session.execute(delivery_table.select())).mappings()
    await gone(database, stream)
    async with database.write() as session:
        await session.execute(insert(delivery_table).values(**late))

    await retain(database)

    assert await kept(database) == [0, 0, 0]
    assert await delivery_rows(database) == []


@pytest.mark.parametrize(("start", "runs"), [("now", 1), ("fill", 2)])
async def test_it_comes_back_as_a_new_one_that_runs_nothing_twice(
    database: Database, stream: Stream, start: Literal["now", "fill"], runs: int
) -> None:
    effects = Effects()
    await subscribed(database, listening(effects))
    await ring(database, Rang(bell="handled"))
    async with running(*loops(database, stream, [listening(effects)])):
        await until_handled(database, "ears", 1)
    await gone(database, stream)
    await ring(database, Rang(bell="missed"))
    await relay_all(database, stream)
    await tidy(database, stream)
    effects.calls = 0

    back = Subscriber("ears", start=start)
    back.on(Rang)(effects)
    await subscribed(database, back)
    await ring(database, Rang(bell="new"))
    async with running(*loops(database, stream, [back])):
        await until_handled(database, "ears", 1 + runs)
        while await due(database, back).run_page():
            pass
    await tidy(database, stream)

    # Its group is left alone now: a new one would begin at the beginning.
    assert (await stream.group_state("bells", "ears")).last_delivered_id != "0-0"
    assert effects.calls == runs
    assert await delivery_rows(database) == []
    assert await handled_count(database, "ears") == 1 + runs


async def test_it_is_refused_while_it_lives_or_somebody_should_look(
    database: Database, stream: Stream
) -> None:
    ears = Ears()
    await dead(database, ears, Rang(bell="a", volume=LOUD))
    assert await rows_of(database, failed_attempt) == 1
    await stream.ensure_groups(["bells"], "ears")
    await scripts.show_life(stream, "bells", "ears", "c1")

    with pytest.raises(SubscriberAliveError, match="stop it"):
        await unregister(database, stream, "ears", who="ann")
    with pytest.raises(DeadLettersLeftError, match="1 dead letters"):
        await gone(database, stream)
    with pytest.raises(NoSubscriberError):
        await gone(database, stream, "nose")
    async with database.read() as session:
        assert await page_of_actions(session, before=None, limit=9) == []

    done = await gone(database, stream, discard=True)

    assert (done.total, done.detail["dead"]) == (1, 1)
    assert await delivery_rows(database) == []
    assert await rows_of(database, failed_attempt) == 0
    with pytest.raises(NoSubscriberError):
        await gone(database, stream)
