"""Hot statements go straight to the driver, in a transaction that SQLAlchemy begins and ends.

To build, to send and to read one through a session costs several times what it costs the driver:
see decision 12.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NoReturn

from sqlalchemy import ARRAY, Connection, Dialect, Executable
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import greenlet_spawn

DRIVER = "orderly_driver"
"""Names the Driver in the info of a session that has one."""

Rows = Sequence[Sequence[Any]]


class Compiled:
    """A statement as a driver takes it. Lists for IN have no place in it."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # all of ours do
        if compiled.post_compile_params or compiled.literal_execute_params:
            msg = f"the text of this statement depends on its parameters: {compiled}"
            raise TypeError(msg)
        self.sql = str(compiled)
        types = {name: parameter.type for parameter, name in compiled.bind_names.items()}
        self._parameters = [
            (name, compiled.params[name], _processor(types[name], dialect))
            for name in compiled.positiontup or ()
        ]
        self._columns = [
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in getattr(statement, "exported_columns", ())
        ]
        self._is_plain = not any(self._columns)

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """Return parameters in the order in which the text has them."""
        values = ((given.get(name, fixed), process) for name, fixed, process in self._parameters)
        return [process(value) if process else value for value, process in values]

    def rows(self, found: Rows) -> Rows:
        """Return what the driver found as the types of the columns have it."""
        if self._is_plain:
            return found
        return [
            tuple(
                process(value) if process else value
                for process, value in zip(self._columns, row, strict=True)
            )
            for row in found
        ]


def _processor(type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes a value one of the driver's, None where it is one already."""
    if isinstance(type_, ARRAY) and _processor(type_.item_type, dialect) is None:
        # Its own would go through the elements to change none of them.
        return None
    return type_.dialect_impl(dialect).bind_processor(dialect)


class Driver:
    """The connection of a session, as its driver has it; of use until the transaction ends."""

    def __init__(self, connection: Connection) -> None:
        self.dialect = connection.dialect
        self.connection: Any = connection
        self._adapted: Any = self.connection.connection.dbapi_connection
        raw: Any = self.connection.connection.driver_connection
        self._raw = raw
        self._begun: _Begun | None = None
        self._fetch: Callable[[str, list[Any]], Awaitable[Rows]]
        if self.dialect.name == "postgresql":
            self._fetch = lambda sql, arguments: raw.fetch(sql, *arguments)
        else:
            self._fetch = raw.execute_fetchall

    @property
    def is_open(self) -> bool:
        """Whether the transaction that `begin` began is still under way."""
        if self.dialect.name == "postgresql":
            return self._begun is not None and self._adapted._transaction is self._begun  # noqa: SLF001 - see begin
        return bool(self._raw.is_begun)

    @property
    def is_usable(self) -> bool:
        """False once the transaction is over, and while somebody listens to what SQLAlchemy runs.

        Who counts, traces or strikes statements sees all of them that way.
        """
        heard = self.connection.dispatch
        return self.is_open and not (heard.before_cursor_execute or heard.after_cursor_execute)

    async def fetch(self, compiled: Compiled, given: Mapping[str, Any]) -> Rows:
        """Run a statement and return its rows; raises what SQLAlchemy would."""
        arguments = compiled.arguments(given)
        try:
            return compiled.rows(await self._fetch(compiled.sql, arguments))
        except Exception as error:
            await greenlet_spawn(self.fail, error, compiled.sql)
            raise

    async def send(self, writes: Sequence[tuple[Compiled, Mapping[str, Any]]]) -> Rows:
        """Run statements that are independent of one another, in one trip.

        Returns the rows of the first one, if it has any.
        """
        arguments = [compiled.arguments(given) for compiled, given in writes]
        texts = tuple(compiled.sql for compiled, _ in writes)
        try:
            if self.dialect.name == "postgresql":
                # The rows are those of the statement that stands last.
                given = chain(*arguments[1:], arguments[0])
                found = await self._raw.fetch(_joined((*texts[1:], texts[0])), *given)
            else:
                found = await self._raw.execute_each(texts, arguments)
            return writes[0][0].rows(found)
        except Exception as error:
            await greenlet_spawn(self.fail, error, "; ".join(texts))
            raise

    async def begin(self, sql: str) -> None:
        """Begin a transaction, on PostgreSQL with whatever else sql says, in one message.

        The driver's own BEGIN and each setting would be one each. SQLite begins with the first
        statement.
        """
        if self.dialect.name != "postgresql":
            self._raw.begin(sql)
            return
        # Known before it is sent: cut short, it may have happened, and is rolled back.
        self._begun = self._adapted._transaction = _Begun(self._raw)  # noqa: SLF001 - where the driver's own would be
        await self._run(self._raw.execute(sql), sql)

    async def end(self, sql: str) -> None:
        """End the transaction, which SQLAlchemy must not have joined, by COMMIT or ROLLBACK."""
        if self.dialect.name != "postgresql":
            await self._run(self._raw.commit() if sql == "COMMIT" else self._raw.rollback(), sql)
            return
        await self._run(self._raw.execute(sql), sql)
        # Not before: cut short or refused, it may be under way still, and is rolled back.
        self._adapted._transaction = None  # noqa: SLF001 - as above

    async def _run(self, sent: Awaitable[object], sql: str) -> None:
        try:
            await sent
        except Exception as error:  # noqa: BLE001 - raised again, as what it is
            await greenlet_spawn(self.fail, error, sql)

    def fail(self, error: Exception, sql: str) -> NoReturn:
        """Raise error as SQLAlchemy does, which also drops a connection that is lost."""
        try:
            self._adapted._handle_exception(error)  # noqa: SLF001 - the driver's errors as DBAPI's
        except self.dialect.loaded_dbapi.Error as known:
            self.connection._handle_dbapi_exception(known, sql, None, None, None)  # noqa: SLF001 - as above
        raise error


class _Begun:
    """A transaction that is under way, for SQLAlchemy to end."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg has no types
        self._connection = connection

    async def commit(self) -> None:
        await self._connection.execute("COMMIT")

    async def rollback(self) -> None:
        await self._connection.execute("ROLLBACK")


@lru_cache(maxsize=256)
def _joined(texts: tuple[str, ...]) -> str:
    """Return statements of PostgreSQL as one, each of which has its parameters after the others'.

    All of them see the database as it was before the first.
    """
    moved, used = [], 0
    for text in texts:
        by = used
        moved.append(_PARAMETER.sub(lambda found: f"${int(found[1]) + by}", text))  # noqa: B023 - used at once
        used += max((int(number) for number in _PARAMETER.findall(text)), default=0)
    *others, last = moved
    named = ", ".join(f"write_{place} AS ({text})" for place, text in enumerate(others))
    return f"WITH {named} {last}" if others else last


_PARAMETER = re.compile(r"\$([0-9]+)")


def of(session: AsyncSession) -> Driver | None:
    """Return the driver of a session, None when its statements go through SQLAlchemy.

    So they do after a savepoint, which SQLAlchemy sets with the first statement it sees.
    """
    driver: Driver | None = session.info.get(DRIVER)
    if driver is None or session.in_nested_transaction() or not driver.is_usable:
        return None
    return driver
