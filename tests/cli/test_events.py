"""`events` against the application on a real port."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from app.cli.commands import commands
from tests.cli.test_api_keys import OURS, serving

ORDER = "orders.order_created.v1"

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def run(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Return a function that runs a command of `events`."""
    file = Path(shutil.copy(sqlite_template, tmp_path_factory.mktemp("events") / "orderly.db"))
    # The server would log into the output of the commands.
    with capture_logs(), serving(file) as url:

        def invoke(*words: str, key: str = OURS) -> Result:
            env = {"COLUMNS": "200", "APP_API_KEY": key}
            return CliRunner().invoke(commands("events"), ["events", *words, "--url", url], env=env)

        yield invoke


def test_every_type_is_listed(run: Run) -> None:
    done = run("list")

    assert done.exit_code == 0
    (line,) = (one for one in done.output.splitlines() if one.startswith(ORDER))
    assert line.split()[1] == "order_id"


def test_a_type_is_described_with_its_fields_and_an_example(run: Run) -> None:
    done = run("describe", ORDER)

    assert done.exit_code == 0
    assert "An order was accepted and waits for stock." in done.output
    assert "published by orders, heard by inventory, about order_id" in done.output
    (line,) = (one for one in done.output.splitlines() if one.startswith("lines[].quantity"))
    assert line.split(maxsplit=1)[1].strip().startswith("integer > 0")
    assert '"partitionkey": "ord_' in done.output


def test_a_program_gets_the_schema_too(run: Run) -> None:
    told = json.loads(run("describe", ORDER, "--json").output)

    assert told["type"] == told["example"]["type"] == ORDER
    assert told["schema"]["x-subject"] == told["subject"] == "order_id"
    types = [item["type"] for item in json.loads(run("list", "--json").output)["items"]]
    assert ORDER in types
    assert types == sorted(types)


def test_what_there_is_not_is_refused_in_a_sentence(run: Run) -> None:
    done = run("describe", "orders.order_creatde.v1")

    assert done.exit_code == 1
    assert done.stderr == "There are no events of the type orders.order_creatde.v1.\n"
    assert run("list", key="wrong-key-of-enough-letters").exit_code == 2
