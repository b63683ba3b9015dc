"""The one clock that decides, moved by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine


class Clock:
    """SQLite's clock, which tests may move forward; it runs on as ever in between."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def rule(self, *engines: AsyncEngine) -> None:
        """Be the clock of every connection that these engines open from now on."""
        for engine in engines:
            listen(engine.sync_engine, "connect", self._connected)

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += timedelta(seconds=seconds)

    def _connected(self, connection: Any, record: object) -> None:  # noqa: ANN401 - the hook's signature
        del record
        connection.create_function("strftime", -1, self._strftime)

    def _strftime(self, form: str, moment: str, *modifiers: str) -> str:
        """Answer as `app.bus.sql` asks: for now, or a time of its own, so many seconds later."""
        del form
        told = (
            datetime.now(UTC) + self._ahead if moment == "now" else datetime.fromisoformat(moment)
        )
        told += timedelta(seconds=sum(float(each.removesuffix(" seconds")) for each in modifiers))
        return f"{told:%Y-%m-%d %H:%M:%S}.{told.microsecond // 1000:03}"
