"""Rate limits: so many requests a minute for each key, where the key or a setting says so."""

import math
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import ClassVar

from starlette.types import Scope

from app.errors import AppError
from app.web.principal import Principal

_WINDOW_S = 60
_MOST = 10_000


class RateLimitedError(AppError):
    """The key has made more requests than it may in a minute; this one was not worked on."""

    status: ClassVar[HTTPStatus] = HTTPStatus.TOO_MANY_REQUESTS
    code: ClassVar[str] = "rate_limited"
    title: ClassVar[str] = "Too many requests"
    remedy: ClassVar[str] = "Send it again after Retry-After; `RateLimit` says how many are left."
    retryable: ClassVar[bool] = True


@dataclass(slots=True)
class _Bucket:
    """What a principal may still spend, as it was at a moment of the monotonic clock."""

    left: float
    at: float


class Buckets:
    """A token bucket for each principal that has a limit, in the memory of one process.

    A bucket holds a minute's requests, so that a burst of that many passes, and fills evenly. Two
    processes know nothing of each other's: behind n of them a key has up to n times its limit.
    """

    def __init__(self, per_minute: int | None) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, _Bucket] = {}

    def spend(self, who: Principal) -> dict[str, str]:
        """Take one request from who's bucket, and return the headers that tell what is left.

        No headers, and nothing taken, where there is no limit. Raises RateLimitedError.
        """
        limit = who.rate_limit or self._per_minute
        if limit is None:
            return {}
        now, per_s = monotonic(), limit / _WINDOW_S
        bucket = self._buckets.pop(who.name, None) or _Bucket(limit, now)
        if len(self._buckets) >= _MOST:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[who.name] = bucket
        bucket.left = min(limit, bucket.left + (now - bucket.at) * per_s)
        bucket.at = now
        allowed = bucket.left >= 1
        if allowed:
            bucket.left -= 1
        left = int(bucket.left)
        more_in_s = max(1, math.ceil((left + 1 - bucket.left) / per_s))
        headers = {
            # draft-ietf-httpapi-ratelimit-headers-10
            "RateLimit-Policy": f'"default";q={limit};w={_WINDOW_S}',
            "RateLimit": f'"default";r={left};t={more_in_s}',
        }
        if not allowed:
            msg = f"{limit} requests a minute are allowed; the next one in {more_in_s} s."
            raise RateLimitedError(msg, headers={**headers, "Retry-After": str(more_in_s)})
        return headers


def spend(scope: Scope, who: Principal) -> None:
    """Charge who for the request of scope, once; raises RateLimitedError."""
    state = scope["state"]
    if "rate_headers" not in state:
        state["rate_headers"] = None  # a refusal brings its own
        state["rate_headers"] = state["buckets"].spend(who)


def told(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer that tell whoever was charged what is left."""
    headers: dict[str, str] | None = scope["state"].get("rate_headers")
    if not headers:
        return []
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
