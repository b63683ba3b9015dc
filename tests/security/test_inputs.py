"""What may be sent, place by place: every bound that is described is kept, and everything has one.

Generated from the description of the API: a new operation is covered as it is written.
"""

from collections.abc import AsyncIterator, Iterator, Sequence

import httpx2
import pytest
from structlog.testing import capture_logs

from app.db import Database
from tests.bus.given_up import dump
from tests.orders.rest import SQLITE, application, client_of
from tests.security import surface
from tests.security.conftest import KEY
from tests.security.surface import Operation, Schema, changed, pointer, sample, send

OPERATIONS = surface.operations()
TAKING = [one for one in OPERATIONS if one.body is not None]
GUARDED = [one for one in OPERATIONS if one.path.startswith("/v1/")]

# Of views, not of what anybody sends: what a client would love to decide itself.
NAMES = sorted(
    {
        name
        for schema in surface.document()["components"]["schemas"].values()
        for name in schema.get("properties", {})
    }
    | {"__proto__", "constructor", "is_admin", "role", "principal", "actor", "password", "$where"}
)
MOST_AT_ONCE = 40
REFUSED = {400, 412, 422}

NOT_TEXT: list[object] = [5, True, [], {}, ["MUG"], {"$ne": ""}]
UNFIT = ["a\0b", "a\nb", "a\x1b[2Jb", "\x85", "\ud800", "x" * 100_000]
ENDLESS = 10**400


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect with every right to the whole application."""
    app = application(database, api_key=KEY)
    with capture_logs() as lines:
        async with client_of(app, authorization=f"Bearer {KEY}") as opened:
            yield opened
    assert not [line for line in lines if line["log_level"] in {"error", "critical"}]


def pointers(answer: httpx2.Response, code: str | None = None) -> set[str]:
    """Return the places that a refusal names, all or those with a code."""
    errors = answer.json().get("errors") or []
    return {one["pointer"] for one in errors if code in {None, one["code"]}}


NOT: dict[str, Sequence[object]] = {
    "enum": ("nothing of the kind", "", 0, None, []),
    "date-time": (
        *("yesterday", "", "2026-02-30T00:00:00Z", "99999-01-01T00:00:00Z", "2026-01-02T03:04:05"),
        *("' OR 1=1 --", "1e400", 5, True, ENDLESS, [], {}),
    ),
    "uuid": ("", "x", "' OR 1=1 --", "0199c2d4a8f0", 5, [], {}, ENDLESS),
    "string": (*NOT_TEXT, *UNFIT, ""),
    "integer": (1.5, "1", True, [], {}, ENDLESS, -ENDLESS, 2**64),
    "boolean": ("perhaps", "", 2, [], {}, 1.5),
    "array": ("x", 5, {}, True),
    "object": ("x", 5, [], True),
}


def misfits(schema: Schema) -> Iterator[object]:
    """Yield values that a place of this schema does not take."""
    kind = "enum" if "enum" in schema else schema.get("format") or schema["type"]
    yield from NOT[kind]
    for bound, step in (("maximum", 1), ("minimum", -1)):
        if bound in schema:
            yield int(schema[bound]) + step
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if "maxItems" in schema:
        yield [sample(schema["items"])] * (schema["maxItems"] + 1)
    if schema.get("minItems"):
        yield []


def odd_values(schema: Schema) -> Iterator[str]:
    """Yield what a parameter of this schema does not take, as it is written in a query."""
    kind = surface.whole(schema.get("items", schema)).get("type")
    inner = surface.whole(schema.get("items", schema))
    if kind == "integer":
        yield from ("", "x", "-1", "1.0", " 1", "1_0", "0x1", "٣", "9" * 30, "9" * 5000, "1e3")
        if "le" in inner:
            yield str(inner["le"] + 1)
    elif kind == "boolean":
        yield from ("perhaps", "2", "")
    elif "enum" in inner or "const" in inner:
        yield from ("nothing of the kind", "x" * 5000)
    elif inner.get("format"):
        yield from ("yesterday", "x" * 5000, "2026-02-30T00:00:00Z", "99999-01-01T00:00:00Z")
    elif "maxLength" in inner:
        yield "x" * (inner["maxLength"] + 1)


def with_needed(operation: Operation) -> dict[str, str]:
    """Return a query with what an operation cannot do without."""
    return {"sku": "MUG"} if operation.path.endswith("/availability") else {}


def test_every_input_has_a_bound() -> None:
    places = [
        *(
            (one, pointer(at), schema)
            for one in TAKING
            for at, schema in surface.leaves(one.body or {})
        ),
        *((one, each.name, each.schema) for one in OPERATIONS for each in one.parameters),
    ]

    def bounded(schema: Schema) -> bool:
        kind = schema.get("type")
        if kind == "array":
            return "maxItems" in schema and bounded(surface.whole(schema["items"]))
        if kind == "integer":
            return bool({"maximum", "le"} & schema.keys())
        if kind == "string":
            return bool({"maxLength", "enum", "const", "format", "pattern"} & schema.keys())
        return kind in {"boolean", "object"}

    assert len(places) > 200
    free = [f"{one} {at}" for one, at, schema in places if not bounded(schema)]
    # Read by a grammar of their own, and no longer than a head may be.
    assert not [one for one in free if not one.endswith((" Prefer", " after"))]


@SQLITE
async def test_nobody_sets_what_is_ours_to_decide(
    client: httpx2.AsyncClient, database: Database
) -> None:
    before, tried = await dump(database), 0
    for operation in TAKING:
        body = sample(operation.body or {})
        for at, schema in surface.objects(operation.body or {}):
            more = [name for name in NAMES if name not in schema["properties"]]
            for first in range(0, len(more), MOST_AT_ONCE):
                some = more[first : first + MOST_AT_ONCE]
                known = sample(schema)
                sent = changed(body, at, known | dict.fromkeys(some, "x"))
                answer = await send(client, operation, body=sent)
                assert answer.status_code == 422, f"{operation} {at}: {answer.text}"
                assert pointers(answer, "extra_forbidden") == {
                    pointer((*at, name)) for name in some
                }, str(operation)
                tried += len(some)

    assert tried > 3000
    assert await dump(database) == before


@SQLITE
async def test_what_does_not_fit_is_refused_where_it_is(
    client: httpx2.AsyncClient, database: Database
) -> None:
    before, tried = await dump(database), 0
    amiss = []
    for operation in TAKING:
        body = sample(operation.body or {})
        for at, schema in surface.leaves(operation.body or {}):
            for value in misfits(schema):
                answer = await send(client, operation, body=changed(body, at, value))
                found = pointers(answer) if answer.status_code == 422 else set()
                # Money is one thing, whichever of its halves does not fit.
                places = {pointer(at), pointer(at[:-1])} - {""}
                if not any(one in places or one.startswith(pointer(at)) for one in found):
                    amiss.append(
                        f"{operation} {pointer(at)} {str(value)[:40]!r}: {answer.text[:200]}"
                    )
                tried += 1

    assert not amiss, "\n".join(amiss)
    assert tried > 500
    assert await dump(database) == before


@SQLITE
@pytest.mark.parametrize("where", ["query", "header"])
async def test_a_parameter_that_does_not_fit_is_refused(
    client: httpx2.AsyncClient, database: Database, where: str
) -> None:
    before, tried = await dump(database), 0
    amiss = []
    for operation in OPERATIONS:
        for one in operation.of(where):
            for value in odd_values(one.schema):
                query = with_needed(operation) | ({one.name: value} if where == "query" else {})
                # As it would come over a wire, where no client looks what it holds.
                headers = {one.name.encode(): value.encode()} if where == "header" else None
                answer = await send(client, operation, query=query, headers=headers)
                # Of what a client has already it may say what it likes; it is sent it anew.
                fine = REFUSED | ({200, 404} if one.name == "If-None-Match" else set())
                if answer.status_code not in fine:
                    amiss.append(f"{operation} {one.name} {value[:40]!r}: {answer.status_code}")
                tried += 1

    assert not amiss, "\n".join(amiss)
    assert tried > 40
    assert await dump(database) == before


@SQLITE
async def test_no_operation_takes_a_parameter_it_does_not_know(client: httpx2.AsyncClient) -> None:
    for operation in GUARDED:
        for name in ("admin", "limit[]", "__proto__", "customer_id[$ne]", "X" * 5000):
            query = with_needed(operation) | {name: "1"}
            answer = await send(client, operation, query=query)
            assert answer.status_code == 422, f"{operation} {name[:20]}"
            if not operation.is_endless:
                assert answer.json()["code"] == "unknown_parameter"


@SQLITE
async def test_a_body_is_bounded_whoever_sends_it(database: Database) -> None:
    app = application(database, api_key=KEY, body_limit_bytes=4096)
    deep, large = b"[" * 4000, b" " * 4097
    async with client_of(app) as stranger:
        for operation in TAKING:
            answer = await send(stranger, operation, body=large)
            assert answer.status_code == 413, str(operation)
            assert answer.headers["connection"] == "close"
            answer = await send(stranger, operation, body=deep)
            # Which of the two comes first is all the same; it is not understood, and costs nothing.
            assert answer.status_code in {400, 401}, str(operation)
            # Two parsers read it in two ways.
            twice = b'{"reason":"a","reason":"b"}'
            assert (await send(stranger, operation, body=twice)).status_code == 400


@SQLITE
async def test_every_operation_is_charged(database: Database) -> None:
    app = application(database, api_key=KEY, rate_limit=1)
    async with client_of(app, authorization=f"Bearer {KEY}") as client:
        assert (await client.get("/v1/products")).status_code == 200
        before = await dump(database)
        for operation in OPERATIONS:
            if operation.scope is None:
                continue
            answer = await send(client, operation)
            assert answer.status_code == 429, str(operation)
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert await dump(database) == before
