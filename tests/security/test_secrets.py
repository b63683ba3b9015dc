"""What nobody may read is nowhere to be read, whatever the program does and whatever fails.

Each secret is a canary: a text that nothing else holds, looked for in all that a run leaves behind.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx2
import pytest
import redis
from sqlalchemy import make_url, text

from app import db
from app.cli.doctor_settings import masked
from app.errors import StartupError
from app.runtime import open_stream
from app.settings import Settings, load_settings
from tests.browser.program import MOST_IN_A_BOX
from tests.bus.given_up import dump
from tests.conftest import PostgresFixture
from tests.security import surface
from tests.security.surface import send
from tests.system.orderly import Orderly, Shop, run
from tests.valkey import ValkeyServer

NOBODY = "127.0.0.1:9"


def canary(what: str) -> str:
    """Return a secret that nothing else is."""
    return f"canary-{what}-{uuid4().hex}"


class Program(Orderly):
    """Orderly with a subscriber that raises at orders it has no box for."""

    module = "tests.browser.program"


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let tests block: the program runs in other processes here."""


# A password as people have them, and as they forget to escape them.
AWKWARD = (
    "plain",
    "sl/ash",
    "ha#sh",
    "wh?at",
    "a@t",
    "co:lon",
    "per%zent",
    "brack[et",
    "sp ace",
    "é",
)


@pytest.mark.parametrize("tail", AWKWARD)
async def test_no_refusal_of_an_address_repeats_its_password(tail: str) -> None:
    secret = canary("password")
    told: list[str] = []
    for password in (secret + tail, tail + secret, f"{secret}{tail}{secret}"):
        for place in (NOBODY, "127.0.0.1:port", "127.0.0.1:99999", "[::1", "nowhere.invalid/x"):
            for scheme in ("postgresql", "postgres", "mysql", "redis", "rediss", "unix", "http"):
                url = f"{scheme}://user:{password}@{place}/0?sslmode=nope&socket_timeout=x"
                told += [masked("DATABASE_URL", url), masked("REDIS_URL", url)]
                try:
                    await db.postgresql(url).close()
                except StartupError as error:
                    told.append(f"{error} {error.__cause__} {error.__context__}")
                try:
                    async with open_stream(url, Settings()):
                        pass
                except StartupError as error:
                    told.append(str(error))

    assert len(told) > 300
    assert not [one for one in told if secret in one]


def test_no_setting_shows_a_secret_when_it_is_refused_or_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    secret, short = canary("key"), "2short-canary"
    for name, value in (
        ("APP_API_KEY", short),
        ("DATABASE_URL", f"postgresql://u:{secret}@x/y"),
        ("REDIS_URL", f"redis://:{secret}@x"),
    ):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            with pytest.raises(StartupError) as refused:
                load_settings()
        assert secret not in str(refused.value)
        assert short not in str(refused.value)
    known = load_settings(
        api_key=secret, database_url=f"postgresql://u:{secret}@x/y", redis_url=secret
    )
    for shown in (repr(known), str(known), str(known.model_dump()), known.model_dump_json()):
        assert secret not in shown


@pytest.mark.parametrize("words", [["serve", "--port", "0"], ["doctor", "--json"]])
def test_a_start_that_fails_does_not_say_with_which_password(
    words: list[str], postgres: PostgresFixture, valkey_with_password: ValkeyServer, tmp_path: Path
) -> None:
    wrong, unescaped, key = canary("wrong"), canary("un/escaped#"), canary("key")
    with postgres("pg18") as url:
        at_engine = f"unix://:{wrong}@{valkey_with_password.socket}"
        for redis_url, log_format in (
            (at_engine, "json"),
            (f"redis://:{unescaped}@{NOBODY}", "console"),
        ):
            environment = {
                "DATABASE_URL": with_password(url, wrong),
                "REDIS_URL": redis_url,
                "APP_API_KEY": key,
                "APP_LOG_FORMAT": log_format,
                "APP_LOG_LEVEL": "debug",
            }
            done = run(words, tmp_path, environment)
            said = done.stdout + done.stderr
            assert done.returncode != 0, said
            assert said
            assert "canary" not in said


def with_password(url: str, password: str) -> str:
    """Return the address of a database with a password in it."""
    return make_url(url).set(password=password).render_as_string(hide_password=False)


@pytest.fixture
def valkey_with_password() -> Iterator[ValkeyServer]:
    """Start an engine that asks for a password, which is nobody's here."""
    server = ValkeyServer(users=False)
    server.start()
    lock(server, "somebody-else")
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres: PostgresFixture) -> Iterator[str]:
    """Give a migrated, empty database on a real server."""
    with postgres("pg18") as url:
        yield url


def lock(server: ValkeyServer, password: str) -> None:
    """Have an engine ask for a password from now on."""
    with server.client() as client:
        client.config_set("requirepass", password)


class Watched:
    """A deployment on servers, of two processes that log in both forms, and all they ever said."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self.said: dict[str, str] = {}

    def hear(self, where: str, said: object) -> None:
        """Keep what somebody could read."""
        self.said[where] = self.said.get(where, "") + str(said)

    def leaks(self) -> list[str]:
        """Return which secret is to be read where."""
        return [
            f"{name} in {where}: …{said[max(0, said.index(one) - 200) : said.index(one) + 80]}"
            for where, said in self.said.items()
            for name, one in self.secrets.items()
            if one in said
        ]


async def test_a_whole_run_with_failures_leaves_no_secret_behind(
    database_url: str, tmp_path: Path
) -> None:
    secrets = {
        name: canary(name)
        for name in (
            *("api-key", "database-password", "engine-password", "wrong-key", "basic", "query"),
            *("idempotency-key", "customer", "reference", "reason"),
        )
    }
    watched = Watched(secrets)
    engine = ValkeyServer(users=False)
    engine.start()
    lock(engine, secrets["engine-password"])
    environment = {
        "DATABASE_URL": with_password(database_url, secrets["database-password"]),
        "REDIS_URL": f"unix://:{secrets['engine-password']}@{engine.socket}",
        "APP_API_KEY": secrets["api-key"],
        "APP_LOG_LEVEL": "debug",
        "APP_CLAIM_IDLE_S": "1",
    }
    try:
        with (
            Program(
                tmp_path, {**environment, "APP_ROLE": "api", "APP_LOG_FORMAT": "console"}
            ) as api,
            Program(tmp_path, {**environment, "APP_ROLE": "worker"}) as worker,
        ):
            await _live(watched, api.url, worker.url)
            await _fail(database_url, engine, secrets["engine-password"])
            async with Shop(api.url, key=secrets["api-key"]) as shop:
                # What was done before goes on after all that.
                order = await shop.order({"MUG": 1})
                await shop.settled(order["id"])
                await _look(watched, shop, worker.url)
            for words in (["doctor"], ["doctor", "--json"]):
                done = run(words, tmp_path, environment)
                watched.hear(" ".join(words), done.stdout + done.stderr)
            for name, process in (("api", api), ("worker", worker)):
                process.terminate()
                watched.hear(f"log of {name}", process.log())
        _keys_of(watched, engine, secrets["engine-password"])
        await _rows(watched, database_url)
    finally:
        engine.stop()

    _both_logs_told_of_failures(watched)
    # A business's own words are where they are needed, and not in the log.
    own_words = {"idempotency-key", "customer", "reference", "reason"}
    allowed = {"database", "engine", "answers", "pages"}
    leaks = [
        one
        for one in watched.leaks()
        if not (
            one.split(" in ")[0] in own_words and any(f" in {where}" in one for where in allowed)
        )
    ]
    assert not leaks, "\n".join(leaks)


def _both_logs_told_of_failures(watched: Watched) -> None:
    """Make sure that there was something to find: tracebacks, and errors of both engines."""
    worker, api = watched.said["log of worker"], watched.said["log of api"]
    for line in worker.splitlines():
        assert isinstance(json.loads(line), dict), line
    assert "NoBoxError" in worker
    assert "handled" in worker or 'level":"debug' in worker
    assert "request" in api
    assert len(api) > 5000


async def _live(watched: Watched, url: str, worker_url: str) -> None:
    """Do business, make keys, sign in, and try what does not work."""
    secrets = watched.secrets
    async with Shop(url, key=secrets["api-key"]) as shop:
        await shop.stock({"MUG": 1000})
        body = {
            "customer_id": secrets["customer"],
            "reference": secrets["reference"],
            "lines": [{"sku": "MUG", "quantity": MOST_IN_A_BOX + 1}],
        }
        once = {"Idempotency-Key": secrets["idempotency-key"]}
        made = await shop.http.post("/v1/orders", json=body, headers=once)
        assert made.status_code == 201, made.text
        again = await shop.http.post("/v1/orders", json={**body, "confirm": "manual"}, headers=once)
        watched.hear("answers", again.text)
        await shop.settled(made.json()["id"])
        cancel = f"/v1/orders/{made.json()['id']}/cancel"
        assert (await shop.http.post(cancel, json={"reason": secrets["reason"]})).is_success
        key = await shop.http.post("/v1/api-keys", json={"name": "shop", "scopes": ["*"]})
        turned = await shop.http.post(
            f"/v1/api-keys/{key.json()['id']}/rotate", json={"overlap_s": 60}
        )
        secrets["made-key"], secrets["turned-key"] = key.json()["secret"], turned.json()["secret"]
        with anyio.fail_after(20):
            while not await shop.items("/v1/ops/dead-letters"):
                await anyio.sleep(0.05)
    async with httpx2.AsyncClient(base_url=url, headers={"origin": url}) as browser:
        signed = await browser.post("/console/sign-in", data={"key": secrets["made-key"]})
        secrets["session"] = str(signed.cookies["orderly_session"])
        await _try(watched, browser, worker_url)


async def _try(watched: Watched, browser: httpx2.AsyncClient, worker_url: str) -> None:
    """Look at pages, and be refused with wrong keys of all kinds."""
    secrets = watched.secrets
    for page in ("/console", "/console/orders", "/console/dead-letters", "/console/audit"):
        watched.hear("pages", (await browser.get(page)).text)
    wrong: list[dict[str, Any]] = [
        {"headers": {"authorization": f"Bearer {secrets['wrong-key']}"}},
        {"headers": {"authorization": f"Basic {secrets['basic']}"}},
        {"params": {"api_key": secrets["query"]}},
    ]
    for base in (str(browser.base_url), worker_url):
        async with httpx2.AsyncClient(base_url=base) as stranger:
            for path in ("/v1/orders", "/metrics", "/nothing", "/health/ready", "/console"):
                for one in wrong:
                    answer = await stranger.get(path, **one)
                    watched.hear("refusals", answer.text + str(answer.headers))
    refused = await browser.post("/console/sign-in", data={"key": secrets["wrong-key"]})
    watched.hear("refusals", refused.text + str(refused.headers))
    await browser.post("/console/sign-out")


async def _fail(url: str, engine: ValkeyServer, password: str) -> None:
    """Cut every connection to the database, and lose the engine and its password."""
    admin = db.postgresql(url)
    async with admin.write() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    await admin.close()
    engine.kill()
    await anyio.sleep(0.3)
    engine.start()
    await anyio.sleep(0.3)
    lock(engine, "another-password-for-a-while")
    await anyio.sleep(0.3)
    with redis.Redis(
        unix_socket_path=str(engine.socket), password="another-password-for-a-while"
    ) as client:
        client.config_set("requirepass", password)


async def _look(watched: Watched, shop: Shop, worker_url: str) -> None:
    """Ask for all there is."""
    for operation in surface.operations():
        if operation.method == "GET" and not operation.is_endless:
            answer = await send(shop.http, operation)
            where = "answers" if operation.path != "/metrics" else "metrics"
            watched.hear(where, answer.text + str(answer.headers))
    for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json", "/asyncapi.json"):
        for base in (str(shop.http.base_url), worker_url):
            found = await shop.http.get(f"{base.rstrip('/')}{path}")
            watched.hear("health and metrics", found.text + str(found.headers))


def _keys_of(watched: Watched, engine: ValkeyServer, password: str) -> None:
    """Read every key of the engine."""
    with redis.Redis(unix_socket_path=str(engine.socket), password=password) as client:
        found = list(client.scan_iter("*"))
        assert found
        for key in found:
            kind = client.type(key)
            value: object = client.xrange(key) if kind == b"stream" else client.dump(key)
            watched.hear("engine", f"{key!r} {value!r}")


async def _rows(watched: Watched, url: str) -> None:
    """Read every row of the database."""
    database = db.postgresql(url)
    watched.hear("database", await dump(database))
    await database.close()
    assert "api_keys" in watched.said["database"]


async def test_nothing_secret_lies_in_the_data_directory(tmp_path: Path) -> None:
    key = canary("api-key")
    with Program(tmp_path, {"APP_API_KEY": key, "APP_LOG_LEVEL": "debug"}) as process:
        async with Shop(process.url, key=key) as shop:
            made = (
                await shop.http.post("/v1/api-keys", json={"name": "x", "scopes": ["*"]})
            ).json()
            form = {"key": made["secret"]}
            headers = {"origin": process.url}
            signed = await shop.http.post("/console/sign-in", data=form, headers=headers)
        process.terminate()
        log = process.log()
    secrets = {key, made["secret"], signed.cookies["orderly_session"]}

    _is_kept_to_us(tmp_path / "var", secrets)
    assert not [one for one in secrets if one in log]


def _is_kept_to_us(directory: Path, secrets: set[str]) -> None:
    """Read every file of a directory, which nobody else can."""
    assert directory.stat().st_mode & 0o077 == 0
    files = [file for file in directory.rglob("*") if file.is_file()]
    assert len(files) >= 2
    for file in files:
        content = file.read_bytes()
        assert not [one for one in secrets if one.encode() in content], file
