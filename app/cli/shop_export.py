"""A shop's export: one CSV row per order line, read as it is and sorted into orders and skips."""

import codecs
import csv
import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

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
# A quoted cell may hold line breaks; a quote that is never closed must not swallow the file.
_MAX_LINES_PER_ROW = 20
_CHUNK_BYTES = 1 << 20


class ExportError(Exception):
    """The file cannot be read as a shop export; the text is one sentence for the operator."""


class Skip(StrEnum):
    """Why a row is no order line. A row has the first reason that applies, in this order."""

    CANCELLATION = "cancellation"  #: InvoiceNo begins with C
    NOT_GOODS = "not_goods"  #: the code stands in NOT_GOODS, or for a gift voucher
    NEGATIVE_QUANTITY = "negative_quantity"  #: a write-off
    ZERO_QUANTITY = "zero_quantity"
    NEGATIVE_PRICE = "negative_price"  #: a correction of the books
    ZERO_PRICE = "zero_price"  #: a gift or a found item
    UNUSABLE = "unusable"  #: a needed cell is missing or cannot be read


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
    demand: int = 0


@dataclass(slots=True)
class Export:
    """A whole file: `rows` = the lines of all invoices + `skipped`."""

    digest: str
    encoding: str
    rows: int = 0
    invoices: dict[str, Invoice] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, row: Row | Skipped) -> None:
        """Count one more row and put it where it belongs."""
        self.rows += 1
        if isinstance(row, Skipped):
            self.skipped.append(row)
            return
        _, sku, quantity = row.line
        product = self.products.setdefault(sku, Product(sku, row.title, row.price))
        product.title = product.title or row.title
        product.demand += quantity
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
        digest, encoding = _survey(path)
        export = Export(digest, "UTF-8" if encoding == "utf-8-sig" else "Latin-1")
        with path.open(encoding=encoding, newline="") as file:
            for row in sort_rows(file):
                export.add(row)
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ExportError as error:
        raise ExportError(f"{path} {error}") from None
    return export


def sort_rows(file: Iterable[str]) -> Iterator[Row | Skipped]:
    """Yield an order line or a skip for every row below the header; a blank line is no row.

    Raises ExportError, without the file's name, when the header lacks a column.
    """
    rows = _rows(_Lines(file))
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


def classify(at: int, cells: Sequence[str]) -> Row | Skipped:
    """Decide what one row is, from its cells in the order of COLUMNS; never raises."""
    invoice, code, description, quantity, price, customer = (cell.strip() for cell in cells)
    reason: Skip | None = None
    units = _number(quantity, _MAX_QUANTITY)
    money = _number(price, _MAX_PRICE)
    if invoice[:1] in {"C", "c"}:
        reason = Skip.CANCELLATION
    elif code.upper() in NOT_GOODS or code.upper().startswith(VOUCHER):
        reason = Skip.NOT_GOODS
    elif units is not None and units <= 0:
        reason = Skip.NEGATIVE_QUANTITY if units < 0 else Skip.ZERO_QUANTITY
    elif money is not None and money <= 0:
        reason = Skip.NEGATIVE_PRICE if money < 0 else Skip.ZERO_PRICE
    if reason:
        return Skipped(at, reason)
    if not _usable_code(invoice):
        return Skipped(at, Skip.UNUSABLE, "InvoiceNo")
    if not _usable_code(code) or "/" in code or code in {".", ".."}:
        return Skipped(at, Skip.UNUSABLE, "StockCode")
    if units is None or units != int(units):
        return Skipped(at, Skip.UNUSABLE, "Quantity")
    if money is None or money != round(money, 2):
        return Skipped(at, Skip.UNUSABLE, "UnitPrice")
    line = OrderLine(at, code, int(units))
    return Row(invoice, _customer(customer), _printable(description)[:_MAX_TITLE], money, line)


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


def _survey(path: Path) -> tuple[str, str]:
    """Return the file's SHA-256 and its encoding: UTF-8 if every byte fits, else Latin-1."""
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8-sig"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            if encoding == "utf-8-sig" and not _decodes(decoder, chunk):
                encoding = "latin-1"
    if encoding == "utf-8-sig" and not _decodes(decoder, b"", final=True):
        encoding = "latin-1"
    return digest.hexdigest(), encoding


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


class _Lines:
    """Lines of a file for csv.reader, which can be given back and which end with a long row."""

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.at = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _MAX_LINES_PER_ROW:
            raise StopIteration
        line = self._again.popleft() if self._again else next(self._file)
        self.taken.append(line)
        self.at += 1
        return line

    def give_back(self) -> None:
        """Return all lines of the row but its first."""
        rest = self.taken[1:]
        self._again.extendleft(reversed(rest))
        self.at -= len(rest)


def _rows(lines: _Lines) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it begins on; [] for one that is no CSV.

    A row over several lines stands only if it has as many cells as the header: otherwise a stray
    quote has swallowed its neighbours, and they are read again by themselves.
    """
    reader = csv.reader(lines)
    width = 0
    while True:
        lines.taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error:
            cells = []
        if not lines.taken:
            return
        at = lines.at - len(lines.taken) + 1
        if not "".join(lines.taken).strip():
            continue
        cells = cells or []
        while width and len(cells) > width and not cells[-1].strip():
            cells.pop()
        if width and len(cells) != width and len(lines.taken) > 1:
            lines.give_back()
            cells = []
        width = width or len(cells)
        yield at, cells
