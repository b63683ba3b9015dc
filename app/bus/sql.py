"""The few places where SQLite and PostgreSQL differ, each behind one name."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CursorResult,
    DateTime,
    Dialect,
    Float,
    FromClause,
    String,
    Table,
    TypeDecorator,
    bindparam,
    literal,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from app.bus.given import extracted, json_rows, unnested

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Transactions(Protocol):
    """What the bus needs of a database: sessions whose transaction the context manager owns."""

    @property
    def single_writer(self) -> bool:
        """True when writers take turns (SQLite), so a write must never wait for the network."""

    def write(self, *, first: str = "") -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction that commits when the block ends and rolls back when it raises.

        first is said along with PostgreSQL's BEGIN, at no cost of its own; nobody reads its rows.
        """

    def read(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session for reading; nothing done in it is kept."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time on both databases; SQLite keeps text and forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the hook's signature
        """Hand the driver UTC, whatever zone the caller thinks in."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the hook's signature
        """Put the zone back that SQLite dropped."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


class now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock: the only clock that decides anything."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(now)
def _now(element: now, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ARG001, ANN401 - the hook's signature
    return "now()"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ARG001, ANN401 - the hook's signature
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"


class clock(now):  # noqa: N801 - reads as the SQL function it is
    """The same clock while a row is written; `now` is when its transaction began, on PostgreSQL."""


@compiles(clock, "postgresql")
def _clock(element: clock, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ARG001, ANN401 - the hook's signature
    return "clock_timestamp()"


class later(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock, so many seconds ahead: `later(2.5)`, negative for the past."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | ColumnElement[float]) -> None:
        super().__init__(literal(seconds, Float()) if isinstance(seconds, float | int) else seconds)


@compiles(later)
def _later(element: later, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401 - the hook's signature
    return f"(now() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(later, "sqlite")
def _later_sqlite(element: later, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401 - the hook's signature
    seconds = compiler.process(element.clauses, **kw)
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds}) || ' seconds')"


class at(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """A given moment, in the form in which this database keeps those of its clock."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, moment: datetime) -> None:
        super().__init__(literal(moment, UtcDateTime()))


@compiles(at)
def _at(element: at, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401 - the hook's signature
    return f"({compiler.process(element.clauses, **kw)})"


@compiles(at, "sqlite")
def _at_sqlite(element: at, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401 - the hook's signature
    return f"strftime('%Y-%m-%d %H:%M:%f', {compiler.process(element.clauses, **kw)})"


def dialect_of(session: AsyncSession) -> Dialect:
    """Return the dialect the session speaks."""
    return session.get_bind().dialect


def changed(result: object) -> int:
    """Return how many rows a statement changed; of an INSERT, with `preserve_rowcount` only."""
    if not isinstance(result, CursorResult) or result.rowcount < 0:
        msg = "the driver has not counted the rows of this statement"
        raise TypeError(msg)
    return result.rowcount


async def count_afresh(session: AsyncSession, table: Table) -> None:
    """Have PostgreSQL look at a table that many rows came to at once.

    Until it does, by itself within a minute or so, it plans for the table as it was: a hundred
    times slower in places. SQLite plans by its indexes alone.
    """
    if dialect_of(session).name == "postgresql":
        await session.execute(text(f"ANALYZE {table.name}"))


def code(length: int) -> TypeEngine[str]:
    """Return a text type that PostgreSQL orders by bytes, so that it sorts as Python does."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def upsert(session: AsyncSession, table: FromClause) -> "postgresql.Insert | sqlite.Insert":
    """Start an INSERT that knows ON CONFLICT, in the session's dialect."""
    if dialect_of(session).name == "postgresql":
        return postgresql.insert(table)  # type: ignore[arg-type]  # every table is a FromClause
    return sqlite.insert(table)  # type: ignore[arg-type]  # every table is a FromClause


def rows(session: AsyncSession, **columns: tuple[TypeEngine[Any], Sequence[Any]]) -> FromClause:
    """Make a table of Python values to join with: one statement for any number of rows.

    Each keyword is a column: its SQL type and its values, all of one length. PostgreSQL gets
    `unnest` of arrays, which it joins by hash where `= ANY` would search the array once per row;
    SQLite gets `json_each` of one text.
    """
    dialect = dialect_of(session)
    types = {name: type_ for name, (type_, _) in columns.items()}
    if dialect.name == "postgresql":
        given = [
            bindparam(None, list(values), type_=ARRAY(type_)) for type_, values in columns.values()
        ]
        return unnested(given, types)
    table = json_rows(dialect, list(columns.values()))
    return extracted(bindparam(None, table, type_=String()), types)
