"""Every crash point is survived, on both databases; and pairs of them.

All pairs are the long form: `python3 dev.py faults --crash-points`.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.conftest import PostgresFixture
from tests.faults.crash_points import count, on_postgresql, on_sqlite, survived
from tests.valkey import ValkeyServer

PAIRS = 4
KEPT_OR_LOST = pytest.mark.parametrize("flushed", [False, True], ids=["stream kept", "stream lost"])


@KEPT_OR_LOST
async def test_every_crash_point_is_survived(
    tmp_path: Path, sqlite_template: Path, valkey: ValkeyServer, *, flushed: bool
) -> None:
    ground = on_sqlite(sqlite_template, tmp_path)
    points = await count(ground, valkey.url)
    assert points > 12

    random = Random(5)
    schedules: list[tuple[int, ...]] = [(point,) for point in range(1, points + 1)]
    schedules += [(random.randint(1, points), random.randint(1, points)) for _ in range(PAIRS)]

    assert (await survived(ground, valkey.url, schedules, flushed=flushed)).broken == {}


@pytest.fixture
def postgres_url(postgres: PostgresFixture) -> Iterator[str]:
    with postgres("pg18") as url:
        yield url


async def test_every_crash_point_is_survived_on_postgresql(
    postgres_url: str, valkey: ValkeyServer
) -> None:
    async with on_postgresql(postgres_url) as ground:
        points = await count(ground, valkey.url)
        assert points > 12

        # Two in three, as every one is on SQLite: the stream is kept after the one and lost after
        # the other. Points come in pairs, before and after a step; so it is some of either kind.
        for flushed in (False, True):
            third = [(point,) for point in range(1 + flushed, points + 1, 3)]
            assert (await survived(ground, valkey.url, third, flushed=flushed)).broken == {}
