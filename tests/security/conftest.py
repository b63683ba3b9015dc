"""The whole application for attackers: in this process, and as a process of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.orderly import Orderly

KEY = "the-key-that-opens-everything"


@pytest.fixture(scope="module")
def server(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orderly]:
    """Serve, as the program does, on a port of this machine, with KEY."""
    directory = tmp_path_factory.mktemp("served")
    (directory / "var").mkdir(mode=0o700)
    shutil.copy(sqlite_template, directory / "var" / "orderly.db")
    with Orderly(directory, {"APP_API_KEY": KEY}) as running:
        yield running
