"""Documents lead to what is there: every link in them, and every test they name."""

import re
from pathlib import Path

import pytest

from app.settings import VERSION

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])


def text_of(document: Path) -> str:
    """Return a document without its blocks of code, which have brackets of their own."""
    return re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """Return what headings can be led to, as hosts of Markdown name them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for address in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = address.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), address
        if anchor:
            assert anchor in anchors(target), address


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_that_are_named_are_there(document: Path) -> None:
    text = text_of(document)
    for path in re.findall(r"`(tests/[\w/]+(?:\.py)?)`", text):
        assert (ROOT / path).exists(), path
    functions = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in functions, name


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(folder.glob("[0-9]*.md"))
    titles = [re.match(r"# (\d+)\. (.+)", page.read_text()) for page in pages]

    rows = [
        f"| [{title[1]}]({page.name}) | {title[2]} |"
        for page, title in zip(pages, titles, strict=True)
        if title
    ]

    assert len(rows) == len(pages)
    assert [int(title[1]) for title in titles if title] == list(range(1, len(pages) + 1))
    assert (folder / "README.md").read_text().splitlines()[-len(rows) :] == rows


def test_the_changelog_tells_of_this_version_first() -> None:
    log = (ROOT / "CHANGELOG.md").read_text()

    releases = re.findall(r"^## (\S+) - \d{4}-\d\d-\d\d$", log, re.MULTILINE)

    assert releases[0] == VERSION
    assert log.index("## Unreleased") < log.index(f"## {VERSION}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_machine_and_no_index_of_packages_is_named(document: Path) -> None:
    text = document.read_text()

    assert not re.search(r"\b(pypi\.org|pythonhosted|npmjs|nuget\.org|crates\.io)\b", text)
    assert not re.search(r"(?<![\w.])/(work|root|home)/", text)


def test_what_is_said_of_others_names_its_source() -> None:
    page = (ROOT / "docs" / "comparison.md").read_text()
    tables = page.split("\n## Delivery\n")[1].split("\n## Where they are better\n")[0]
    rows = [
        line.strip("| ").split(" | ") for line in tables.splitlines() if line.startswith("| **")
    ]

    assert len(rows) > 10
    for what, _, *others in rows:
        assert len(others) == 4, what
        for cell in others:
            assert "](https://" in cell or "not found" in cell, f"{what}: {cell}"
