"""Tables as CSV: who gets one, and what no cell of it does."""

import csv
import io
import re
from itertools import chain

import pytest
from fastapi import Request
from hypothesis import example, given, strategies as st

from app.web.tabular import Cell, _lines, escaped, wanted


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ([], False),
        (["*/*"], False),
        (["text/csv"], True),
        (["Text/CSV ; charset=utf-8"], True),
        (["text/*"], True),
        (["text/csv, application/json"], False),
        (["application/json;q=0.5, text/csv;q=0.6"], True),
        (["application/json;q=0.5", "text/csv;q=0.6"], True),
        (["text/csv;q=0.5, */*;q=0.6"], False),
        (["text/csv;q=0.7, */*;q=0.6"], True),
        (["text/csv;q=0"], False),
        (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], False),
        (["application/xml"], False),
        (["text/csv;q=nan, ;;, ="], True),
    ],
)
def test_csv_is_for_those_who_would_rather_have_it(accept: list[str], is_csv: bool) -> None:  # noqa: FBT001 - a parameter of the test
    headers = [(b"accept", one.encode()) for one in accept]

    assert wanted(Request({"type": "http", "headers": headers})) is is_csv


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("MUG", "MUG"),
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@A1", "'@A1"),
        ("\t=1", "\t'=1"),
        ("\r\n=1", "\r\n'=1"),
        (' "=1', " \"'=1"),
        ("a;=HYPERLINK(A1)", "a;'=HYPERLINK(A1)"),
        ("a;b\t-1;@A1", "a;b\t'-1;'@A1"),
        ('a; "+1', "a; \"'+1"),
        ("a,-1", "a,-1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("1=1", "1=1"),
        (-1, -1),
        (0, 0),
        (None, None),
    ],
)
def test_no_cell_is_a_formula(cell: Cell, written: Cell) -> None:
    assert escaped(cell) == written


@given(st.lists(st.text("=-@;,\t\r\n\"' a", max_size=8), min_size=2, max_size=2))
@example(["a;=HYPERLINK(A1)", 'a;"=1'])
def test_no_cell_is_a_formula_wherever_a_spreadsheet_splits(texts: list[str]) -> None:
    first, second = texts
    row: list[Cell] = [7, first, -5, second]

    lines = _lines([row, row]).decode()

    for separator in ";\t":
        quoted = csv.reader(io.StringIO(lines, newline=""), delimiter=separator)
        for cell in [*chain(*quoted), *re.split(f"[{separator}\r\n]", lines)]:
            assert not re.match('["\\s]*[=+@-]', cell)
    read = csv.reader(io.StringIO(lines, newline=""))
    for found in read:
        assert found[0::2] == ["7", "-5"]
        assert not re.match(r"\s*[=+@-]", found[1])
        assert not re.match(r"\s*[=+@-]", found[3])


def test_every_cell_comes_back_as_it_was() -> None:
    row = ['say "hi"', "a,b", "a;b", "two\nlines", "", "Käse", "-7 \u2603"]

    text = _lines([row, row]).decode()

    assert text.endswith("\r\n")
    [first, second] = csv.reader(io.StringIO(text, newline=""))
    assert first == second == [*row[:-1], "'-7 \u2603"]
