"""docs/operations.md is true: what it says to type is typed, between orders, and none is lost."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from tests.conftest import PostgresFixture
from tests.least_privilege import application, operator_url
from tests.starter import ROOT, clean_environment
from tests.system.conftest import Deployment
from tests.system.orderly import Orderly, Shop, run
from tests.valkey import ValkeyServer

SOON = {"APP_RECONCILE_AFTER_S": "0.2"}


def typed(title: str) -> list[str]:
    """Return the blocks of commands below a heading, up to the next one."""
    page = (ROOT / "docs" / "operations.md").read_text()
    text = re.split(r"^#+ ", page.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def shell(script: str, directory: Path, environment: Mapping[str, str]) -> str:
    """Type a block, and return what it printed; a command that fails, fails the test."""
    done = subprocess.run(
        ["bash", "-e", "-c", script.replace("python3 dev.py", f"{sys.executable} -m app")],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def bought(shop: Shop, number: int) -> list[str]:
    """Have so many orders placed and confirmed."""
    ids = [(await shop.order({"MUG": 1}))["id"] for _ in range(number)]
    for order_id in ids:
        assert (await shop.settled(order_id))["status"] == "confirmed"
    return ids


async def check_restored(shop: Shop, here: list[str], gone: list[str]) -> None:
    """Check that the shop has the orders of the backup, none from later, and sells."""
    await shop.all_settled()
    for order_id in here:
        assert (await shop.get(order_id))["status"] == "confirmed"
    for order_id in gone:
        assert (await shop.http.get(f"/v1/orders/{order_id}")).status_code == 404
    more = await bought(shop, 5)
    on_hand, reserved, _ = await shop.level("MUG")
    assert (on_hand, reserved) == (1000, len(here) + len(more))


async def test_embedded(tmp_path: Path) -> None:
    back_up, restore = typed("Embedded")
    environment = clean_environment({})
    with Orderly(tmp_path) as process:
        async with Shop(process.url) as shop:
            await shop.stock({"MUG": 1000})
            here = await bought(shop, 5)
            shell(back_up, tmp_path, environment)
            gone = await bought(shop, 5)

    assert "0 violations" in shell(restore, tmp_path, environment)

    with Orderly(tmp_path, SOON) as process:
        async with Shop(process.url) as shop:
            await check_restored(shop, here, gone)
        [proof] = typed("Database restored to an older point")
        assert "0 violations" in shell(proof, tmp_path, environment)


async def unread(shop: Shop, engine: ValkeyServer | None) -> list[str]:
    """Place orders that stay on the stream, where nobody reads any more."""
    assert engine is not None
    reason = {"reason": "before the restore"}
    paused = await shop.http.post("/v1/ops/subscribers/inventory/pause", json=reason)
    paused.raise_for_status()
    placed: list[str] = []
    with engine.client() as client, anyio.fail_after(30):
        # It takes a second until the worker heeds it.
        while client.xinfo_groups("events:orders")[0]["lag"] < 3:
            placed.append((await shop.order({"MUG": 1}))["id"])
            await anyio.sleep(0.1)
    return placed


@pytest.fixture
def servers_of(
    deploy: Callable[[str], Deployment], postgres: PostgresFixture
) -> Iterator[tuple[Deployment, Mapping[str, str], str]]:
    """Give a deployment, the shell of its operator, and the URL of what is restored."""
    deployment = deploy("pg18")
    server = postgres._server("pg18")
    url = operator_url(deployment.environment["DATABASE_URL"]).replace("+asyncpg", "")
    name = f"t_{uuid4().hex}"
    restored = re.sub(r"/t_\w+", f"/{name}", url)
    own = {**deployment.environment, "DATABASE_URL": url, "RESTORED_URL": restored}
    shell_of = clean_environment(own)
    yield deployment, {**shell_of, "PATH": f"{server._bin}:{shell_of['PATH']}"}, name
    server.drop_database(name)


async def test_postgresql_beside_a_redis_that_knows_more(
    servers_of: tuple[Deployment, Mapping[str, str], str],
) -> None:
    deployment, environment, name = servers_of
    back_up, restore = typed("PostgreSQL")
    async with Shop(deployment.start_all().url) as shop:
        await shop.stock({"MUG": 1000})
        here = await bought(shop, 5)
        shell(back_up, deployment.directory, environment)
        gone = await bought(shop, 5)
        gone += await unread(shop, deployment.valkey)
    for process in deployment.processes:
        process.kill()

    shell(restore.replace("orderly_restored", name), deployment.directory, environment)

    deployment.environment = {
        **deployment.environment,
        "DATABASE_URL": application(environment["RESTORED_URL"]),
        **SOON,
    }
    async with Shop(deployment.start_all().url) as shop:
        await check_restored(shop, here, gone)
        [proof] = typed("Database restored to an older point")
        restored = {**environment, "DATABASE_URL": environment["RESTORED_URL"]}
        assert "0 violations" in shell(proof, deployment.directory, restored)
    logs = "".join(process.log() for process in deployment.processes[2:])
    assert "never wrote" in logs


def test_a_new_version(tmp_path: Path) -> None:
    [block] = typed("A new version")
    assert run(["migrate"], tmp_path).returncode == 0

    told = shell(block, tmp_path, clean_environment({"COLUMNS": "200"}))

    assert "schema" in told
    assert "The schema is up to date." in told
