"""One run: load and seeded faults for a while, then rest, then every check."""

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.tables import delivery, inbox, outbox
from tests.faults import checks
from tests.faults.checks import Broken
from tests.faults.deployment import Deployment
from tests.faults.load import PLACES, SCARCE, SKUS, Client, Witness
from tests.faults.menu import BusyError
from tests.faults.poison import HARMED
from tests.system.orderly import Shop

CLIENTS = 2
DRAIN_S = 300.0


@dataclass
class Report:
    """What was done to a deployment, and what became of it."""

    name: str
    seed: int
    seconds: float = 0
    faults: Counter[str] = field(default_factory=Counter)
    witness: Witness = field(default_factory=Witness)
    events: int = 0
    drained_s: float | None = None
    critical_s: list[float] = field(default_factory=list)
    next_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    recovered_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    dead_letters: int = 0
    poisoned: int = 0
    blocked: int = 0
    broken: list[Broken] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Step:
    """One fault of a schedule, so many seconds after the one before."""

    wait_s: float
    fault: str
    seed: int


def schedule(faults: Collection[str], seed: int, seconds: float, *, pace: float = 1) -> list[Step]:
    """Return the faults of a seed: every kind once in random order, then again, while time is.

    One every 0.5 to 2 seconds; pace stretches that.
    """
    random = Random(seed)
    steps: list[Step] = []
    deck: list[str] = []
    while sum(step.wait_s for step in steps) < seconds:
        if not deck:
            deck = sorted(faults)
            random.shuffle(deck)
        steps.append(Step(pace * random.uniform(0.5, 2), deck.pop(), random.getrandbits(32)))
    return steps


async def attack(
    deployment: Deployment, name: str, steps: Sequence[Step], *, seed: int, drain_s: float = DRAIN_S
) -> Report:
    """Run load and faults, let everything come to rest within drain_s, and check."""
    report = Report(name, seed, sum(step.wait_s for step in steps))
    await deployment.up()
    async with Shop(deployment.api_urls()[0]) as shop:
        await shop.stock({sku: 200 if sku in SCARCE else 1_000_000 for sku in (*SKUS, *HARMED)})
        await shop.stock_at(PLACES[1], {sku: 100 if sku in SCARCE else 1000 for sku in SKUS})
    wanted = deployment.poisoner.wanted
    clients = [
        Client(f"c-{n}", deployment.api_urls, report.witness, Random(f"{seed} {n}"), wanted)
        for n in range(CLIENTS)
    ]
    try:
        async with anyio.create_task_group() as buying:
            for client in clients:
                buying.start_soon(client.run)
            await _suffer(deployment, steps, report)
            await deployment.up()
            for client in clients:
                client.stopping = True
            buying.cancel_scope.deadline = anyio.current_time() + drain_s
        if buying.cancel_scope.cancelled_caught:
            report.broken.append(Broken("every order is answered in the end", ["not yet"]))
        report.drained_s = await _rest(deployment, drain_s)
        async with deployment.stream() as stream:
            report.broken += await checks.everything(deployment.database, stream, report.witness)
        for one in report.broken:
            if one.name == checks.NO_DEADLOCK:
                one.offenders.extend(deployment.deadlocks())
        await _measure(deployment, report)
    finally:
        await deployment.stop()
    if bugs := deployment.bugs():
        report.broken.append(Broken("no process ends by itself, and none answers 500", bugs))
    return report


async def _suffer(deployment: Deployment, steps: Sequence[Step], report: Report) -> None:
    """Do one fault after the other; long ones overlap with those that follow."""

    async def do(step: Step) -> None:
        with suppress(BusyError):
            await deployment.faults[step.fault](Random(step.seed))
            report.faults[step.fault] += 1

    async with anyio.create_task_group() as going_on:
        for step in steps:
            await anyio.sleep(step.wait_s)
            going_on.start_soon(do, step)
    deployment.heal()


async def _rest(deployment: Deployment, drain_s: float) -> float | None:
    """Wait until nothing is left to do; return how long that took, None when it never came."""
    began = time.monotonic()
    wanted = checks.AT_REST | checks.ORDERS_AT_REST
    with anyio.move_on_after(drain_s):
        while await checks.broken(deployment.database, wanted):
            await anyio.sleep(0.2)
        return time.monotonic() - began
    return None


async def _measure(deployment: Deployment, report: Report) -> None:
    """Read from the database how long deliveries took, and how long after each kill.

    From a kill to the next event that anybody handled, and to the last of those that were owed.
    """
    query = select(outbox.c.created_at, inbox.c.handled_at).join(
        inbox, inbox.c.event_id == outbox.c.event_id
    )
    async with deployment.database.read() as session:
        times = [(created, handled) for created, handled in await session.execute(query)]
        report.events = await _count(session, select(outbox.c.position))
        dead = select(delivery.c.event_id).where(delivery.c.state == "dead")
        report.dead_letters = await _count(session, dead)
    report.critical_s = sorted((handled - created).total_seconds() for created, handled in times)
    for keeper in deployment.keepers:
        report.poisoned += keeper.poisoned
        report.blocked += keeper.blocked
        for kill in keeper.killed:
            after = [handled for _, handled in times if handled > kill]
            owed = [handled for created, handled in times if created <= kill < handled]
            if after:
                report.next_s[keeper.role].append((min(after) - kill).total_seconds())
            if owed:
                report.recovered_s[keeper.role].append((max(owed) - kill).total_seconds())


async def _count(session: AsyncSession, rows: Select[Any]) -> int:
    return int(await session.scalar(select(func.count()).select_from(rows.subquery())) or 0)
