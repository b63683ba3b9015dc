"""The few places where SQLite and PostgreSQL differ, each behind one name."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CursorResult,
    DateTime,
    Dialect,
    Executable,
    Float,
    FromClause,
    Result,
    String,
    Table,
    TypeDecorator,
    bindparam,
    column,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from app.bus import arrays

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

    def write(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a transaction that commits when the block ends and rolls back when it raises."""

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
        return _unnested(given, types)
    table = _json_rows(dialect, list(columns.values()))
    return _extracted(bindparam(None, table, type_=String()), types)


class Prepared:
    """A statement over a table of Python values such as `rows` makes, built once per dialect.

    Building a statement takes as long as its work on a hundred rows. build gets a session and the
    table, whose columns are the keywords with their SQL types; what else changes from run to run
    is a `bindparam` in it.

    Columns named in alike tend to hold one value in every row: then that travels once, because
    each element of an array costs. At least one column is not alike.
    """

    def __init__(
        self,
        build: Callable[[AsyncSession, FromClause], Executable],
        alike: Collection[str] = (),
        **types: TypeEngine[Any],
    ) -> None:
        self._build = build
        self._alike = alike
        self._types = types
        self._statements: dict[tuple[str, ...], Executable] = {}

    async def run(
        self, session: AsyncSession, columns: Mapping[str, Sequence[Any]], **parameters: object
    ) -> Result[*tuple[Any, ...]]:
        """Run it on these columns, all of one length."""
        dialect = dialect_of(session)
        same = tuple(name for name in self._alike if _one_value(columns[name]))
        statement = self._statements.get((dialect.name, *same))
        if statement is None:
            statement = self._build(session, self._table(dialect, same))
            self._statements[dialect.name, *same] = statement
        given = {name: type_ for name, type_ in self._types.items() if name not in same}
        values = _values(dialect, given, columns)
        once = {f"given_{name}": columns[name][0] for name in same}
        return await session.execute(statement, values | once | parameters)

    def _table(self, dialect: Dialect, same: Collection[str]) -> FromClause:
        types = {name: type_ for name, type_ in self._types.items() if name not in same}
        if dialect.name == "postgresql":
            columns = [arrays.parameter(f"given_{name}", type_) for name, type_ in types.items()]
            given = _unnested(columns, types)
        else:
            given = _extracted(bindparam("given", type_=String()), types)
        if not same:
            return given
        once = (bindparam(f"given_{name}", type_=self._types[name]).label(name) for name in same)
        return select(given, *once).subquery()


def _one_value(values: Sequence[Any]) -> bool:
    return bool(values) and values.count(values[0]) == len(values)


def _values(
    dialect: Dialect, types: Mapping[str, TypeEngine[Any]], columns: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    if dialect.name == "postgresql":
        return {
            f"given_{name}": arrays.value(type_, columns[name]) for name, type_ in types.items()
        }
    return {"given": _json_rows(dialect, [(type_, columns[name]) for name, type_ in types.items()])}


def prepared(
    alike: Collection[str] = (),
    **types: TypeEngine[Any],
) -> Callable[[Callable[[AsyncSession, FromClause], Executable]], Prepared]:
    """Make the decorated function, which builds a statement over a table of columns, `Prepared`."""

    def prepare(build: Callable[[AsyncSession, FromClause], Executable]) -> Prepared:
        return Prepared(build, alike, **types)

    return prepare


def _unnested(
    columns: Sequence[ColumnElement[Any]], types: Mapping[str, TypeEngine[Any]]
) -> FromClause:
    given = [column(name, type_) for name, type_ in types.items()]
    return func.unnest(*columns).table_valued(*given).render_derived().alias()


def _extracted(text_: ColumnElement[str], types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    each = func.json_each(text_).table_valued("value")
    return (
        select(
            *(
                func.json_extract(each.c.value, f"$[{place}]", type_=type_).label(name)
                for place, (name, type_) in enumerate(types.items())
            )
        )
        .select_from(each)
        .subquery()
    )


def _json_rows(dialect: Dialect, columns: Sequence[tuple[TypeEngine[Any], Sequence[Any]]]) -> str:
    processors = [type_.dialect_impl(dialect).bind_processor(dialect) for type_, _ in columns]
    lists = [
        [process(value) if process else value for value in values]
        for process, (_, values) in zip(processors, columns, strict=True)
    ]
    return to_json(list(zip(*lists, strict=True))).decode()
