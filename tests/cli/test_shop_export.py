"""Every row of an export is sold, corrects stock or is skipped with a reason; none is lost."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from app.cli.shop_export import (
    COLUMNS,
    NOT_GOODS,
    Cause,
    Correction,
    ExportError,
    Row,
    Skip,
    Skipped,
    classify,
    read_export,
    sort_rows,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "orders.csv"
HEADER = ",".join(COLUMNS)
GOOD = {
    "InvoiceNo": "1",
    "StockCode": "MUG",
    "Description": "Mug",
    "Quantity": "2",
    "UnitPrice": "4.25",
    "CustomerID": "7.0",
}


def sort_text(text: str) -> list[Row | Correction | Skipped]:
    return list(sort_rows(io.StringIO(text, newline="")))


def with_cells(**cells: str) -> Row | Correction | Skipped:
    return classify(2, [*(GOOD | cells).values()])


def test_a_row_that_sells_goods_is_an_order_line() -> None:
    row = with_cells()

    assert isinstance(row, Row)
    assert row.line == (2, "MUG", 2)
    assert row.customer_id == "7"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"InvoiceNo": "c1", "StockCode": "POST", "Quantity": "-1"}, Skip.NOT_GOODS),
        ({"StockCode": "POST", "Quantity": "-2"}, Skip.NOT_GOODS),
        ({"StockCode": "bank charges"}, Skip.NOT_GOODS),
        ({"StockCode": "gift_0001_20"}, Skip.NOT_GOODS),
        ({"InvoiceNo": "C1", "Quantity": "0"}, Skip.ZERO_QUANTITY),
        ({"Quantity": "0", "UnitPrice": "-1"}, Skip.ZERO_QUANTITY),
        ({"UnitPrice": "-4.25"}, Skip.NEGATIVE_PRICE),
        ({"Quantity": "-1", "UnitPrice": "-4.25"}, Skip.NEGATIVE_PRICE),
    ],
)
def test_a_row_has_the_first_reason_that_applies(cells: dict[str, str], reason: Skip) -> None:
    assert with_cells(**cells) == Skipped(2, reason)


@pytest.mark.parametrize(
    ("cells", "cause", "delta"),
    [
        ({"InvoiceNo": "C1", "Quantity": "-2"}, Cause.RETURNED, 2),
        ({"InvoiceNo": "c1", "Quantity": "-2", "UnitPrice": "0"}, Cause.RETURNED, 2),
        ({"Quantity": "-2", "UnitPrice": "0", "CustomerID": ""}, Cause.WRITTEN_OFF, -2),
        ({"Quantity": "-2", "UnitPrice": "damaged"}, Cause.WRITTEN_OFF, -2),
        ({"UnitPrice": "0.0"}, Cause.GIVEN_AWAY, -2),
        ({"UnitPrice": "0", "CustomerID": " "}, Cause.FOUND, 2),
    ],
)
def test_a_row_that_sells_nothing_corrects_stock(
    cells: dict[str, str], cause: Cause, delta: int
) -> None:
    invoice = cells.get("InvoiceNo", "1")

    assert with_cells(**cells) == Correction(2, invoice, cause, "MUG", delta)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("InvoiceNo", ""),
        ("InvoiceNo", "7" * 65),
        ("StockCode", " "),
        ("StockCode", "A/B"),
        ("StockCode", ".."),
        ("StockCode", "A\x00B"),
        ("Quantity", ""),
        ("Quantity", "ten"),
        ("Quantity", "1.5"),
        ("Quantity", "1000001"),
        ("Quantity", "1e999999999"),
        ("Quantity", "1e-999999999"),
        ("Quantity", "Infinity"),
        ("UnitPrice", ""),
        ("UnitPrice", "£4"),
        ("UnitPrice", "4.255"),
        ("UnitPrice", "NaN"),
        ("UnitPrice", "1e-999999999"),
    ],
)
def test_an_unusable_row_names_the_cell(column: str, cell: str) -> None:
    assert with_cells(**{column: cell}) == Skipped(2, Skip.UNUSABLE, column)


@pytest.mark.parametrize(
    "cells",
    [{"InvoiceNo": "C1"}, {"InvoiceNo": "C1", "Quantity": "x"}, {"Quantity": "-1.5"}],
)
def test_a_correction_needs_a_whole_quantity_of_the_right_sign(cells: dict[str, str]) -> None:
    assert with_cells(**cells) == Skipped(2, Skip.UNUSABLE, "Quantity")


@pytest.mark.parametrize(
    ("cell", "customer_id"),
    [("17850.0", "17850"), ("17850", "17850"), ("", "unknown"), ("a.0", "a.0"), ("7.05", "7.05")],
)
def test_a_customer_id_loses_what_a_spreadsheet_added(cell: str, customer_id: str) -> None:
    row = with_cells(CustomerID=cell)

    assert isinstance(row, Row)
    assert row.customer_id == customer_id


@given(st.lists(st.lists(st.text(), min_size=6, max_size=6)))
def test_every_row_that_a_spreadsheet_can_write_is_accounted_for(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    # A row over more lines than the reader follows is several rows to it.
    rows = [[" ".join(cell.splitlines()) for cell in row] for row in rows]
    rows = [row for row in rows if ",".join(row).strip()]
    writer.writerows(rows)

    sorted_rows = sort_text(text.getvalue())

    assert [*map(_at, sorted_rows)] == [*range(2, len(rows) + 2)]


@given(st.text(alphabet=st.sampled_from('CM1.,-"\n\r; ')))
def test_no_text_below_the_header_stops_the_reader(text: str) -> None:
    for row in sort_text(f"{HEADER}\n{text}"):
        assert isinstance(row, Row | Correction | Skipped)


@given(
    st.sampled_from(["1", "C1", "", "x" * 65]),
    st.sampled_from(["MUG", *sorted(NOT_GOODS), ""]),
    st.sampled_from(["1", "-1", "0", "x", "1.5"]) | st.text(),
    st.sampled_from(["1.00", "-1", "0", "x", "1.005"]) | st.text(),
)
def test_what_is_an_order_line_can_be_ordered_and_a_correction_be_booked(
    invoice: str, code: str, quantity: str, price: str
) -> None:
    row = with_cells(InvoiceNo=invoice, StockCode=code, Quantity=quantity, UnitPrice=price)

    if isinstance(row, Correction):
        assert 0 < abs(row.delta) <= 1_000_000
        assert 0 < len(row.invoice) <= 64

    if isinstance(row, Row):
        assert row.invoice[0] != "C"
        assert row.line.sku not in NOT_GOODS
        assert 1 <= row.line.quantity <= 1_000_000
        assert row.price == round(row.price, 2) > 0


def test_a_quoted_cell_may_hold_a_line_break() -> None:
    rows = sort_text(f'{HEADER}\n1,MUG,"A\r\nmug",2,4.25,7\n1,CUP,Cup,1,2.00,7\n')

    assert [*map(_at, rows)] == [2, 4]
    assert isinstance(rows[0], Row)
    assert rows[0].title == "A mug"


def test_a_stray_quote_does_not_swallow_its_neighbours() -> None:
    good = "1,CUP,Cup,1,2.00,7\n"

    rows = sort_text(f'{HEADER}\n1,MUG,"Mug,2,4.25,7\n{good * 30}')

    assert rows[0] == Skipped(2, Skip.UNUSABLE, "row")
    assert [*map(_at, rows)] == [*range(2, 33)]
    assert all(isinstance(row, Row) for row in rows[1:])


def test_a_row_with_too_few_or_too_many_cells_is_unusable() -> None:
    rows = sort_text(f"{HEADER}\n1,MUG,Mug\n1,MUG,Mug,2,4.25,7,8\n1,MUG,Mug,2,4.25,7,,\n")

    assert rows[:2] == [Skipped(2, Skip.UNUSABLE, "row"), Skipped(3, Skip.UNUSABLE, "row")]
    assert isinstance(rows[2], Row)


def test_columns_are_found_by_name_in_any_order() -> None:
    rows = sort_text(
        "unitprice, Quantity,Note,CustomerID,Description,StockCode,InvoiceNo\n1,2,,,A,X,3"
    )

    assert isinstance(rows[0], Row)
    assert (rows[0].invoice, rows[0].line.sku, rows[0].line.quantity) == ("3", "X", 2)


def test_the_lines_of_an_invoice_need_not_stand_together(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(f"{HEADER}\n1,MUG,,2,4.25,\n2,MUG,Mug,1,4.00,8\n1,CUP,Cup,1,2.00,7.0\n")

    export = read_export(file)

    assert [line.at for line in export.invoices["1"].lines] == [2, 4]
    assert export.invoices["1"].customer_id == "7"
    mug = export.products["MUG"]
    assert (mug.title, f"{mug.price}") == ("Mug", "4.25")


def test_demand_is_everything_that_goes_out(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    rows = ["1,MUG,Mug,2,4.25,7", "C1,MUG,Mug,-5,4.25,7", "2,MUG,,-3,0,", "3,CUP,,-1,0,"]
    file.write_text("\n".join([HEADER, *rows]))

    export = read_export(file)

    assert export.demand == {"MUG": 5, "CUP": 1}
    assert [one.at for one in export.corrections] == [3, 4, 5]
    assert [*export.products] == ["MUG"]


@pytest.mark.parametrize(
    ("content", "encoding", "title"),
    [
        (b"\xef\xbb\xbf%s\n1,MUG,Caf\xc3\xa9,1,1.00,7\n", "UTF-8", "Café"),
        (b"%s\n1,MUG,Caf\xe9,1,1.00,7\n", "Latin-1", "Café"),
        (b"%s\n1,MUG,Caf\x85 \xe9,1,1.00,7\n", "Latin-1", "Caf é"),
    ],
)
def test_the_encoding_is_found_out(
    tmp_path: Path, content: bytes, encoding: str, title: str
) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(content % HEADER.encode())

    export = read_export(file)

    assert export.encoding == encoding
    assert export.products["MUG"].title == title


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty: wanted a header line with InvoiceNo"),
        ("a,b\n", "has no column InvoiceNo, StockCode"),
        (HEADER.replace("Quantity", "Qty") + "\n", "has no column Quantity; its columns are"),
    ],
)
def test_a_file_without_its_columns_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "export.csv"
    file.write_text(text)

    with pytest.raises(ExportError, match=sentence):
        read_export(file)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="cannot be read: No such file"):
        read_export(tmp_path / "none.csv")


def test_the_example_shows_every_kind_of_dirt() -> None:
    export = read_export(EXAMPLE)

    assert {skip.reason for skip in export.skipped} == set(Skip)
    assert {one.cause for one in export.corrections} == set(Cause)
    in_orders = sum(len(invoice.lines) for invoice in export.invoices.values())
    assert export.rows == in_orders + len(export.corrections) + len(export.skipped)
    assert len(export.invoices) == 11


def _at(row: Row | Correction | Skipped) -> int:
    return row.line.at if isinstance(row, Row) else row.at
