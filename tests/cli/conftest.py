"""One program for the tests of a file, and commands that are typed against it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner, Result

from app.cli.commands import commands
from tests.system.orderly import Orderly

Run: TypeAlias = Callable[..., Result]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Orderly]:
    """Start an embedded Orderly that the tests of a file share."""
    directory = tmp_path_factory.mktemp("program")
    (directory / "var").mkdir(mode=0o700)
    shutil.copy(sqlite_template, directory / "var" / "orderly.db")
    with Orderly(directory) as started:
        yield started


@pytest.fixture(scope="module")
def typed(program: Orderly) -> Run:
    """Return a function that runs a command, in this process, against the program."""

    def run(*words: str, width: int = 160, url: str | None = None, **more: str) -> Result:
        line = [*words, "--url", url or program.url]
        env = {"COLUMNS": str(width), "APP_API_KEY": ""} | more
        return CliRunner().invoke(commands(words[0]), line, env=env)

    return run
