"""`doctor` finds what is wrong with real engines and real settings, and says what to do."""

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

from app.cli import doctor_machine
from app.cli.commands import commands
from app.cli.doctor_machine import clocks, packages, storage
from app.cli.finding import Verdict
from tests.cli.conftest import Run
from tests.conftest import PostgresFixture
from tests.least_privilege import as_role
from tests.postgres import PostgresServer
from tests.system.orderly import Orderly
from tests.valkey import ValkeyServer

NOBODY = "127.0.0.1:9"

Doctor = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let the command block: nobody else is in its loop."""


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Return a function that runs `doctor` in an empty directory with these settings."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, **settings: str) -> Result:
        env = {"COLUMNS": "200", "APP_PORT": "0"} | settings
        return CliRunner().invoke(commands("doctor"), ["doctor", *words], env=env)

    return run


@pytest.fixture
def servers(postgres: PostgresFixture, valkey: ValkeyServer) -> Iterator[Mapping[str, str]]:
    """Give the settings of a database and an engine that are well."""
    with postgres("pg18") as url:
        yield {"DATABASE_URL": url, "REDIS_URL": valkey.url}


def lines(done: Result, verdict: str) -> list[str]:
    """Return the lines of a verdict, what to do about each included."""
    found = done.stdout.split("\n")
    return [f"{line} {found[at + 1]}" for at, line in enumerate(found) if line.startswith(verdict)]


def test_a_fresh_place_is_well(doctor: Doctor) -> None:
    done = doctor()

    assert done.exit_code == 0, done.output
    assert not lines(done, "failed")
    for name in ("Python", "open files", "packages", "data directory", "database", "port"):
        assert any(name in line for line in lines(done, "ok")), name


def test_what_runs_is_asked(typed: Run, program: Orderly, monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed("orders", "list").exit_code == 0
    monkeypatch.chdir(program.directory)
    port = program.url.rpartition(":")[2]
    done = CliRunner().invoke(
        commands("doctor"), ["doctor", "--json", "--port", port, "--host", "127.0.0.1"]
    )

    told = json.loads(done.stdout)
    checks = {one["name"]: one for one in told["checks"]}
    assert (done.exit_code, told["failed"]) == (0, 0)
    assert checks["stream engine"]["found"].startswith("Valkey ")
    assert checks["schema"]["found"] == "up to date"
    assert checks["port"]["found"].startswith("an Orderly serves")
    assert {one["name"]: one["source"] for one in told["settings"]} == {
        "APP_HOST": "flag",
        "APP_PORT": "flag",
    }


def test_servers_that_are_well(doctor: Doctor, servers: Mapping[str, str]) -> None:
    done = doctor(**servers)

    assert done.exit_code == 0, done.output
    assert "PostgreSQL 18" in done.stdout
    assert "maxmemory-policy noeviction" in done.stdout
    assert any("clocks" in line and "stream +0.0 s" in line for line in lines(done, "ok"))


def test_servers_that_do_not_answer_are_named_without_their_passwords(doctor: Doctor) -> None:
    done = doctor(
        DATABASE_URL=f"postgresql://me:hush@{NOBODY}/shop?password=hush",
        REDIS_URL=f"redis://:hush@{NOBODY}/0",
        APP_API_KEY="hush-hush-hush-hush",
    )

    assert done.exit_code == 3
    failed = " ".join(lines(done, "failed"))
    assert "database" in failed
    assert "correct DATABASE_URL" in failed
    assert "stream engine" in failed
    assert "correct REDIS_URL" in failed
    assert "hush" not in done.output
    assert (
        "DATABASE_URL=postgresql://me:***@127.0.0.1:9/shop?password=***  (environment)"
        in done.stdout
    )
    assert "APP_API_KEY=*** (19 characters)" in done.stdout


def test_a_user_without_rights_is_told_what_is_missing(
    doctor: Doctor, servers: Mapping[str, str], postgres: PostgresFixture
) -> None:
    server, url = server_of(postgres), servers["DATABASE_URL"]
    server.execute(url, "CREATE ROLE looker LOGIN")
    try:
        server.execute(url, f'GRANT CONNECT ON DATABASE "{make_url(url).database}" TO looker')
        server.execute(url, "GRANT USAGE ON SCHEMA public TO looker")
        server.execute(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker")
        as_looker = as_role(url, "looker")
        done = doctor(**{**servers, "DATABASE_URL": as_looker})
    finally:
        server.execute(url, "DROP OWNED BY looker")
        server.execute(url, "DROP ROLE looker")

    assert done.exit_code == 3
    (failed,) = lines(done, "failed")
    assert "no full rights on" in failed
    assert "stock_levels" in failed
    assert "Grant SELECT, INSERT, UPDATE and DELETE" in failed
    assert any("looker may not create tables" in line for line in lines(done, "warning"))


def test_an_engine_that_evicts_streams_fails(doctor: Doctor, servers: Mapping[str, str]) -> None:
    engine = ValkeyServer(persistent=False)
    engine.start()
    try:
        with engine.client() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        done = doctor(**{**servers, "REDIS_URL": engine.url})
        with engine.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.replicaof("127.0.0.1", "9")
        replica = doctor(**{**servers, "REDIS_URL": engine.url})
    finally:
        engine.stop()

    (failed,) = lines(done, "failed")
    assert "maxmemory-policy is allkeys-lru" in failed
    assert "Set `maxmemory-policy noeviction`" in failed
    assert (done.exit_code, replica.exit_code) == (3, 3)
    assert any("is a replica" in line for line in lines(replica, "failed"))


def test_a_schema_that_is_old_fails_on_servers_and_is_mended_when_embedded(
    doctor: Doctor,
    servers: Mapping[str, str],
    postgres: PostgresFixture,
    tmp_path: Path,
    sqlite_template: Path,
) -> None:
    old = "UPDATE alembic_version SET version_num = '0002'"
    server = server_of(postgres)
    server.execute(servers["DATABASE_URL"], old)
    try:
        failed = doctor(**servers)
    finally:
        server.execute(servers["DATABASE_URL"], back_again(sqlite_template))
    (tmp_path / "var").mkdir()
    with closing(sqlite3.connect(tmp_path / "var" / "orderly.db")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('0002')")
    embedded = doctor()
    with closing(sqlite3.connect(tmp_path / "var" / "orderly.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    newer = doctor()
    with closing(sqlite3.connect(tmp_path / "var" / "orderly.db")) as database, database:
        database.execute("ALTER TABLE alembic_version ADD COLUMN oldest TEXT DEFAULT '9998'")
    unfit = doctor()

    assert failed.exit_code == 3
    (told,) = (line for line in lines(failed, "failed") if "is at 0002" in line)
    assert "dev.py migrate" in told
    assert "; 0008 Sessions of the console, with digests in place of cookies" in told
    assert embedded.exit_code == 0
    assert any("The next start migrates it" in line for line in lines(embedded, "warning"))
    assert newer.exit_code == 0
    assert any("this version works with it" in line for line in lines(newer, "warning"))
    assert unfit.exit_code == 3
    assert any("by a newer one" in line for line in lines(unfit, "failed"))


def server_of(postgres: PostgresFixture) -> PostgresServer:
    """Return the server that `servers` has its database on."""
    return postgres._servers["pg18"]


def back_again(template: Path) -> str:
    """Return the statement that names the schema as it is."""
    with closing(sqlite3.connect(template)) as database:
        (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return f"UPDATE alembic_version SET version_num = '{revision}'"  # noqa: S608 - our own


def test_settings_that_cannot_be_used_are_one_line(doctor: Doctor, tmp_path: Path) -> None:
    half = doctor(DATABASE_URL="postgresql://x/y")
    (tmp_path / ".env").write_text("APP_DATBASE_POOL=3\nAPP_BATCH=400\n")
    slip = doctor()
    open_to_all = doctor(APP_HOST="0.0.0.0")  # noqa: S104 - the mistake

    assert half.exit_code == 3
    assert "DATABASE_URL is set and REDIS_URL is not" in " ".join(lines(half, "failed"))
    assert slip.exit_code == 0
    (warning,) = lines(slip, "warning")
    assert "APP_DATBASE_POOL (.env) is no setting" in warning
    assert "Did you mean APP_DATABASE_POOL?" in warning
    assert "APP_BATCH=400  (.env)" in slip.stdout
    assert open_to_all.exit_code == 3
    assert "Set APP_API_KEY" in " ".join(lines(open_to_all, "failed"))


def test_a_port_that_somebody_else_has_fails(doctor: Doctor) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        done = doctor("--port", str(taken.getsockname()[1]))

    assert done.exit_code == 3
    assert any("port" in line and "choose another" in line for line in lines(done, "failed"))


def test_a_directory_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")

    (finding,) = storage(tmp_path / "var" / "data")

    assert finding.verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("ahead_s", "verdict"),
    [(0.1, Verdict.OK), (-5.0, Verdict.WARNING), (90.0, Verdict.FAILED)],
)
def test_clocks_that_differ_are_told(ahead_s: float, verdict: Verdict) -> None:
    (finding,) = clocks({"database": ahead_s, "stream": 0.0})

    assert finding.verdict is verdict
    assert not [*clocks({"database": None, "stream": None})]


def test_packages_other_than_the_locked_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("typer==0.0.1 \\\nnone-such==1.0 ; sys_platform == 'win32' \\\nnope==2\n")
    monkeypatch.setattr(doctor_machine, "LOCK", lock)

    (finding,) = packages()

    assert finding.verdict is Verdict.WARNING
    assert "typer is " in finding.found
    assert "nope is missing" in finding.found
    assert "none-such" not in finding.found
