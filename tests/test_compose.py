"""compose.yaml: what Compose takes, in an order that works, with timings that fit one another."""

import json
import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # as below
import pytest
import yaml  # type: ignore[import-untyped]  # stubs are a package of their own
from typer.main import get_command

from app.cli.commands import commands
from app.settings import Settings, variable_of
from deploy.image.composition import CompositionError, Service, read, seconds

ROOT = Path(__file__).parents[1]
FILE = ROOT / "compose.yaml"
SECRETS = {"POSTGRES_PASSWORD": "letters4nd5digits", "APP_API_KEY": "a-key-of-16-letters-or-more"}
OURS = ("migrate", "api", "worker")


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    return read(FILE, SECRETS)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    found: dict[str, Any] = json.loads(vendored.read_text())
    return found


def settings(service: Service, **more: object) -> Settings:
    """Return the settings that the program would read inside."""
    names = {variable_of(name): name for name in Settings.model_fields}
    assert set(service.environment) <= set(names)
    values = {names[name]: value for name, value in service.environment.items()}
    return Settings.model_validate(values | more)


def test_the_file_is_what_the_specification_says(schema: dict[str, Any]) -> None:
    jsonschema.validate(yaml.safe_load(FILE.read_text()), schema)


@pytest.mark.parametrize("slip", ["healthchek", "stop_grace_time", "enviroment"])
def test_a_misspelt_word_is_noticed(schema: dict[str, Any], slip: str) -> None:
    written = yaml.safe_load(FILE.read_text())
    written["services"]["api"][slip] = {}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema)


def test_each_service_starts_after_what_it_needs(services: dict[str, Service]) -> None:
    needed = {name: each.depends_on for name, each in services.items()}

    assert needed == {
        "postgres": {},
        "redis": {},
        "migrate": {"postgres": "service_healthy"},
        "api": {"migrate": "service_completed_successfully", "redis": "service_healthy"},
        "worker": {"migrate": "service_completed_successfully", "redis": "service_healthy"},
    }
    started: set[str] = set()
    for name, conditions in needed.items():
        assert set(conditions) <= started
        started.add(name)
    # What is waited for until it is healthy has somebody who asks.
    assert "test" in services["postgres"].values["healthcheck"]
    assert "test" in services["redis"].values["healthcheck"]


def test_what_runs_once_is_not_asked_whether_it_is_healthy(services: dict[str, Service]) -> None:
    assert services["migrate"].values["healthcheck"] == {"disable": True}
    assert services["migrate"].values["restart"] == "on-failure"


def test_roles_and_replicas(services: dict[str, Service]) -> None:
    assert settings(services["api"]).role == "api"
    assert settings(services["worker"]).role == "worker"
    assert [services[name].replicas for name in OURS] == [1, 1, 2]
    # A name of its own or a port of this machine's is for one container only.
    assert {"container_name", "ports"}.isdisjoint(services["worker"].values)


def test_every_variable_is_one_that_the_program_reads(services: dict[str, Service]) -> None:
    known = {variable_of(name) for name in Settings.model_fields}

    for name in OURS:
        assert set(services[name].environment) <= known
    # The one besides: where this machine publishes the API.
    named = set(re.findall(r"\bAPP_\w+", FILE.read_text()))
    assert named - known == {"APP_PUBLISH"}


def test_commands_are_words_of_the_program(services: dict[str, Service]) -> None:
    program = get_command(commands())

    assert services["migrate"].command == ["migrate"]
    assert "migrate" in getattr(program, "commands", {})
    assert not services["api"].command
    assert not services["worker"].command


def test_all_speak_to_the_servers_of_the_file(services: dict[str, Service]) -> None:
    database = services["postgres"].environment
    for name in OURS:
        given = settings(services[name])
        assert given.database_url is not None
        assert given.redis_url is not None
        assert given.database_url.get_secret_value() == (
            f"postgresql://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}"
            f"@postgres:5432/{database['POSTGRES_DB']}"
        )
        assert given.redis_url.get_secret_value() == "redis://redis:6379/0"


def test_a_secret_that_is_missing_is_asked_for() -> None:
    for missing in SECRETS:
        rest = {name: value for name, value in SECRETS.items() if name != missing}
        with pytest.raises(CompositionError, match=f"^{missing}: set {missing}"):
            read(FILE, rest)


def test_the_engine_keeps_what_it_has_and_evicts_nothing(services: dict[str, Service]) -> None:
    name, *options = services["redis"].command
    given = dict(zip(options[::2], options[1::2], strict=True))

    assert name == "valkey-server"
    assert given["--appendonly"] == "yes"
    assert given["--maxmemory-policy"] == "noeviction"
    assert services["redis"].values["volumes"] == ["redis:/data"]
    assert services["postgres"].values["volumes"] == ["postgres:/var/lib/postgresql/data"]


def test_health_is_asked_with_what_the_images_have(services: dict[str, Service]) -> None:
    asked = {
        name: each.values["healthcheck"]["test"][:2]
        for name, each in services.items()
        if "test" in each.values.get("healthcheck", {})
    }

    assert asked == {"postgres": ["CMD", "pg_isready"], "redis": ["CMD", "valkey-cli"]}
    # The API and the workers have the image's own.
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    for name in ("api", "worker"):
        assert "healthcheck" not in services[name].values
    for name in asked:
        check = services[name].values["healthcheck"]
        assert seconds(check["interval"]) * check["retries"] >= 60


def test_a_stop_has_the_time_it_needs(services: dict[str, Service]) -> None:
    for name in ("api", "worker"):
        given = settings(services[name])
        needed = given.drain_notice_s + given.drain_s + given.handler_timeout_s
        assert needed < services[name].stop_grace_s


def test_containers_may_do_no_more_than_they_must(services: dict[str, Service]) -> None:
    for name in OURS:
        values = services[name].values
        assert values["read_only"] is True
        assert values["cap_drop"] == ["ALL"]
        assert values["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in values
        assert "user" not in values
    published = {
        name: each.values["ports"] for name, each in services.items() if "ports" in each.values
    }
    # To this machine only, until somebody says where.
    assert published == {"api": ["127.0.0.1:8000:8000"]}
    assert read(FILE, SECRETS | {"APP_PUBLISH": "8080"})["api"].values["ports"] == ["8080:8000"]


def test_servers_are_of_versions_that_the_program_takes(services: dict[str, Service]) -> None:
    majors = {
        name: tuple(services[name].values["image"].split(":")) for name in ("postgres", "redis")
    }
    assert majors["postgres"][0] == "postgres"
    assert int(majors["postgres"][1]) in range(16, 19)
    assert majors["redis"][0] == "valkey/valkey"
    assert int(majors["redis"][1]) >= 8


@pytest.mark.parametrize(
    ("period", "expected"), [("90s", 90), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200)]
)
def test_periods_are_read_as_compose_reads_them(period: str, expected: float) -> None:
    assert seconds(period) == expected


@pytest.mark.parametrize("period", ["", "90", "1 minute", "s", "1m30"])
def test_what_is_no_period_is_refused(period: str) -> None:
    with pytest.raises(CompositionError):
        seconds(period)


def test_variables_are_filled_in_as_compose_does(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(
        "services: {a: {command: ['${SET}', '${UNSET:-other}', '${EMPTY:-other}', '${UNSET}']}}"
    )

    filled = read(file, {"SET": "here", "EMPTY": ""})

    assert filled["a"].command == ["here", "other", "other", ""]
    assert "UNSET" not in os.environ
