"""One container that is a whole Orderly, with a volume for its data."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio

from deploy.image.container import Container, Image, Network, volume
from deploy.image.report import Report
from deploy.image.visitor import KEY, order_until_it_breaks, take_the_tour, verdict
from tests.system.orderly import Shop

# What a daemon grants between SIGTERM and SIGKILL, unless it is told otherwise.
_GRACE_S = 10.0
_STARTS = 5


async def tried(image: Image, network: Network, folder: Path, report: Report) -> None:
    """Try the image without servers."""
    trial = _Trial(image, network, folder, report)
    with trial.part("One container, embedded, on a read-only root file system"):
        trial.refusals()
        trial.tour()
    with trial.part("Started again on the same volume"):
        await trial.restarted()
    with trial.part("Killed in the middle of orders"):
        await trial.killed()
    with trial.part("Starts and stops"):
        trial.starts()


class _Trial:
    def __init__(self, image: Image, network: Network, folder: Path, report: Report) -> None:
        self._image = image
        self._network = network
        self._folder = folder
        self._report = report
        self._made: list[Container] = []
        folder.mkdir()
        self._data = volume(folder / "volume", image)

    @contextmanager
    def part(self, title: str) -> Iterator[None]:
        """Report a part, and leave nothing running."""
        with self._report.part(title):
            try:
                yield
            finally:
                for container in self._made:
                    container.kill()

    def _container(
        self, data: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Container:
        made = Container(
            f"embedded{len(self._made) + 1}",
            self._image,
            self._network,
            self._folder,
            {"APP_API_KEY": KEY} | dict(environment or {}),
            data=data,
            tmp=True,
        )
        self._made.append(made)
        return made

    def refusals(self) -> None:
        """Start it with what cannot work."""
        for what, wrong in (
            ("a wrong setting", {"APP_PORT": "http"}),
            ("no key", {"APP_API_KEY": ""}),
            ("half of the servers", {"REDIS_URL": "redis://redis"}),
        ):
            refused = self._container(environment=wrong)
            refused.start()
            code = refused.wait(30)
            lines = refused.errors().strip().splitlines()
            self._report.check(
                f"{what} is one sentence and exit code 1",
                code == 1 and len(lines) == 1 and lines[0].startswith("orderly: "),
                (code, lines),
            )

    def tour(self) -> None:
        """Take README's tour at it, and stop it."""
        container = self._container(self._data)
        container.start()
        early = container.healthy()
        container.wait_healthy()
        self._report.check("HEALTHCHECK fails until it is ready, and passes then", not early)
        here = container.inside(
            ["python", "-c", "import os; print(os.getuid(), os.getpid()); open('x', 'w')"]
        )
        self._report.check(
            "inside, it is user 10001 and writes nowhere but to its volume and /tmp",
            here.stdout.startswith("10001 ") and "Read-only file system" in here.stderr,
            here,
        )
        self._report.figure(
            "memory when idle, its engine included", f"{container.memory_mb():.0f} MB"
        )
        wrong = take_the_tour(container, self._folder / "tour")
        self._report.check("README's tour passes", not wrong, "\n".join(wrong))
        held, said = verdict(container)
        self._report.check("verify finds no violation", held, said)
        self._stopped(container)

    async def restarted(self) -> None:
        """Find what the tour left."""
        container = self._container(self._data)
        container.start()
        container.wait_healthy()
        async with Shop(container.url, key=KEY) as shop:
            orders = await shop.items("/v1/orders", reference="WEB-1")
        states = [each["status"] for each in orders]
        self._report.check("the tour's first order is there, cancelled", states == ["cancelled"])
        self._stopped(container)

    async def killed(self) -> None:
        """Kill it while it takes orders, and look for what it had acknowledged."""
        data = volume(self._folder / "killed", self._image)
        container = self._container(data)
        container.start()
        container.wait_healthy()
        async with Shop(container.url, key=KEY) as shop:
            await shop.stock({"LAMP": 100_000})
            async with anyio.create_task_group() as group:
                group.start_soon(order_until_it_breaks, shop, 32)
                while len(shop.orders) < 500:  # noqa: ASYNC110 - a client knows its orders
                    await anyio.sleep(0.01)
                container.signal("KILL")
                container.wait()
            acknowledged = set(shop.orders)
        again = self._container(data)
        again.start()
        again.wait_healthy()
        async with Shop(again.url, key=KEY) as shop:
            await shop.all_settled()
            there = {order: (await shop.get(order))["status"] for order in sorted(acknowledged)}
        wrong = {order: state for order, state in there.items() if state != "confirmed"}
        self._report.check(
            f"each of {len(there)} acknowledged orders is there, confirmed", not wrong, wrong
        )
        held, said = verdict(again)
        self._report.check("verify finds no violation", held, said)
        self._stopped(again)

    def starts(self) -> None:
        """Measure starts, and stop it in the middle of one."""
        took, spent = [], []
        for _ in range(_STARTS):
            container = self._container()
            container.start()
            took.append(container.wait_healthy())
            spent.append(container.cpu_s())
            container.stop(_GRACE_S)
        for name, values in (("from start to ready, no data yet", took), ("CPU of that", spent)):
            median, least, most = statistics.median(values), min(values), max(values)
            told = f"median {median:.2f} s of {_STARTS}, {least:.2f} to {most:.2f}"
            self._report.figure(name, told)
        starting = self._container()
        starting.start()
        # Python runs, and imports.
        while starting.cpu_s() < 0.3:
            time.sleep(0.01)
        code, seconds = starting.stop(_GRACE_S)
        self._report.check(
            "SIGTERM while it starts ends it at once",
            code == 143 and seconds < 2,
            (code, seconds),
        )

    def _stopped(self, container: Container) -> None:
        code, seconds = container.stop(_GRACE_S)
        self._report.check(
            f"SIGTERM drains it, exit code 0, within {_GRACE_S:g} s", code == 0, (code, seconds)
        )
        self._report.figure("the stop took", f"{seconds:.2f} s")
