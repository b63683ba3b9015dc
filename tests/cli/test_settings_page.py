"""docs/settings.md is what the class of the settings tells, and tells of every setting."""

import re
from collections import Counter
from itertools import cycle
from pathlib import Path

import pytest

from app.cli.settings import default
from app.settings import Settings, variable_of
from tests.cli.settings_page import PAGE, REFUSED, TOPICS, page, said_to
from tests.starter import ROOT


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the machine's own settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "REDIS_URL", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.cli.settings_page"


def test_every_setting_has_its_place_on_the_page() -> None:
    placed = Counter(name for names in TOPICS.values() for name in names)

    assert placed == Counter(list(Settings.model_fields))


@pytest.mark.parametrize("refused", REFUSED, ids="+".join)
def test_what_the_page_calls_refused_is_refused_with_one_sentence(
    refused: dict[str, object],
) -> None:
    said = said_to(refused)

    assert said.endswith(".")
    assert "\n" not in said


def test_readme_tells_the_same_defaults() -> None:
    table = (ROOT / "README.md").read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    told = {
        name: value.strip("`")
        for names, values in re.findall(r"^\| (`[A-Z].*?) \| (.+?) \|", table, re.MULTILINE)
        for name, value in zip(
            re.findall(r"`(\w+)`", names.partition("(")[0]), cycle(values.split(", ")), strict=False
        )
    }
    nothing = {"APP_PORT": "8000", "APP_SUBSCRIBERS": "all"}

    ours = {variable_of(name): default(name) for name in Settings.model_fields}

    assert len(told) > 10
    for name, value in told.items():
        shown = str(ours[name]).removesuffix(".0")
        assert value == (nothing.get(name, "unset") if ours[name] is None else shown), name
