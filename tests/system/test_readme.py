"""README is true: its tour is typed as it stands there, and what it names is there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from app.cli.commands import commands
from app.settings import Settings
from tests.starter import ROOT, clean_environment
from tests.system.conftest import Deployment
from tests.system.tour import README, as_one_script, differences, matches, tour


def typed(script: str, directory: Path) -> str:
    """Type it in one shell, beside the data of a server, and return what is printed."""
    script = script.replace("python3 dev.py", f"{sys.executable} -m app")
    script = script.replace("examples/", f"{ROOT}/examples/")
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=directory,
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_the_tour_goes_as_readme_says(deploy: Callable[[str], Deployment]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    embedded = deploy("embedded")
    url = embedded.start_all().url

    printed = await anyio.to_thread.run_sync(typed, as_one_script(url), embedded.directory)

    assert len(tour()) == 8
    assert differences(printed) == []
    await embedded.verify()


def test_what_is_shown_is_compared() -> None:
    assert matches('{"a":1, … "c":3}\n', 'x {"a": 1,"b":2,"c":3}')
    assert not matches('{"a":1, … "c":4}', '{"a":1,"b":2,"c":3}')


def test_every_test_that_readme_names_is_there() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    for name in re.findall(r"`(test_\w+)`", README):
        assert f"def {name}(" in tests, name


def test_every_command_that_readme_names_is_there() -> None:
    program = get_command(commands())
    own = set(re.findall(r"^  (\w+) +", (ROOT / "dev.py").read_text(), flags=re.MULTILINE))
    lines = re.findall(
        r"^(?:APP_ROLE=\w+ +)?python3 dev\.py (.*?)(?: +#.*)?$", README, re.MULTILINE
    )

    assert len(lines) > 10
    for line in lines:
        words = line.split()
        if words[0] in own - {"run"}:
            continue
        command = program
        while isinstance(command, TyperGroup):
            command = command.commands[words.pop(0).replace("run", "serve")]
        options = {name for option in command.params for name in option.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_every_setting_that_readme_names_is_there() -> None:
    names = {f"APP_{name.upper()}" for name in Settings.model_fields}

    assert set(re.findall(r"\bAPP_\w+", README)) <= names
