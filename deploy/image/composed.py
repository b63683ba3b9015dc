"""The services of compose.yaml, started in the order that their conditions ask for."""

from pathlib import Path

import anyio

from deploy.image.composition import Service, read
from deploy.image.container import GATEWAY, Container, Image, Network
from deploy.image.report import ImageError, Report
from deploy.image.servers import Server
from deploy.image.store import ROOT
from deploy.image.visitor import KEY, take_the_tour, verdict
from tests.system.orderly import Shop

_SECRETS = {"POSTGRES_PASSWORD": "letters4nd5digits", "APP_API_KEY": KEY}


async def tried(image: Image, network: Network, folder: Path, report: Report) -> None:
    """Try the image on PostgreSQL and a stream engine, as an API and as workers."""
    with report.part("compose.yaml: PostgreSQL, an engine, migrate, api, worker ×2"):
        running = _Composition(image, network, folder)
        running.up()
        told = ", ".join(f"{each} ×{len(here)}" for each, here in running.containers.items())
        report.check(f"up, in the order of its conditions: {told}", held=True)
        (api,) = running.containers["api"]
        workers = running.containers["worker"]
        everybody = [api, *workers]
        report.check("HEALTHCHECK passes in each", all(each.healthy() for each in everybody))
        wrong = take_the_tour(api, folder / "tour")
        report.check("README's tour passes", not wrong, "\n".join(wrong))
        held, said = verdict(api)
        report.check("verify finds no violation", held, said)
        report.figure("memory of the api", f"{api.memory_mb():.0f} MB")
        report.figure("memory of a worker", f"{workers[0].memory_mb():.0f} MB")
        await _without_engine(running, api, workers, report)
        for each in everybody:
            code, seconds = each.stop(running.services["api"].stop_grace_s)
            report.check(f"SIGTERM drains {each.name}, exit code 0", code == 0, (code, seconds))
            report.figure("the stop took", f"{seconds:.2f} s")
        running.down()


async def _without_engine(
    running: "_Composition", api: Container, workers: list[Container], report: Report
) -> None:
    """Take the engine away and back: the API stays healthy and takes orders, workers do not."""
    running.servers["redis"].kill()
    with anyio.fail_after(30):
        while any(each.healthy() for each in workers):  # noqa: ASYNC110 - it is asked, as by a daemon
            await anyio.sleep(0.1)
    report.check("without the engine HEALTHCHECK fails in the workers", held=True)
    report.check("and passes in the api", api.healthy())
    async with Shop(api.url, key=KEY) as shop:
        await shop.stock({"LAMP": 5})
        order = await shop.order({"LAMP": 2})
        report.check("which takes orders", order["status"] == "pending", order)
        running.servers["redis"].start()
        running.servers["redis"].wait_healthy()
        settled = await shop.settled(order["id"])
        report.check("that are confirmed when it is back", settled["status"] == "confirmed")
    with anyio.fail_after(30):
        while not all(each.healthy() for each in workers):  # noqa: ASYNC110 - as above
            await anyio.sleep(0.1)
    report.check("HEALTHCHECK passes in the workers again", held=True)


class _Composition:
    """The services, and what runs of them."""

    def __init__(self, image: Image, network: Network, folder: Path) -> None:
        folder.mkdir()
        self.services = read(ROOT / "compose.yaml", _SECRETS)
        self.servers: dict[str, Server] = {}
        self.containers: dict[str, list[Container]] = {}
        self._image = image
        self._network = network
        self._folder = folder

    def up(self) -> None:
        """Start each service once what it depends on is in the condition it asks for."""
        for service in self.services.values():
            for name, condition in service.depends_on.items():
                self._await(name, condition)
            if "build" in service.values:
                self._start(service)
            else:
                server = Server(service, self._folder / service.name, GATEWAY)
                self._network.name(service.name, GATEWAY)
                server.start()
                self.servers[service.name] = server
        for name in ("api", "worker"):
            self._await(name, "service_healthy")

    def down(self) -> None:
        """End the servers."""
        for server in self.servers.values():
            server.kill()

    def _await(self, name: str, condition: str) -> None:
        if condition == "service_healthy" and name in self.servers:
            self.servers[name].wait_healthy()
        elif condition == "service_healthy":
            for each in self.containers[name]:
                each.wait_healthy()
        elif condition == "service_completed_successfully":
            for each in self.containers[name]:
                if each.wait():
                    raise ImageError(f"{name} failed: {each.errors()[-2000:]}")
        else:
            raise ImageError(f"{name}: nothing here waits for {condition}.")

    def _start(self, service: Service) -> None:
        started = [
            Container(
                f"{service.name}{at + 1}",
                self._image,
                self._network,
                self._folder,
                service.environment,
                service.command,
            )
            for at in range(service.replicas)
        ]
        for each in started:
            each.start()
        self.containers[service.name] = started
