"""Solitude: company may be any number, and whoever wants to be alone is, before new company."""

import anyio

from app.bus.solitude import Solitude


async def test_company_runs_side_by_side_and_a_suspect_alone() -> None:
    solitude = Solitude()
    under_way: set[str] = set()
    seen: dict[str, set[str]] = {}

    async def keep_company(name: str) -> None:
        async with solitude.company():
            under_way.add(name)
            await anyio.sleep(0.02)
            seen[name] = set(under_way)
            under_way.remove(name)

    async def be_alone(name: str) -> None:
        async with solitude.alone():
            under_way.add(name)
            await anyio.sleep(0.02)
            seen[name] = set(under_way)
            under_way.remove(name)

    async with anyio.create_task_group() as group:
        group.start_soon(keep_company, "a")
        group.start_soon(keep_company, "b")
        await anyio.sleep(0.005)
        group.start_soon(be_alone, "suspect")
        await anyio.sleep(0.005)
        group.start_soon(keep_company, "late")

    assert seen["a"] == {"a", "b"}
    assert seen["suspect"] == {"suspect"}
    assert list(seen)[-1] == "late"


async def test_two_suspects_take_turns() -> None:
    solitude = Solitude()
    alone = most = 0

    async def be_alone() -> None:
        nonlocal alone, most
        async with solitude.alone():
            alone += 1
            most = max(most, alone)
            await anyio.sleep(0.005)
            alone -= 1

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(be_alone)

    assert most == 1


async def test_whoever_gives_up_waiting_lets_the_others_in() -> None:
    solitude = Solitude()
    async with solitude.company():
        with anyio.move_on_after(0.01) as gave_up:
            async with solitude.alone():
                pass
        assert gave_up.cancelled_caught
        with anyio.fail_after(1):
            async with solitude.company():
                pass
