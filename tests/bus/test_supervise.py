"""Supervision: no loop ends quietly."""

from random import Random

import anyio
import pytest

from app.bus.supervise import Backoff, Pulse, Supervisor


class Scripted:
    """A loop that does what the test says."""

    def __init__(self, name: str, error: Exception | None = None, *, returns: bool = False) -> None:
        self.name = name
        self._error = error
        self._returns = returns
        self.started = anyio.Event()

    async def run(self, pulse: Pulse) -> None:
        """Beat, then raise, return, or sleep until told to stop."""
        pulse.beat()
        self.started.set()
        if self._error is not None:
            raise self._error
        while not (pulse.stopping or self._returns):
            await pulse.sleep(60)


@pytest.mark.parametrize("dying", [Scripted("bad", KeyError("bug")), Scripted("bad", returns=True)])
async def test_a_loop_that_ends_unasked_is_a_death_and_is_told_once(dying: Scripted) -> None:
    deaths: list[str] = []
    good = Scripted("good")
    supervisor = Supervisor([good, dying], lambda: deaths.append("death"))

    async with anyio.create_task_group() as group:
        group.start_soon(supervisor.run)
        await good.started.wait()
        await dying.started.wait()
        await anyio.wait_all_tasks_blocked()
        states = {loop.name: loop.state for loop in supervisor.health()}
        supervisor.stop()

    assert deaths == ["death"]
    assert supervisor.failure is not None
    assert states == {"good": "running", "bad": "dead"}


async def test_stop_ends_loops_at_once_even_in_mid_sleep() -> None:
    supervisor = Supervisor([Scripted("a"), Scripted("b")], lambda: None)

    async with anyio.create_task_group() as group:
        group.start_soon(supervisor.run)
        await anyio.wait_all_tasks_blocked()
        supervisor.stop()
        with anyio.fail_after(1):
            await supervisor.ended()

    assert supervisor.failure is None


async def test_trouble_outside_shows_until_the_next_good_round() -> None:
    pulse = Pulse("relay")

    await pulse.wait_out(ConnectionError("refused"))
    during = pulse.trouble
    pulse.beat()

    assert during == "ConnectionError: refused"
    assert pulse.trouble is None
    assert pulse.error is None


async def test_a_wait_begun_after_stop_is_over_at_once() -> None:
    pulse = Pulse("relay")
    pulse.stop()

    with anyio.fail_after(1):
        await pulse.sleep(60)


def test_waits_grow_to_a_ceiling_and_never_come_near_zero() -> None:
    backoff = Backoff(first_s=0.1, most_s=5, random=Random(7))

    waits = [backoff.next_s() for _ in range(50)]

    assert all(0.05 <= wait <= 5 for wait in waits)
    assert waits[0] <= 0.1
    assert min(waits[10:]) >= 2.5
    backoff.reset()
    assert backoff.next_s() <= 0.1
