"""Tables as CSV (RFC 4180), sent as they are read, with no cell that a spreadsheet would run."""

import csv
import io
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any, TypeAlias

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

MEDIA_TYPE = "text/csv"

Cell: TypeAlias = str | int | None

# Where Excel, LibreOffice and Google Sheets would see a formula begin, with East Asian signs too.
# Many a country's spreadsheet splits at semicolons or tabs, and then our quotes do not hold a text
# together; what stands between such a split and the sign, the spreadsheet drops.
_FORMULA = re.compile('(?:^|[;\t\r\n])["\\s]*+(?=[=+@\uff1d\uff0b\uff0d\uff20-])')
_QUALITY = re.compile(r"q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def wanted(request: Request) -> bool:
    """Tell whether the client would rather have CSV than JSON (RFC 9110, section 12.5.1)."""
    accept = ",".join(request.headers.getlist("accept"))
    return _quality(accept, MEDIA_TYPE) > _quality(accept, "application/json")


def reply(
    request: Request,
    file_name: str,
    columns: Sequence[str],
    tables: AsyncIterable[Iterable[Sequence[Cell]]],
) -> Response:
    """Answer with these columns and the rows of every table, one table in memory at a time.

    An error in tables cuts the reply short, so that no client takes it for whole. For a HEAD they
    are not read.
    """
    only_head = request.scope.get("orderly.head", False)

    async def parts() -> AsyncIterator[bytes]:
        yield _lines([columns])
        if not only_head:
            async for table in tables:
                yield _lines(table)

    headers = {
        "Content-Disposition": f'attachment; filename="{file_name}"',
        "Vary": "Accept",
    }
    media_type = f"{MEDIA_TYPE}; charset=utf-8; header=present"
    return StreamingResponse(parts(), headers=headers, media_type=media_type)


def documented(columns: Sequence[str]) -> dict[str, Any]:
    """Return what OpenAPI says of such an answer: the `content` of a response."""
    description = (
        "A row per item, newest first. In text, an apostrophe stands before a = + - or @ with "
        "which a formula would begin: the first character, or the first after a semicolon, a tab "
        "or a line break. Numbers have none."
    )
    schema = {"type": "string", "description": description}
    return {MEDIA_TYPE: {"schema": schema, "example": ",".join(columns) + "\r\n"}}


def escaped(cell: Cell) -> Cell:
    """Return what to write for a cell: in text, an apostrophe before whatever begins a formula.

    Numbers stay numbers, so the first column of a table has none below zero.
    """
    return _FORMULA.sub(r"\g<0>'", cell) if isinstance(cell, str) else cell


def _lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([escaped(cell) for cell in row] for row in rows)
    return written.getvalue().encode()


def _quality(accept: str, kind: str) -> float:
    """Return how much a client wants a media type; of ranges, the closest decides."""
    closeness = {"*/*": 1, f"{kind.partition('/')[0]}/*": 2, kind: 3}
    closest, quality = 0, 0.0
    for one in accept.split(","):
        media_range, *parameters = (part.strip() for part in one.split(";"))
        close = closeness.get(media_range.lower(), 0)
        if close > closest:
            given = next(filter(None, map(_QUALITY.fullmatch, parameters)), None)
            closest, quality = close, float(given[1]) if given else 1.0
    return quality
