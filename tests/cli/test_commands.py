"""The command line as a whole: every command is there, and waits for no other one's imports."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from app.cli.commands import _MODULES, commands
from tests.starter import ROOT, clean_environment

WORDS = list(_MODULES)

# Each imports what those before it do, and more.
IMPORTS = """
import sys
from app.cli.commands import commands
for word, others in (
    ("settings", {"sqlalchemy", "redis", "fastapi", "alembic", "httpx2", "rich"}),
    ("replay", {"sqlalchemy", "redis", "fastapi", "alembic"}),
    ("verify", {"fastapi", "alembic", "uvicorn"}),
    ("serve", {"alembic"}),
):
    commands(word)
    assert not others & set(sys.modules), (word, others & set(sys.modules))
"""


def test_every_command_is_in_the_help() -> None:
    shown = CliRunner().invoke(commands("--help"), ["--help"], env={"COLUMNS": "160"}).output

    assert [word for word in WORDS if f" {word} " not in shown] == []


@pytest.mark.parametrize("word", WORDS)
def test_a_command_alone_still_has_its_name(word: str) -> None:
    done = CliRunner().invoke(commands(word), [word, "--help"], env={"COLUMNS": "160"})

    assert done.exit_code == 0
    assert f" {word} " in done.output


def test_what_is_misspelt_is_told_from_all_commands() -> None:
    done = CliRunner().invoke(commands("replya"), ["replya"])

    assert done.exit_code == 2
    assert "replay" in done.output


def test_a_command_imports_what_it_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        cwd=ROOT,
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
