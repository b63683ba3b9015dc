"""Starting and stopping: it works, or it is one sentence and a non-zero exit."""

import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import httpx2
import pytest

from app.__main__ import _reason
from app.cli.serve import _is_known_to_be_open
from app.db import postgresql
from app.main import SUBSCRIBERS
from app.settings import Settings
from tests import least_privilege
from tests.conftest import PostgresFixture
from tests.postgres import PostgresServer
from tests.starter import clean_environment
from tests.system.conftest import Deployment
from tests.system.orderly import Orderly, Shop, run

NOBODY = "127.0.0.1:9"


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the one sentence of a refusal; fail the test when it is anything else."""
    assert done.returncode != 0, done.stdout
    (sentence,) = done.stderr.strip().splitlines()
    assert sentence.startswith("orderly: ")
    assert "Traceback" not in done.stderr
    return sentence.removeprefix("orderly: ")


UNUSABLE = [
    ({"DATABASE_URL": "postgresql://x/y"}, "DATABASE_URL is set and REDIS_URL is not"),
    ({"REDIS_URL": "redis://x"}, "REDIS_URL is set and DATABASE_URL is not"),
    ({"APP_ROLE": "api"}, "set DATABASE_URL and REDIS_URL, or use APP_ROLE=all"),
    ({"APP_ROLE": "worker"}, "set DATABASE_URL and REDIS_URL, or use APP_ROLE=all"),
    ({"APP_ROLE": "boss"}, "found 'boss'"),
    ({"APP_PORT": "http"}, "found 'http'"),
    ({"APP_SUBSCRIBERS": "orders"}, "APP_SUBSCRIBERS limits a worker"),
    ({"APP_HOST": "192.0.2.1"}, "set one, for example APP_API_KEY="),
    ({"APP_API_KEY": "short"}, "APP_API_KEY is not usable"),
    ({"APP_API_KEY_FILE": "/nowhere/key"}, "/nowhere/key, which cannot be read"),
    ({"DATABASE_URL": "mysql://x/y", "REDIS_URL": "redis://x"}, "speaks postgresql://"),
    ({"DATABASE_URL": "sqlite:///x", "REDIS_URL": "redis://x"}, "speaks postgresql://"),
    ({"DATABASE_URL": "what?", "REDIS_URL": "redis://x"}, "DATABASE_URL is not a URL"),
    (
        {"DATABASE_URL": f"postgres://u:secret@{NOBODY}/d", "REDIS_URL": f"redis://{NOBODY}"},
        "The database of DATABASE_URL cannot be used",
    ),
]


@pytest.mark.parametrize(("environment", "reason"), UNUSABLE)
def test_a_configuration_that_cannot_work_is_one_sentence(
    tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    sentence = refused(run(["serve"], tmp_path, environment))

    assert reason in sentence
    assert "secret" not in sentence


def test_a_data_directory_has_one_process(tmp_path: Path) -> None:
    with Orderly(tmp_path, fresh=True) as first:
        sentence = refused(run(["serve", "--port", "0"], tmp_path))

    assert f"(process {first.pid}) already runs on var" in sentence
    assert "set DATABASE_URL and REDIS_URL" in sentence


def test_a_port_has_one_process(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        sentence = refused(run(["serve", "--port", port], tmp_path))

    assert f"Port {port} on 127.0.0.1 cannot be used" in sentence


def test_a_data_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")

    assert "The data directory var cannot be used" in refused(run(["serve"], tmp_path))


def test_a_newer_schema_is_served_unless_it_says_that_this_build_is_too_old(tmp_path: Path) -> None:
    assert run(["migrate"], tmp_path).returncode == 0
    with closing(sqlite3.connect(tmp_path / "var" / "orderly.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999', oldest = '0009'")

    with Orderly(tmp_path) as process:
        assert '"schema is newer"' in process.log()
    done = run(["migrate"], tmp_path)
    assert (done.returncode, "nothing was done" in done.stdout) == (0, True)
    assert run(["verify"], tmp_path).returncode == 0

    with closing(sqlite3.connect(tmp_path / "var" / "orderly.db")) as database, database:
        database.execute("UPDATE alembic_version SET oldest = '9998'")

    for command in ("serve", "migrate", "verify"):
        assert "migrated by a newer one" in refused(run([command], tmp_path))


def test_on_servers_a_missing_schema_names_the_command_and_migrate_mends_it(
    tmp_path: Path, servers: Deployment, postgres: PostgresFixture
) -> None:
    database = servers.environment["DATABASE_URL"]
    _drop_everything(postgres._server("pg18"), database)

    sentence = refused(run(["serve", "--port", "0"], tmp_path, servers.environment))
    assert "was never created" in sentence
    assert "`python -m app migrate`" in sentence
    assert database not in sentence

    for _ in range(2):
        assert run(["migrate"], tmp_path, servers.as_owner).returncode == 0
    servers.start("all")


def _drop_everything(server: PostgresServer, url: str) -> None:
    server.execute(url, "DROP SCHEMA public CASCADE")
    server.execute(url, "CREATE SCHEMA public")
    if least_privilege.ASKED:
        least_privilege.with_roles(server, url)


def test_a_redis_that_is_not_there_stops_what_needs_it_and_only_that(
    tmp_path: Path, servers: Deployment
) -> None:
    environment = {**servers.environment, "REDIS_URL": f"redis://{NOBODY}"}
    for role in ("all", "worker"):
        done = run(["serve", "--port", "0"], tmp_path, {**environment, "APP_ROLE": role})
        assert "The Redis of REDIS_URL cannot be used" in refused(done)

    with Orderly(tmp_path, {**environment, "APP_ROLE": "api"}) as api:
        assert httpx2.get(f"{api.url}/health/ready").status_code == 200


def test_a_subscriber_nobody_has_is_named(servers: Deployment) -> None:
    environment = {**servers.environment, "APP_ROLE": "worker", "APP_SUBSCRIBERS": "nobody"}

    sentence = refused(run(["serve"], servers.directory, environment))

    known = ", ".join(sorted(each.name for each in SUBSCRIBERS))
    assert f"'nobody', and this build has {known}" in sentence


@pytest.mark.parametrize(
    ("either", "with_signal"),
    [("embedded", signal.SIGINT), ("embedded", signal.SIGTERM), ("pg18", signal.SIGTERM)],
    indirect=["either"],
)
async def test_a_stop_drains_and_takes_less_than_five_seconds(
    either: Deployment, with_signal: signal.Signals
) -> None:
    api = either.start_all()
    async with Shop(api.url) as shop:
        await shop.stock({"MUG": 10})
        await shop.settled((await shop.order({"MUG": 1}))["id"])

        for process in either.processes:
            code, seconds = process.terminate(with_signal)
            assert code == 0
            assert seconds < 5
            assert "Traceback" not in process.log()
    done = run(["verify"], either.directory, either.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 violations; 0 deliveries in transit" in done.stdout


async def test_orders_acknowledged_before_a_stop_under_load_survive_it(
    either: Deployment,
) -> None:
    api = either.start_all()
    acknowledged: list[str] = []
    async with Shop(api.url) as shop:
        await shop.stock({"MUG": 10_000})

        async def buy() -> None:
            try:
                while True:
                    acknowledged.append((await shop.order({"MUG": 1}))["id"])
            except httpx2.HTTPError:
                return

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(buy)
            while len(acknowledged) < 50:
                await anyio.sleep(0.01)
            for process in reversed(either.processes):
                code, seconds = await anyio.to_thread.run_sync(process.terminate)
                assert code == 0
                assert seconds < 5

    async with Shop(either.start_all().url) as shop:
        await shop.all_settled()
        assert await shop.count(status="confirmed") >= len(acknowledged)
        for order_id in acknowledged:
            assert (await shop.get(order_id))["status"] == "confirmed"
    await either.verify()


def test_plain_uvicorn_serves_the_app_too(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)]
    environment = clean_environment({})
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            _until_ready(f"http://127.0.0.1:{port}/health/ready")
            second = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
        finally:
            server.terminate()
    assert second.returncode != 0
    assert "already runs on var" in second.stderr
    assert "Traceback" not in second.stderr


def _until_ready(url: str) -> None:
    async def ask() -> None:
        async with httpx2.AsyncClient() as client:
            with anyio.fail_after(20):
                while True:
                    try:
                        if (await client.get(url)).status_code == 200:
                            return
                    except httpx2.TransportError:
                        pass
                    await anyio.sleep(0.05)

    anyio.run(ask)


def test_settings_come_from_flag_then_environment_then_file(
    tmp_path: Path, deploy: Callable[[str], Deployment]
) -> None:
    (tmp_path / ".env").write_text("APP_DATA=from-file\nAPP_LOG_LEVEL=debug\n")

    deploy("embedded").start("all", data="from-environment")

    assert (tmp_path / "from-environment" / "orderly.db").exists()
    assert not (tmp_path / "from-file").exists()


async def test_a_database_that_goes_away_while_it_starts_is_waited_for(tmp_path: Path) -> None:
    """Only what is announced asks it then: loops and requests wait it out, so the start does."""
    away = postgresql("postgresql://127.0.0.1:9/none")
    try:
        assert not await _is_known_to_be_open(Settings(data=tmp_path), away)
    finally:
        await away.close()


def test_what_a_server_refuses_is_one_sentence_also_beside_loops() -> None:
    refused = ExceptionGroup("beside loops", [ExceptionGroup("again", [OSError("no route")])])

    assert _reason(refused) == "OSError: no route"
    assert _reason(ExceptionGroup("two", [OSError("one"), OSError("two")])) is None
    assert _reason(ExceptionGroup("a bug", [ValueError("x")])) is None
