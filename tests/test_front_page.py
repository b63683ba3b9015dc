"""The figures of README are those of the last whole run that is kept."""

import sys

import pytest

from bench.front_page import README, last_whole_run, table
from bench.report import put_into

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc")


def test_readme_has_the_figures_of_the_last_whole_run() -> None:
    page = README.read_text()

    assert put_into(page, table(last_whole_run())) == page, "run: python -m bench.front_page"


def test_the_table_names_machine_and_day_and_where_others_are_cheaper() -> None:
    results = last_whole_run()

    text = table(results)

    assert text.startswith(f"{results.at:%d %B %Y}, ")
    assert results.machine["cpu"] in text
    assert text.count("\n|") >= 8
    # What is not flattering stays: the cheapest peer of each kind.
    assert "one asyncpg statement each" in text
    assert "FastStream, batches and Core" in text


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="has no"):
        put_into("# A page\n", "none")
