"""A transaction that costs little more than its statements.

Most need nothing of SQLAlchemy's session: their hot statements go to the driver, and so do BEGIN
and COMMIT. Whoever uses the session finds one all the same: it joins the transaction then, and
ends it. See decision 12.
"""

import asyncio

import anyio
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

from app.bus.driver import DRIVER, Driver


class _Session(Session):
    """A session whose transaction has begun before it joined."""

    def commit(self) -> None:
        """Commit what the driver has done as well."""
        self._join()
        super().commit()

    def rollback(self) -> None:
        """Roll back what the driver has done as well."""
        self._join()
        super().rollback()

    def close(self) -> None:
        """Roll back what the driver has done as well."""
        self._join()
        super().close()

    def _join(self) -> None:
        driver: Driver = self.info[DRIVER]
        if driver.is_open and not _has_joined(driver):
            self.connection()


async def begin(engine: AsyncEngine, sql: str) -> AsyncSession:
    """Return a session whose transaction has begun by sql; `commit` or `roll_back` it.

    Where that shows that the connection was lost, another one is taken, once: nothing was asked
    of the first. So none is asked whether it is still there before each transaction.
    """
    for is_last in (False, True):
        session = await _connected(engine)
        try:
            await session.info[DRIVER].begin(sql)
        except BaseException as error:
            await roll_back(session)
            lost = isinstance(error, DBAPIError) and error.connection_invalidated
            if is_last or not lost:
                raise
        else:
            break
    return session


async def _connected(engine: AsyncEngine) -> AsyncSession:
    # In SQLAlchemy's way of waiting: there may be none left.
    connection = await greenlet_spawn(engine.sync_engine.connect)
    session = AsyncSession(engine, expire_on_commit=False, sync_session_class=_Session)
    plain = session.sync_session
    plain.bind = connection
    session.info[DRIVER] = Driver(connection)
    plain.begin()
    return session


async def commit(session: AsyncSession) -> None:
    """Commit, and give the connection back; when that fails, `roll_back`."""
    driver: Driver = session.info[DRIVER]
    plain = session.sync_session
    if _has_joined(driver) or plain.new or plain.dirty or plain.deleted:
        await session.commit()
    elif driver.is_open:
        await driver.end("COMMIT")
    _give_back(plain, driver)


async def leave(session: AsyncSession) -> None:
    """Roll back where nothing went wrong, and give the connection back."""
    driver: Driver = session.info[DRIVER]
    if _has_joined(driver):
        await roll_back(session)
        return
    if driver.is_open:
        await driver.end("ROLLBACK")
    _give_back(session.sync_session, driver)


async def roll_back(session: AsyncSession) -> None:
    """Roll back, and give the connection back, even when the task is cancelled meanwhile."""
    driver: Driver = session.info[DRIVER]
    task = asyncio.ensure_future(greenlet_spawn(_give_back, session.sync_session, driver))
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()


def _has_joined(driver: Driver) -> bool:
    return bool(driver.connection.in_transaction())


def _give_back(plain: Session, driver: Driver) -> None:
    try:
        plain.close()
    finally:
        driver.connection.close()
