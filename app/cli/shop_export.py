"""A shop's export, a CSV row per order line, sorted into orders, corrections of stock and skips."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from app.cli.shop_csv import csv_rows, survey

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "UnitPrice", "CustomerID")
UNKNOWN_CUSTOMER = "unknown"

# What such exports book under a stock code without any goods changing hands: postage, discounts,
# manual entries, fees, samples, carriage, charity, adjustments, tests. Every other code is goods.
NOT_GOODS = frozenset(
    {
        *("ADJUST", "ADJUST2", "AMAZONFEE", "B", "BANK CHARGES", "C2", "C3", "CRUK", "D", "DOT"),
        *("M", "PADS", "POST", "S", "TEST001", "TEST002"),
    }
)
VOUCHER = "GIFT_"

_MAX_CODE = 64
_MAX_TITLE = 200
_MAX_QUANTITY = Decimal(1_000_000)
_MAX_PRICE = Decimal(1_000_000_000)


class ExportError(Exception):
    """The file cannot be read as a shop export; the text is one sentence for the operator."""


class Skip(StrEnum):
    """Why a row is left out. A row has the first reason that applies, in this order."""

    NOT_GOODS = "not_goods"  #: the code stands in NOT_GOODS, or for a gift voucher
    ZERO_QUANTITY = "zero_quantity"
    NEGATIVE_PRICE = "negative_price"  #: a correction of money, not of stock
    UNUSABLE = "unusable"  #: a needed cell is missing or cannot be read


class Cause(StrEnum):
    """Why goods came or went without being sold. A row has the first that applies."""

    RETURNED = "returned"  #: InvoiceNo begins with C: an invoice of before is cancelled
    WRITTEN_OFF = "written_off"  #: a negative quantity: broken, lost, thrown away
    GIVEN_AWAY = "given_away"  #: a customer paid nothing for it
    FOUND = "found"  #: no price and no customer: it was there, and not in the books


class OrderLine(NamedTuple):
    """A row that sells goods, and the line of the file on which it begins."""

    at: int
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Row:
    """Everything an order line says; `line` goes into the order, the rest into the product."""

    invoice: str
    customer_id: str
    title: str
    price: Decimal
    line: OrderLine


class Correction(NamedTuple):
    """A row that changes what is on hand, by delta units, without selling anything."""

    at: int
    invoice: str
    cause: Cause
    sku: str
    delta: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row left out; `column` names the cell that made it unusable, None for other reasons."""

    at: int
    reason: Skip
    column: str | None = None


@dataclass(slots=True)
class Invoice:
    """All order lines of one InvoiceNo, wherever in the file they stand: one order."""

    number: str
    customer_id: str
    lines: list[OrderLine] = field(default_factory=list)


@dataclass(slots=True)
class Product:
    """One stock code: the first price seen, the first description that is not blank."""

    sku: str
    title: str
    price: Decimal


@dataclass(slots=True)
class Export:
    """A whole file: `rows` = the lines of all invoices + `corrections` + `skipped`.

    `demand` is how many units of each SKU the file sells, writes off or gives away.
    """

    digest: str
    encoding: str
    rows: int = 0
    invoices: dict[str, Invoice] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    demand: Counter[str] = field(default_factory=Counter)
    corrections: list[Correction] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, row: Row | Correction | Skipped) -> None:
        """Count one more row and put it where it belongs."""
        self.rows += 1
        if isinstance(row, Skipped):
            self.skipped.append(row)
            return
        if isinstance(row, Correction):
            self.corrections.append(row)
            if row.delta < 0:
                self.demand[row.sku] -= row.delta
            return
        _, sku, quantity = row.line
        product = self.products.setdefault(sku, Product(sku, row.title, row.price))
        product.title = product.title or row.title
        self.demand[product.sku] += quantity
        invoice = self.invoices.setdefault(row.invoice, Invoice(row.invoice, row.customer_id))
        if invoice.customer_id == UNKNOWN_CUSTOMER:
            invoice.customer_id = row.customer_id
        # The product's own text, so that a file of a million lines holds each code once.
        invoice.lines.append(row.line._replace(sku=product.sku))


def read_export(path: Path) -> Export:
    """Read and sort every row of path; raises ExportError when there is nothing to sort.

    The bytes are read twice, for the digest and encoding first, and never held as a whole.
    """
    try:
        digest, encoding = survey(path)
        export = Export(digest, "UTF-8" if encoding == "utf-8-sig" else "Latin-1")
        with path.open(encoding=encoding, newline="") as file:
            for row in sort_rows(file):
                export.add(row)
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ExportError as error:
        raise ExportError(f"{path} {error}") from None
    return export


def sort_rows(file: Iterable[str]) -> Iterator[Row | Correction | Skipped]:
    """Yield what each row below the header is; a blank line is no row.

    Raises ExportError, without the file's name, when the header lacks a column.
    """
    rows = csv_rows(file)
    _, header = next(rows, (0, []))
    if not header:
        raise ExportError(f"is empty: wanted a header line with {', '.join(COLUMNS)}.")
    names = [name.strip().casefold() for name in header]
    missing = [name for name in COLUMNS if name.casefold() not in names]
    if missing:
        found = ", ".join(name.strip() for name in header)[:200]
        raise ExportError(f"has no column {', '.join(missing)}; its columns are {found}.")
    places = [names.index(name.casefold()) for name in COLUMNS]
    for at, cells in rows:
        if len(cells) != len(header):
            yield Skipped(at, Skip.UNUSABLE, "row")
        else:
            yield classify(at, [cells[place] for place in places])


def classify(at: int, cells: Sequence[str]) -> Row | Correction | Skipped:
    """Decide what one row is, from its cells in the order of COLUMNS; never raises."""
    invoice, code, description, quantity, price, customer = (cell.strip() for cell in cells)
    units = _number(quantity, _MAX_QUANTITY)
    money = _number(price, _MAX_PRICE)
    if reason := _useless(code, units, money):
        return Skipped(at, reason)
    cause = _cause(invoice, units, money, customer)
    if column := _unusable(invoice, code, units, money, cause):
        return Skipped(at, Skip.UNUSABLE, column)
    # Neither is None or zero by now, where it is needed.
    pieces, cost = int(units or 0), money or Decimal(0)
    if cause:
        came = cause in {Cause.RETURNED, Cause.FOUND}
        return Correction(at, invoice, cause, code, abs(pieces) * (1 if came else -1))
    line = OrderLine(at, code, pieces)
    return Row(invoice, _customer(customer), _printable(description)[:_MAX_TITLE], cost, line)


def _useless(code: str, units: Decimal | None, money: Decimal | None) -> Skip | None:
    """Tell why a row says nothing about goods; None when it does."""
    if code.upper() in NOT_GOODS or code.upper().startswith(VOUCHER):
        return Skip.NOT_GOODS
    if units == 0:
        return Skip.ZERO_QUANTITY
    return Skip.NEGATIVE_PRICE if money is not None and money < 0 else None


def _unusable(
    invoice: str, code: str, units: Decimal | None, money: Decimal | None, cause: Cause | None
) -> str | None:
    """Return the first column that keeps the row from being used; None when all can be."""
    usable = {
        "InvoiceNo": _usable_code(invoice),
        "StockCode": _usable_code(code) and "/" not in code and code not in {".", ".."},
        "Quantity": units is not None
        and units == int(units)
        and (cause is not Cause.RETURNED or units < 0),
        "UnitPrice": cause is not None or (money is not None and money == round(money, 2)),
    }
    return next((column for column, usable in usable.items() if not usable), None)


def _cause(
    invoice: str, units: Decimal | None, money: Decimal | None, customer: str
) -> Cause | None:
    """Tell why the units came or went; None when they are sold."""
    if invoice[:1] in {"C", "c"}:
        return Cause.RETURNED
    if units is not None and units < 0:
        return Cause.WRITTEN_OFF
    if money == 0:
        return Cause.FOUND if _customer(customer) == UNKNOWN_CUSTOMER else Cause.GIVEN_AWAY
    return None


def _usable_code(text: str) -> bool:
    return 0 < len(text) <= _MAX_CODE and text.isprintable()


def _number(text: str, most: Decimal) -> Decimal | None:
    """Read a finite number no further from zero than most, or None."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # Compared before it is used: "1e999999" is a number too. copy_abs() never rounds or traps.
    return number if number.is_finite() and number.copy_abs() <= most else None


def _customer(text: str) -> str:
    """Return the id without the ".0" that a spreadsheet made of it; blank is "unknown"."""
    return re.sub(r"^(\d+)\.0+$", r"\1", _printable(text)) or UNKNOWN_CUSTOMER


def _printable(text: str) -> str:
    """Replace line breaks and control characters by single blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
