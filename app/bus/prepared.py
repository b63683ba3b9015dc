"""Statements that are built once, compiled once, and run many times: those of the hot path."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import BigInteger, Dialect, Executable, FromClause, String, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.bus import arrays, driver
from app.bus.given import extracted, json_rows, unnested
from app.bus.sql import dialect_of

Rows: TypeAlias = driver.Rows


class Fixed:
    """A statement that is always the same but for its parameters, compiled once per dialect."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, driver.Compiled] = {}

    async def run(self, session: AsyncSession, **parameters: object) -> Rows:
        """Run it and return its rows: by the driver where the session has one."""
        direct = driver.of(session)
        if direct is not None:
            return await direct.fetch(self.compiled(direct.dialect), parameters)
        result = await session.execute(self._statement, parameters)
        return result.all() if getattr(result, "returns_rows", True) else []

    def compiled(self, dialect: Dialect) -> driver.Compiled:
        """Return the statement as the driver of a dialect takes it."""
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = driver.Compiled(self._statement, dialect)
        return compiled


class Write(NamedTuple):
    """A statement and its parameters; for `write`."""

    statement: Fixed
    parameters: Mapping[str, Any]


_RIDERS = "orderly_riders"


def ride(session: AsyncSession, *writes: Write) -> None:
    """Have statements run in the trip of the next `write`; whoever asks makes sure of one."""
    session.info[_RIDERS] = (*session.info.get(_RIDERS, ()), *writes)


async def write(session: AsyncSession, *writes: Write) -> Rows:
    """Run statements in one trip to the database, none of which reads what another one wrote.

    Returns the rows of the first one, if it has any. What rides along comes after them.
    """
    writes = (*writes, *session.info.pop(_RIDERS, ()))
    direct = driver.of(session)
    if direct is None:
        found = [await statement.run(session, **parameters) for statement, parameters in writes]
        return found[0] if found else []
    if not writes:
        return []
    return await direct.send([(one.compiled(direct.dialect), given) for one, given in writes])


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
        self._statements: dict[tuple[str, ...], Fixed] = {}

    async def run(
        self, session: AsyncSession, columns: Mapping[str, Sequence[Any]], **parameters: object
    ) -> Rows:
        """Run it on these columns, all of one length, and return its rows."""
        statement, values = self.on(session, columns, **parameters)
        return await statement.run(session, **values)

    def on(
        self, session: AsyncSession, columns: Mapping[str, Sequence[Any]], **parameters: object
    ) -> "Write":
        """Return what `run` would run, for `write` to run it with others."""
        dialect = dialect_of(session)
        same = tuple(name for name in self._alike if _one_value(columns[name]))
        statement = self._statements.get((dialect.name, *same))
        if statement is None:
            statement = Fixed(self._build(session, self._table(dialect, same)))
            self._statements[dialect.name, *same] = statement
        given = {name: type_ for name, type_ in self._types.items() if name not in same}
        values = _values(dialect, given, columns)
        once = {f"given_{name}": columns[name][0] for name in same}
        return Write(statement, values | once | parameters)

    async def column(
        self, session: AsyncSession, columns: Mapping[str, Sequence[Any]], **parameters: object
    ) -> list[Any]:
        """Run it, and return the first value of each row."""
        return [row[0] for row in await self.run(session, columns, **parameters)]

    def _table(self, dialect: Dialect, same: Collection[str]) -> FromClause:
        types = {name: type_ for name, type_ in self._types.items() if name not in same}
        if dialect.name == "postgresql":
            columns = [arrays.parameter(f"given_{name}", type_) for name, type_ in types.items()]
            given = unnested(columns, types)
        else:
            given = extracted(bindparam("given", type_=String()), types)
        if not same:
            return given
        once = (bindparam(f"given_{name}", type_=self._types[name]).label(name) for name in same)
        return select(given, *once).subquery()


def few(session: AsyncSession, given: FromClause) -> FromClause:
    """Return the same table, of :the_count rows, planned for as if it had few.

    For a statement that looks each row up in several places: the more rows PostgreSQL expects of a
    plan that fits any number, the dearer that plan seems, and it would make one for each run
    instead. Of a LIMIT it does not know it expects a tenth. SQLite plans once, and goes by none.
    """
    if dialect_of(session).name != "postgresql":
        return given
    return select(given).limit(bindparam("the_count", type_=BigInteger())).subquery()


def _one_value(values: Sequence[Any]) -> bool:
    return bool(values) and values.count(values[0]) == len(values)


def _values(
    dialect: Dialect, types: Mapping[str, TypeEngine[Any]], columns: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    if dialect.name == "postgresql":
        return {
            f"given_{name}": arrays.value(type_, columns[name]) for name, type_ in types.items()
        }
    return {"given": json_rows(dialect, [(type_, columns[name]) for name, type_ in types.items()])}


def prepared(
    alike: Collection[str] = (),
    **types: TypeEngine[Any],
) -> Callable[[Callable[[AsyncSession, FromClause], Executable]], Prepared]:
    """Make the decorated function, which builds a statement over a table of columns, `Prepared`."""

    def prepare(build: Callable[[AsyncSession, FromClause], Executable]) -> Prepared:
        return Prepared(build, alike, **types)

    return prepare
