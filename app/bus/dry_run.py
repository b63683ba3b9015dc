"""A dry run: what a redrive would do, told by a transaction that is always rolled back."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import UpdateBase

from app.bus.call import call
from app.bus.dead_letters import given_up
from app.bus.errors import HandlerError, is_transient
from app.bus.event import Envelope, Event
from app.bus.mend import mend
from app.bus.outbox import OVERHEARD
from app.bus.redrive import current, kind_here
from app.bus.sql import Transactions
from app.bus.subscriber import Handler, Subscriber
from app.bus.timeouts import Timeouts

_TIMEOUTS = Timeouts()
_VERBS = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
_TEXTUAL = re.compile(
    r"\s*(INSERT|UPDATE|DELETE)\s+(?:INTO\s+|FROM\s+)?(?:ONLY\s+)?\"?(\w+)", re.IGNORECASE
)


@dataclass(slots=True)
class DryRun:
    """What would happen: the error or none, the events, and (table, what) → rows.

    An upsert counts as inserted. Rows that triggers write are not seen.
    """

    error_type: str | None = None
    error: str | None = None
    events: list[Envelope] = field(default_factory=list)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)


class _Undone(Exception):  # noqa: N818 - it is no error: it ends every dry run
    """Rolls the transaction back."""


async def dry_run(  # noqa: PLR0913 - which delivery, with what, within which times
    database: Transactions,
    subscribers: Iterable[Subscriber],
    subscriber: str,
    event_id: UUID,
    *,
    data: Mapping[str, Any] | None = None,
    timeouts: Timeouts = _TIMEOUTS,
) -> DryRun:
    """Run the handler of a dead or discarded delivery, and undo everything it did here.

    What it does outside the database is done all the same. Raises NoDeliveryError,
    NotGivenUpError, NotHandledHereError, UnfitDataError, and what tells of the database's state.
    """
    known = {one.name: one for one in subscribers}.get(subscriber)
    told = DryRun()
    with suppress(_Undone):
        async with database.write() as session:
            found = await given_up(session, subscriber, event_id)
            kind, handler = kind_here(known, found)
            envelope = current(found)
            if data is not None:
                envelope = mend(envelope, kind, data)
            said = session.info[OVERHEARD] = list[str]()
            with _watching((await session.connection()).sync_connection, told):
                try:
                    given = envelope.open(kind)
                    await _run(handler, given, session, told, timeouts.handler_s)
                except Exception as error:  # whatever it raises is the answer
                    if is_transient(error):
                        raise
                    cause = error.__cause__ if isinstance(error, HandlerError) else error
                    told.error_type, told.error = type(cause).__name__, str(cause)
            told.events = [Envelope.model_validate_json(text) for text in said]
            raise _Undone
    return told


async def _run(
    handler: Handler, given: Event, session: AsyncSession, told: DryRun, timeout_s: float
) -> None:
    for failure in await call(handler, [given], session, timeout_s):
        told.error_type, told.error = "Failed", failure.reason
    await session.flush()


@contextmanager
def _watching(connection: Connection | None, told: DryRun) -> Iterator[None]:
    """Note in told what statements on this connection change."""
    if connection is None:
        msg = "the session has no connection"
        raise RuntimeError(msg)

    def after(  # noqa: PLR0913, PLR0917 - the hook's signature
        connection: Connection,
        cursor: Any,  # noqa: ANN401 - the driver's
        statement: str,
        parameters: Any,  # noqa: ANN401 - the driver's
        context: Any,  # noqa: ANN401 - its class is SQLAlchemy's own affair
        executemany: bool,  # noqa: FBT001 - the hook's signature
    ) -> None:
        changed = _target(statement, context)
        if changed is None:
            return
        if (number := cursor.rowcount) < 0:
            # Neither driver counts all: the one not what it returned, the other no executemany.
            number = len(parameters) if executemany else _changes(connection)
        told.rows[changed] += number

    event.listen(connection, "after_cursor_execute", after)
    try:
        yield
    finally:
        event.remove(connection, "after_cursor_execute", after)


def _target(statement: str, context: Any) -> tuple[str, str] | None:  # noqa: ANN401 - SQLAlchemy's
    """Return the table a statement changes and how, or None when it only reads."""
    compiled = context.compiled
    if compiled is not None and isinstance(compiled.statement, UpdateBase):
        verb = "INSERT" if context.isinsert else "UPDATE" if context.isupdate else "DELETE"
        return compiled.statement.entity_description["name"], _VERBS[verb]
    found = _TEXTUAL.match(statement)
    return (found[2], _VERBS[found[1].upper()]) if found else None


def _changes(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT changes()").scalar() or 0)
