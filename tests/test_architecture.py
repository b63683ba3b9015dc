"""The house rules, each with proof that breaking it is noticed."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"
FULL_FILE = 300
FULL_FUNCTION = 60

# file, the line that breaks a rule, the contract that must notice
BREACHES = [
    ("modules/inventory/handlers.py", "import app.modules.orders.models", "Modules meet only"),
    ("modules/inventory/handlers.py", "import app.modules.orders.service.place", "Modules meet"),
    ("modules/orders/service/place.py", "import app.modules.inventory.events", "Modules meet only"),
    ("modules/orders/events.py", "import app.modules.orders.models", "Every module has the same"),
    ("modules/orders/events.py", "import app.bus.outbox", "An events.py needs nothing"),
    ("modules/orders/service/place.py", "import app.modules.orders.schemas", "Every module has"),
    ("modules/orders/models/tables.py", "import app.modules.orders.service.place", "same rooms"),
    ("modules/orders/service/place.py", "import fastapi", "speak HTTP"),
    ("modules/orders/service/place.py", "import app.web.problem", "use app.web"),
    ("modules/orders/api/orders.py", "import app.bus.consumer", "Modules stay out"),
    ("modules/orders/api/orders.py", "import redis", "speaks Redis"),
    ("bus/relay.py", "import redis", "speaks Redis"),
    ("bus/relay.py", "import app.settings", "Imports go down"),
    ("bus/relay.py", "import fastapi", "The bus could move"),
    ("web/health.py", "import app.modules.orders.api", "Imports go down"),
    ("db.py", "import app.main", "Imports go down"),
    ("runtime.py", "import app.modules.orders.models", "Only verify and the migrations"),
    ("console/audit.py", "import app.bus.action", "The console is a client"),
]


def lint_imports(root: Path) -> "subprocess.CompletedProcess[str]":
    # Contract names must not be folded by a narrow terminal.
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the house to a place where walls may be broken."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copytree(APP, copy / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", copy)
    return copy


def test_the_house_keeps_its_import_rules(house: Path) -> None:
    done = lint_imports(house)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("file", "line", "contract"), BREACHES)
def test_breaking_an_import_rule_is_noticed(
    house: Path, file: str, line: str, contract: str
) -> None:
    broken = house / "app" / file
    before = broken.read_text()
    broken.write_text(f"{before}\n{line}\n")
    try:
        done = lint_imports(house)
    finally:
        broken.write_text(before)

    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"{contract}.* BROKEN", done.stdout), done.stdout


def test_an_undeclared_room_is_noticed(house: Path) -> None:
    attic = house / "app" / "modules" / "orders" / "helpers.py"
    attic.write_text('"""What nobody knows where to put."""\n')
    try:
        done = lint_imports(house)
    finally:
        attic.unlink()

    assert done.returncode == 1
    assert re.search(r"Every module has the same rooms.* BROKEN", done.stdout), done.stdout


def sources() -> list[Path]:
    return sorted(APP.rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("source", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_overfull(source: Path) -> None:
    text = source.read_text()

    assert len(text.splitlines()) <= FULL_FILE
    for function in functions(ast.parse(text)):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        is_migration = "versions" in source.parts
        assert length <= FULL_FUNCTION or is_migration, f"{function.name} has {length} lines"


def test_the_address_of_everything_is_its_file() -> None:
    for package in APP.rglob("__init__.py"):
        body = ast.parse(package.read_text()).body
        assert len(body) == 1, package
        assert ast.get_docstring(ast.parse(package.read_text())), package


def test_no_module_commits_for_itself() -> None:
    for source in (APP / "modules").rglob("*.py"):
        assert ".commit(" not in source.read_text(), source


def test_no_row_of_the_outbox_is_found_by_a_cursor() -> None:
    # A lower position may commit after a higher one; `position > last` would step over it.
    for source in (APP / "bus").rglob("*.py"):
        assert not re.search(r"c\.position\s*>", source.read_text()), source
