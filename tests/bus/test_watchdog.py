"""The watchdog: a blocked event loop is noticed from outside of it."""

import re
import time
from collections.abc import Callable, Iterator

import anyio
import anyio.lowlevel
import pytest
from blockbuster import BlockBuster
from structlog.testing import capture_logs
from structlog.typing import EventDict

from app.bus.watchdog import Watchdog


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def blocking(no_blocking_calls: BlockBuster) -> None:
    """Let this test do what every other test must not."""
    no_blocking_calls.functions["time.sleep"].deactivate()


async def well_again(watchdog: Watchdog) -> None:
    with anyio.fail_after(5):
        while watchdog.health() is not None:
            await anyio.sleep(0.01)


def sleep_like_a_bad_handler(seconds: float) -> None:
    time.sleep(seconds)


def compute_like_a_bad_handler(seconds: float) -> None:
    # One call into C that never lets another thread run, as a regular expression may be.
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        re.match(r"(a|aa)+$", "a" * 27 + "b")


@pytest.mark.usefixtures("blocking")
@pytest.mark.parametrize("block", [sleep_like_a_bad_handler, compute_like_a_bad_handler])
async def test_a_blocked_loop_is_told_once_with_its_stack_and_ends_life_for_a_while(
    logs: list[EventDict], block: Callable[[float], None]
) -> None:
    watchdog = Watchdog(limit_s=0.25, remember_s=0.4)

    async with anyio.create_task_group() as group:
        group.start_soon(watchdog.run)
        await anyio.sleep(0.3)
        before = watchdog.health()
        block(1.0)
        blocked = watchdog.health()
        await well_again(watchdog)
        group.cancel_scope.cancel()

    assert before is None
    assert blocked is not None
    assert (blocked.name, blocked.state) == ("event-loop", "blocked")
    assert re.fullmatch(r"the event loop did not run for \d\.\d s", blocked.trouble or "")
    # A machine that has no time for anybody blocks the loop too, before and after.
    [told] = [line for line in logs if block.__name__ in str(line.get("stacks"))]
    assert (told["log_level"], told["event"]) == ("critical", "event loop blocked")
    assert any(name.startswith("MainThread") for name in told["stacks"])
    assert {line["event"] for line in logs if line["log_level"] == "warning"} == {
        "event loop runs again"
    }


@pytest.mark.usefixtures("blocking")
async def test_the_next_block_is_told_again(logs: list[EventDict]) -> None:
    watchdog = Watchdog(limit_s=0.25, remember_s=0.1)

    async with anyio.create_task_group() as group:
        group.start_soon(watchdog.run)
        for _ in range(2):
            await anyio.sleep(0.05)
            sleep_like_a_bad_handler(0.6)
            await well_again(watchdog)
        group.cancel_scope.cancel()

    assert [line["log_level"] for line in logs].count("critical") == 2


async def test_a_loop_that_is_busy_but_awaits_is_well(logs: list[EventDict]) -> None:
    watchdog = Watchdog(limit_s=0.5)
    until = time.monotonic() + 1.0

    async with anyio.create_task_group() as group:
        group.start_soon(watchdog.run)
        while time.monotonic() < until:
            sum(range(10_000))
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()

    assert watchdog.health() is None
    assert logs == []
