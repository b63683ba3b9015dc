"""The image's HEALTHCHECK beside served processes: 0 when ready, in every role, and 1 when not."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from deploy.image import healthcheck
from tests.system.conftest import Deployment
from tests.system.orderly import Orderly


def asked(**environment: str) -> "subprocess.CompletedProcess[str]":
    """Run it as the image does."""
    return subprocess.run(
        [sys.executable, "-IS", healthcheck.__file__],
        env=environment,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


def code(process: Orderly) -> int:
    """Ask a process on its port; return the exit code."""
    return asked(APP_PORT=str(urlsplit(process.url).port)).returncode


async def becomes(process: Orderly, wanted: int) -> None:
    """Wait until it says so."""
    with anyio.fail_after(20):
        while code(process) != wanted:
            await anyio.sleep(0.05)


async def test_a_worker_needs_the_engine_and_an_api_does_not(servers: Deployment) -> None:
    worker, api = servers.start("worker"), servers.start("api")
    assert [code(worker), code(api)] == [0, 0]
    assert servers.valkey is not None

    servers.valkey.kill()
    await becomes(worker, 1)
    assert code(api) == 0

    servers.valkey.start()
    await becomes(worker, 0)


async def test_who_drains_is_not_ready(servers: Deployment) -> None:
    api = servers.start("api", drain_notice_s="60")
    assert code(api) == 0

    os.kill(api.pid, signal.SIGTERM)
    await becomes(api, 1)
    assert api.exit_code is None


def test_an_embedded_process_is_ready_by_itself(tmp_path: Path) -> None:
    with Orderly(tmp_path) as process:
        port = urlsplit(process.url).port
        answers = [
            asked(APP_PORT=str(port)),
            asked(PORT=str(port)),
            asked(PORT="9", APP_PORT=str(port), APP_HOST="0.0.0.0"),  # noqa: S104 - not bound
        ]
        assert [each.returncode for each in answers] == [0, 0, 0]
        assert '"status":"ready"' in answers[0].stdout
        process.kill()
        gone = asked(APP_PORT=str(port))

    assert gone.returncode == 1
    assert gone.stdout.startswith(f"No answer on port {port}: ")
    assert gone.stderr == ""


@pytest.mark.parametrize("host", ["::", "::1"])
def test_it_asks_where_the_process_listens(tmp_path: Path, host: str) -> None:
    try:
        with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    environment = {"APP_HOST": host, "APP_API_KEY": "0123456789abcdef"}
    with Orderly(tmp_path, environment) as process:
        port = str(urlsplit(process.url).port)
        assert asked(APP_HOST=host, APP_PORT=port).returncode == 0


def test_something_else_on_the_port_is_no_answer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        other.settimeout(10)
        begun = subprocess.Popen(
            [sys.executable, "-IS", healthcheck.__file__],
            env={"APP_PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        accepted, _ = other.accept()
        with accepted:
            accepted.sendall(b"220 ready when you are\r\n")
        _, said = begun.communicate(timeout=10)

    assert begun.returncode == 1
    assert said == ""
