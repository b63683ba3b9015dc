"""Timeouts only make sense in their order."""

import pytest
from sqlalchemy import text

from app.bus.timeouts import Timeouts
from app.db import Database, postgresql


def test_the_defaults_are_in_order() -> None:
    assert Timeouts().lock_s < Timeouts().handler_s


def test_a_wrong_order_names_the_two(self_contradiction: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be less than"):
        Timeouts(**self_contradiction)


@pytest.fixture(params=["lock", "statement", "handler", "nothing"])
def self_contradiction(request: pytest.FixtureRequest) -> dict[str, float]:
    """Give timeouts of which one is not less than the next."""
    wrong: dict[str, dict[str, float]] = {
        "lock": {"lock_s": 15.0},
        "statement": {"statement_s": 21.0},
        "handler": {"handler_s": 30.0},
        "nothing": {"lock_s": 0.0},
    }
    return wrong[request.param]


async def test_every_write_transaction_is_bound_by_them_and_no_other(database: Database) -> None:
    if database.single_writer:
        pytest.skip("SQLite has one process, whose loops time their handlers themselves")
    url = database.writer.url.render_as_string(hide_password=False)
    bound = postgresql(url, pool=2, timeouts=Timeouts(lock_s=1.5))
    show = text("SELECT current_setting('lock_timeout')")

    async with bound.write() as session:
        inside = await session.scalar(show)
    async with bound.read() as session:
        outside = await session.scalar(show)
    await bound.close()

    assert (inside, outside) == ("1500ms", "0")
