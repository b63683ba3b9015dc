"""A dry run tells and leaves nothing; mended data runs, or is refused."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.delivery import State
from app.bus.dry_run import dry_run
from app.bus.mend import UnfitDataError, differences
from app.bus.redrive import redrive
from app.bus.subscriber import Failed, Subscriber
from app.bus.tables import inbox as inbox_table
from app.db import Database
from tests.bus.given_up import LOUD, Ears, dead, dump, one
from tests.bus.sample import Heard, Rang


async def test_a_dry_run_tells_all_and_leaves_nothing(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=12))
    before = await dump(database)
    subscribers = [ears.subscriber]

    failed = await dry_run(database, subscribers, "ears", event_id)
    mended = await dry_run(database, subscribers, "ears", event_id, data={"bell": "a", "volume": 3})

    assert (failed.error_type, failed.error) == ("PermanentError", "too loud: 12")
    assert mended.error_type is None
    assert [(sealed.type, sealed.data) for sealed in mended.events] == [(Heard.type, {"bell": "a"})]
    assert mended.rows == {("inbox", "inserted"): 1, ("outbox", "inserted"): 1}
    assert await dump(database) == before
    assert (await one(database, event_id)).state is State.DEAD


async def test_a_dry_run_counts_rows_however_they_are_written(database: Database) -> None:
    ears = Ears()
    ids = await dead(database, ears, *[Rang(bell="a", volume=LOUD) for _ in range(3)])
    batch = Subscriber("ears")
    effect = inbox_table.c.subscriber == "other"

    @batch.on(Rang, batch=True)
    async def hear(events: Sequence[Rang], session: AsyncSession) -> list[Failed[Rang]]:
        rows = [{"subscriber": "other", "event_id": event_id} for event_id in ids]
        await session.execute(inbox_table.insert(), rows)
        changed = inbox_table.update().where(effect).values(subscriber="others")
        await session.execute(changed.returning(inbox_table.c.event_id))
        await session.execute(text("DELETE FROM inbox WHERE subscriber = 'others'"))
        return [Failed(event, "not today") for event in events]

    before = await dump(database)

    found = await dry_run(database, [batch], "ears", ids[0])

    assert (found.error_type, found.error) == ("Failed", "not today")
    kinds = ("inserted", "updated", "deleted")
    assert found.rows == {("inbox", kind): 3 for kind in kinds}
    assert await dump(database) == before


async def test_mended_data_is_what_runs_and_its_changes_are_kept(database: Database) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=12))

    failed = await redrive(
        database, [ears.subscriber], "ears", event_id, who="ann", data={"bell": "a", "volume": 11}
    )
    mended = await one(database, event_id)
    original = json.loads(mended.original)
    done = await redrive(
        database, [ears.subscriber], "ears", event_id, who="bob", data={"bell": "a", "volume": 3}
    )

    assert (failed.outcome, failed.error) == ("dead", "too loud: 11")
    assert json.loads(mended.current) == original | {"data": {"bell": "a", "volume": 11}}
    assert done.outcome == "handled"
    changes = [{"pointer": "/volume", "old": 11, "new": 3}]
    assert done.action.detail == {"changes": changes}


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"bell": "a", "volume": "loud"}, ("volume",)),
        ({"volume": 3}, ("bell",)),
        ({"bell": "another", "volume": 3}, ("bell",)),
    ],
)
async def test_data_that_does_not_fit_is_refused_and_nothing_changes(
    database: Database, data: dict[str, Any], path: tuple[str, ...]
) -> None:
    ears = Ears()
    [event_id] = await dead(database, ears, Rang(bell="a", volume=12))
    before = await dump(database)

    with pytest.raises(UnfitDataError) as refused:
        await redrive(database, [ears.subscriber], "ears", event_id, who="ann", data=data)

    assert [one.path for one in refused.value.misfits] == [path]
    assert await dump(database) == before


def test_differences_are_pointed_at() -> None:
    old = {"a": 1, "b/c": [1, 2], "d": {"e": None}, "same": [{"x": 1}]}
    new = {"a": 1.0, "b/c": [1, 3, 4], "d": {}, "same": [{"x": 1}]}

    assert differences(old, new) == [
        {"pointer": "/a", "old": 1, "new": 1.0},
        {"pointer": "/b~1c/1", "old": 2, "new": 3},
        {"pointer": "/b~1c/2", "new": 4},
        {"pointer": "/d/e", "old": None},
    ]
