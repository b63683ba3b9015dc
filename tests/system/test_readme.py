"""README is true: its tour is typed as it stands there, and what it names is there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from app.cli.commands import commands
from app.main import create_app
from app.settings import Settings
from tests.starter import ROOT, clean_environment
from tests.system.conftest import Deployment

README = (ROOT / "README.md").read_text()

END = "--- end of block {} ---"
METHODS = ("GET", "PUT", "POST", "DELETE")


def section(title: str) -> str:
    """Return the text below a heading of README."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def tour() -> list[tuple[str, str]]:
    """Return each block of commands with what README says is printed, or nothing."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section("A tour"), flags=re.DOTALL | re.MULTILINE)
    shown = {at - 1: text for at, (kind, text) in enumerate(blocks) if not kind}
    return [(text, shown.get(at, "")) for at, (kind, text) in enumerate(blocks) if kind == "sh"]


def matches(shown: str, printed: str) -> bool:
    """Tell whether README shows what was printed: … is anything, and blanks do not count."""
    parts = ["".join(part.split()) for part in shown.split("…")]
    return re.search(".*".join(map(re.escape, parts)), "".join(printed.split())) is not None


def typed(script: str, url: str, directory: Path) -> str:
    """Type it in one shell, beside the data of the server at url, and return what is printed."""
    script = script.replace("http://127.0.0.1:8000", url)
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
    blocks = tour()
    script = "\n".join(
        f"{commands}echo; echo '{END.format(at)}'" for at, (commands, _) in enumerate(blocks)
    )

    printed = await anyio.to_thread.run_sync(typed, script, url, embedded.directory)

    assert len(blocks) == 8
    for at, (commands_, shown) in enumerate(blocks):
        found, _, printed = printed.partition(END.format(at))
        assert matches(shown, found), f"{commands_}\n{shown}\n{found}"
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


def test_the_table_of_routes_is_complete(tmp_path: Path) -> None:
    named = set(named_routes())
    app = create_app(Settings(data=tmp_path))
    there = {
        (method.upper(), re.sub(r"{\w+}", "{}", path))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    }

    # A module that was added tells of its own routes elsewhere.
    rooms = {path.split("/")[2] for _, path in named}
    there = {(method, path) for method, path in there if path.split("/")[2] in rooms}
    ops = {(method, path) for method, path in there if path.startswith("/v1/ops/")}
    assert {method for method, _ in ops} == {m for m, path in named if path == "/v1/ops/…"}
    assert there - ops == {(m, path) for m, path in named if path != "/v1/ops/…"}


def named_routes() -> Iterator[tuple[str, str]]:
    """Yield the method and path of every route that README's table names."""
    for methods, path in re.findall(r"`([A-Z, ]+) (/v1/\S+)`", section("REST in brief")):
        for method in methods.split(", "):
            assert method in METHODS, method
            yield method, re.sub(r"{\w+}", "{}", path)
