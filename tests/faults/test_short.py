"""One short attack on each deployment: `python3 dev.py faults` is the long form."""

from pathlib import Path

from tests.faults.attack import attack, schedule
from tests.faults.deployment import embedded, servers
from tests.faults.table import told

ON_SERVERS = (
    "kill -9 api",
    "kill -9 worker",
    "freeze worker 1-5 s",
    "redis FLUSHALL",
    "kill -9 redis, back empty",
    "postgres immediate restart",
    "postgres replies lost",
    "redis connections reset",
    "redis fails over, losing 1-3 s",
    "redis flushed, ids used again",
    "redis full of memory 2-4 s",
    "postgres hot row locked 2-4 s",
    "poison that raises",
    "poison that returns",
    "poison that hangs",
)
EMBEDDED = (
    "kill -9 all",
    "kill -9 of the engine's process",
    "SIGTERM all",
    "redis FLUSHALL",
    "redis XGROUP SETID $",
    "redis cannot save (MISCONF) 2-4 s",
    "poison that raises",
    "poison that returns",
)


async def test_servers_survive_a_short_attack(tmp_path: Path) -> None:
    async with servers(tmp_path, roles=("api", "worker", "worker")) as deployment:
        steps = schedule(ON_SERVERS, seed=3, seconds=6, pace=0.3)
        report = await attack(deployment, "servers", steps, seed=3, drain_s=30)

    assert report.broken == [], told(report)
    assert report.faults.total() >= 5, told(report)
    assert len(report.witness.ids) >= 10, told(report)


async def test_the_embedded_deployment_survives_a_short_attack(tmp_path: Path) -> None:
    async with embedded(tmp_path) as deployment:
        steps = schedule(EMBEDDED, seed=1, seconds=4, pace=0.5)
        report = await attack(deployment, "embedded", steps, seed=1, drain_s=30)

    assert report.broken == [], told(report)
    assert report.faults.total() >= 2, told(report)
    assert len(report.witness.ids) >= 5, told(report)


def test_a_seed_is_a_schedule() -> None:
    assert schedule(ON_SERVERS, 7, 60) == schedule(ON_SERVERS, 7, 60)
    assert schedule(ON_SERVERS, 7, 60) != schedule(ON_SERVERS, 8, 60)
    assert {step.fault for step in schedule(ON_SERVERS, 7, 60)} == set(ON_SERVERS)
