"""Refusing new orders in time: a promise that cannot be kept soon is better not made."""

from dataclasses import dataclass
from time import monotonic
from weakref import WeakKeyDictionary

from fastapi import Request

from app.bus.history import falls_behind
from app.db import Database
from app.errors import OverloadedError
from app.web import state

_ASKED_EVERY_S = 1.0


@dataclass(slots=True)
class _Seen:
    """What was found, and when somebody last went to look."""

    behind: bool
    at: float


_seen: WeakKeyDictionary[Database, _Seen] = WeakKeyDictionary()


async def not_overloaded(request: Request) -> None:
    """Raise OverloadedError while the relay falls behind by more than the setting allows.

    For the routes that take orders: `dependencies=[Depends(not_overloaded)]`. The database is
    asked once a second, however many orders come; the one that asks waits for it, and the others
    go by what was found before. While the stream engine is away orders are taken: see
    `falls_behind`.
    """
    runtime = state.running(request)
    limit_s = runtime.settings.outbox_lag_limit_s
    seen = _seen.get(runtime.database)
    if seen is None:
        seen = _seen[runtime.database] = _Seen(behind=False, at=float("-inf"))
    now = monotonic()
    if now - seen.at >= _ASKED_EVERY_S:
        seen.at = now
        async with runtime.database.read() as session:
            seen.behind = await falls_behind(session, by_s=limit_s)
    if seen.behind:
        msg = (
            f"Events of more than {limit_s:g} s ago are still to be published, so orders wait "
            "for a moment."
        )
        raise OverloadedError(msg, headers={"Retry-After": "5"})
