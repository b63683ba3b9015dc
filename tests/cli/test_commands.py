"""The command line as a whole: every command is there, and waits for no other one's imports."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.commands import _MODULES, commands
from app.cli.say import Exit
from app.settings import VERSION, Settings
from tests.cli.reference import by_hand, each_command, reference, written
from tests.starter import ROOT, clean_environment
from tests.system.orderly import run

WORDS = list(_MODULES)

# Each imports what those before it do, and more.
IMPORTS = """
import sys
from app.cli.commands import commands
for word, others in (
    ("settings", {"sqlalchemy", "redis", "fastapi", "alembic", "httpx2", "rich"}),
    ("replay", {"sqlalchemy", "redis", "fastapi", "alembic"}),
    ("status", {"sqlalchemy", "redis", "fastapi", "alembic"}),
    ("orders", {"sqlalchemy", "redis", "fastapi", "alembic"}),
    ("verify", {"fastapi", "alembic", "uvicorn"}),
    ("doctor", {"fastapi", "alembic", "uvicorn"}),
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


def test_the_version_is_told_without_any_command() -> None:
    done = CliRunner().invoke(commands("--version"), ["--version"])

    assert (done.exit_code, done.stdout) == (0, f"Orderly {VERSION}\n")


@pytest.mark.parametrize("line", [["replya"], ["verify", "--dta", "x"], ["orders", "show"]])
def test_what_is_mistyped_is_json_for_programs(line: list[str]) -> None:
    done = CliRunner().invoke(commands(line[0]), [*line, "--json"])

    assert done.exit_code == 2
    assert done.stdout == ""
    assert json.loads(done.stderr)["code"] == "usage"


def test_every_setting_is_told_to_programs() -> None:
    told = CliRunner().invoke(commands("settings"), ["settings", "--json"])

    settings = {one["name"]: one["default"] for one in json.loads(told.stdout)["items"]}
    assert len(settings) == len(Settings.model_fields)
    assert settings["APP_BATCH"] == 500
    assert settings["DATABASE_URL"] is None


def test_a_broken_invariant_ends_with_three(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "orderly.db")
    whole = run(["verify", "--data", ".", "--json"], tmp_path)
    with closing(sqlite3.connect(tmp_path / "orderly.db")) as database, database:
        database.execute(
            "INSERT INTO stock_levels (sku, location, on_hand, reserved, version)"
            " VALUES ('MUG', 'default', 5, 0, 1)"
        )
    broken = run(["verify", "--data", "."], tmp_path)

    assert (whole.returncode, broken.returncode) == (0, 3)
    assert json.loads(whole.stdout)["violations"] == 0
    assert "FAIL counters equal the ledger\n       " in broken.stdout
    assert "1 violations" in broken.stdout


def test_a_schema_is_made_and_told_to_programs(tmp_path: Path) -> None:
    made = run(["migrate", "--json"], tmp_path)

    told = json.loads(made.stdout)
    assert (told["schema"], told["migrated"][0]) == ("current", "0001")
    assert (tmp_path / "var" / "orderly.db").exists()


def test_a_start_that_fails_is_json_for_programs(tmp_path: Path) -> None:
    done = run(["verify", "--json"], tmp_path)

    assert done.returncode == 1
    assert json.loads(done.stderr) == {
        "code": "failed",
        "detail": "There is no Orderly data in var: name its directory with --data.",
    }


def test_every_way_to_end_is_in_the_document() -> None:
    codes = re.findall(r"^\| (\d+) \|", by_hand(), flags=re.MULTILINE)

    assert list(map(int, codes)) == sorted(map(int, Exit))


def test_the_document_names_every_command_and_option() -> None:
    assert written() == reference(), "run `python -m tests.cli.reference`"


def test_every_command_shows_an_example_of_itself() -> None:
    lacking = [
        words
        for words, command in each_command()
        if words not in command.help.partition("Example: `")[2]
    ]

    assert lacking == []


def test_a_shell_completes_words_and_options(tmp_path: Path) -> None:
    script = tmp_path / "completes"
    script.write_text(
        """
        eval "$("$0" -m app completion bash)"
        cd /
        for words in "dea" "dead-letters re" "replay --fr"; do
            COMP_WORDS=(orderly $words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _orderly_complete; echo "${COMPREPLY[*]}"
        done
        """
    )

    done = subprocess.run(
        ["bash", "-c", script.read_text(), sys.executable],
        cwd=ROOT,
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines() == ["dead-letters", "redrive", "--from-time --from-position"]
    assert done.stderr == ""


def test_other_shells_are_told_as_well() -> None:
    for shell in ("zsh", "fish"):
        told = CliRunner().invoke(commands("completion"), ["completion", shell])
        assert told.exit_code == 0
        assert f"_ORDERLY_COMPLETE=complete_{shell}" in told.stdout
