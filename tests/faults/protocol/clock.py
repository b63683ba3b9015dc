"""The one clock that decides, moved by hand: what SQLite's `strftime` says of 'now'."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine

_FORMAT = "%Y-%m-%d %H:%M:%f"


class Clock:
    """Stands still until it is moved. app/bus/sql.py asks SQLite for the time in one way only."""

    def __init__(self) -> None:
        self._now = datetime(2031, 1, 1, tzinfo=UTC)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)

    def rule(self, *engines: AsyncEngine) -> None:
        """Be the clock of every connection that these engines open from now on."""
        for engine in engines:
            listen(engine.sync_engine, "connect", self._connected)

    def _connected(self, connection: Any, record: object) -> None:  # noqa: ANN401 - the hook's signature
        del record
        connection.create_function("strftime", -1, self._strftime)

    def _strftime(self, form: str, moment: str, *modifiers: str) -> str:
        if form != _FORMAT:
            raise ValueError(form)
        told = self._now if moment == "now" else datetime.fromisoformat(moment)
        for modifier in modifiers:
            number, _, unit = modifier.partition(" ")
            if unit != "seconds":
                raise ValueError(modifier)
            told += timedelta(seconds=float(number))
        return f"{told:%Y-%m-%d %H:%M:%S}.{told.microsecond // 1000:03}"
