"""`api-keys` against the application on a real port: from the first key to its end."""

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
import uvicorn
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from app import db
from app.cli.commands import commands
from app.main import SUBSCRIBERS, create_app
from app.settings import Settings
from tests.web.sample import Process

OURS = "a-key-of-enough-letters"

Run = Callable[..., Result]


@contextmanager
def serving(file: Path) -> Iterator[str]:
    """Serve the application, which was given OURS, without loops; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    database = db.sqlite(file)
    settings = Settings.model_validate({"api_key": OURS})
    app = create_app(settings)
    app.state.runtime = Process(settings, database, SUBSCRIBERS)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))

    async def serve() -> None:
        await server.serve([listener])
        await database.close()

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    """Serve an empty database."""
    file = Path(shutil.copy(sqlite_template, tmp_path / "orderly.db"))
    # The server would log into the output of the commands.
    with capture_logs(), serving(file) as served:
        yield served


@pytest.fixture
def run(url: str) -> Run:
    """Return a function that runs a command of `api-keys` with a key, OURS unless it names one."""

    def invoke(*words: str, key: str = OURS, group: str = "api-keys") -> Result:
        env = {"COLUMNS": "200", "APP_API_KEY": key}
        return CliRunner().invoke(commands(group), [group, *words, "--url", url], env=env)

    return invoke


def test_a_key_is_made_used_turned_listed_and_revoked(run: Run) -> None:
    made = run("create", "--name", "clerk", "--scope", "keys", "--scope", "ops")
    secret = made.stdout.strip()
    key_id = made.stderr.split()[0]
    used = run("list", key=secret)
    turned = run("rotate", key_id, "--overlap-seconds", "60")
    overlapping = run("list", key=secret)
    again = run("rotate", key_id)
    over = run("list", key=secret)
    revoked = run("revoke", key_id)
    ended = run("list", key=again.stdout.strip())
    listed = run("list").stdout.splitlines()

    assert (made.exit_code, used.exit_code, overlapping.exit_code) == (0, 0, 0)
    assert secret.startswith("ok_")
    assert "works until" in turned.stderr
    assert "has ended" in again.stderr
    assert len({secret, turned.stdout.strip(), again.stdout.strip()}) == 3
    assert (over.exit_code, ended.exit_code) == (2, 2)
    assert "refuses the key" in ended.stderr
    assert revoked.stdout == f"{key_id} is revoked.\n"
    assert listed[1].split()[:5] == [key_id, "clerk", "revoked", "keys", "ops"]


def test_a_customers_key_and_what_is_refused(run: Run) -> None:
    made = run(
        *("create", "--name", "c-1's app", "--scope", "orders:read", "--customer", "c-1"),
        *("--expires-days", "2", "--rate-limit", "60"),
    )
    holder = made.stdout.strip()
    lacking = run("list", key=holder)
    elsewhere = run("list", key=holder, group="dead-letters")
    unfit = run("create", "--name", "x", "--scope", "ops", "--customer", "c-1")
    unknown = run("create", "--name", "x", "--scope", "orders:delete")
    nobody = run("revoke", "key_0")
    shown = run("list").stdout

    assert made.exit_code == 0
    assert "c-1's app" in shown
    assert lacking.output == "The API key needs the scope keys.\n"
    assert elsewhere.output == "The API key needs the scope ops:read.\n"
    assert "A customer's key cannot hold ops" in unfit.output
    assert "orders:read" in unknown.output
    assert nobody.output == "There is no API key key_0.\n"
    for refused in (lacking, elsewhere, unfit, unknown, nobody):
        assert (refused.exit_code, refused.output.count("\n")) == (1, 1)


def test_a_key_as_json_is_all_of_it(run: Run) -> None:
    made = run("create", "--name", "clerk", "--scope", "ops:read", "--json")
    key = json.loads(made.stdout)
    listed = json.loads(run("list", "--json").stdout)

    assert (made.exit_code, made.stderr) == (0, "")
    assert key["secret"].startswith("ok_")
    assert listed["items"][0]["scopes"] == ["ops:read"]
    assert "secret" not in listed["items"][0]


def test_an_order_is_shown_without_its_events_to_who_may_not_look(run: Run, url: str) -> None:
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {OURS}"}) as http:
        mug = {"title": "Mug", "unit_price": {"amount": "4.25", "currency": "GBP"}}
        http.put("/v1/products/MUG", json=mug).raise_for_status()
        order = {"customer_id": "c-1", "lines": [{"sku": "MUG", "quantity": 2}]}
        placed = http.post("/v1/orders", json=order).raise_for_status().json()
    key = run("create", "--name", "shop", "--scope", "orders:read").stdout.strip()

    # No relay runs here.
    waits = run(group="outbox")
    told = run("show", placed["id"], key=key, group="orders")
    whole = run("show", placed["id"], group="orders")

    assert (told.exit_code, whole.exit_code) == (0, 0)
    assert "8.50 GBP" in told.stdout
    assert told.stderr == "The events are left out: The API key needs the scope ops:read.\n"
    assert "orders.order_created.v1" in whole.stdout
    assert whole.stderr == ""
    (row,) = waits.stdout.splitlines()[1:]
    assert row.split()[1:3] == ["orders.order_created.v1", placed["id"]]
