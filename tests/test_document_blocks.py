"""Every block of every document is run by a test, or is held against what would run it."""

import json
import re
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # stubs are a package of their own
from sqlalchemy import Table

from app import metrics as ours
from app.bus import metrics as bus, tables as bus_tables
from app.main import create_app
from app.modules.inventory.models import tables as inventory_tables
from app.modules.orders.models import tables as orders_tables
from app.modules.orders.models.life import TRANSITIONS
from app.settings import Settings, variable_of
from app.web import claims, keys, sessions
from tests.starter import ROOT
from tests.system.tour import section
from tests.test_documents import DOCUMENTS, text_of
from tests.typed import (
    Block,
    WrongError,
    blocks,
    check_dev,
    check_line,
    check_module,
    check_paths,
    check_python,
    is_command,
    lines,
    split,
)

BLOCKS = list(blocks([*DOCUMENTS, ROOT / "bench" / "README.md"]))

# What is typed there is typed by a test, word for word, and what is shown is compared.
RUN = {
    "README.md": "tests/system/test_readme.py",
    "docs/tutorial.md": "tests/system/test_new_module.py",
    "docs/command-line.md": "tests/cli/test_command_line_doc.py",
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the methods of every path of the application, health and pages included."""
    app = create_app(Settings(data=tmp_path_factory.mktemp("data")))
    found = {path: {m.upper() for m in of} for path, of in app.openapi()["paths"].items()}
    pages = ("/", "/docs", "/asyncapi", "/console", "/metrics", "/problems")
    return found | {page: {"GET"} for page in pages} | {"/health/{of}": {"GET"}}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_what_it_says(block: Block, routes: dict[str, set[str]]) -> None:
    is_run = str(block.document.relative_to(ROOT)) in RUN
    match block.kind:
        case "json":
            json.loads(block.text)
        case "yaml":
            yaml.safe_load(block.text)
        case "python":
            check_python(block.text, imports=not is_run)
        case "mermaid":
            assert re.match(r"(flowchart|sequenceDiagram|stateDiagram-v2)\b", block.text)
        case "sh" | "":
            typed = [each for each in lines(block.text) if block.kind or is_command(each)]
            for line in typed if not (block.kind and is_run) else ():
                check_line(line, routes)
            # What is shown is compared where it is run; elsewhere it is `text`, and says so.
            assert typed or is_run, "call it text"
        case kind:
            assert kind == "text", f"nobody checks blocks of {kind}"


def test_what_readme_has_typed_stands_in_its_tour() -> None:
    tour = section("A tour")

    assert all(
        one.text in tour for one in BLOCKS if one.document.name == "README.md" and one.kind == "sh"
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_stands_between_backticks_is_there(document: Path) -> None:
    for code in re.findall(r"`([^`\n]+)`", text_of(document)):
        for typed in re.findall(r"^python3 dev\.py ?(.*)", code):
            check_dev(split(typed), whole=False)
        for module in re.findall(r"^(?:\S*python3?) -m ([\w.]+)", code):
            check_module(module)
        if " " not in code:
            check_paths([code])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_and_metrics_that_are_named_are_there(document: Path) -> None:
    text = document.read_text()
    settings = {variable_of(name) for name in Settings.model_fields}
    metrics = {one.name for one in (*bus.CATALOGUE, *ours.CATALOGUE)}

    assert set(re.findall(r"\bAPP_[A-Z_]+\b", text)) <= settings
    named = {re.sub(r"_(bucket|count|sum)$", "", name) for name in series_in(text)}
    assert named <= metrics


def series_in(text: str) -> set[str]:
    """Return the names of metrics in a text; other names of ours have other endings."""
    ending = r"(?:total|seconds|events|entries|items|deliveries|letters|up|info|state|paused)"
    return set(re.findall(rf"\b(orderly_[a-z_]+_{ending}(?:_(?:bucket|count|sum))?)\b", text))


def test_the_diagram_of_an_orders_life_is_the_table_of_transitions() -> None:
    block = next(one for one in BLOCKS if "[*] --> pending" in one.text)

    drawn = set(re.findall(r"^ +(\[\*\]|\w+) --> (\w+)", block.text, re.MULTILINE))

    assert drawn == {
        (str(before), str(one.to))
        for one in TRANSITIONS.values()
        if one.to is not None
        for before in one.froms or {"[*]"}
    }


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("python3 dev.py dance", "there is no dance"),
        ("python3 dev.py status --twice", "--twice"),
        ("python3 dev.py dead-letters redrive inventory EVENT_ID --dry", "--dry"),
        ("python3 dev.py bench --slowly", "--slowly"),
        ("python3 dev.py lint app", "takes nothing"),
        ("python3 dev.py test tests/nowhere", "tests/nowhere is not there"),
        ("curl -X DELETE $V1/orders", "no route takes DELETE /v1/orders"),
        ("curl http://127.0.0.1:8000/v1/order/x", "no route takes GET"),
        ("docker build -f deploy/Dockerfile.old .", "is not there"),
        (".venv/bin/python -m tests.cli.nothing", "no module"),
    ],
)
def test_what_cannot_be_typed_is_noticed(line: str, why: str, routes: dict[str, set[str]]) -> None:
    with pytest.raises(WrongError, match=re.escape(why)):
        check_line(line, routes)


def test_every_table_is_told_of() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text().split("\n## Tables\n")[1]

    told = re.findall(r"`(\w+)`", page.split("\n## ")[0])

    # A module that was added tells of its own tables elsewhere.
    ours = {
        getattr(one, "__tablename__", "") or one.name
        for module in (orders_tables, inventory_tables, claims, keys, sessions)
        for one in vars(module).values()
        if isinstance(one, Table) or hasattr(one, "__tablename__")
    }
    assert sorted(told) == sorted({*bus_tables.metadata.tables, *ours})
