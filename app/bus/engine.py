"""The stream engine's own facts: what it is, what it keeps, and whether it may drop a stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.bus.errors import StreamError
from app.bus.stream import Stream

_NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the engine says of itself; max_memory_bytes is None where nothing bounds it.

    persistence is `aof` where it keeps an append-only file, `rdb` where it has saved snapshots
    only, `none` where it keeps nothing; None for what it does not tell, as where INFO is forbidden.
    """

    kind: Literal["redis", "valkey"] | None
    version: str | None
    persistence: Literal["aof", "rdb", "none"] | None
    policy: str | None
    used_memory_bytes: int | None
    max_memory_bytes: int | None

    @property
    def warnings(self) -> list[str]:
        """What somebody should mend in its settings."""
        found = [eviction] if (eviction := evicts(self.policy or "")) else []
        if self.used_memory_bytes and self.max_memory_bytes:
            share = self.used_memory_bytes / self.max_memory_bytes
            if share >= _NEARLY_FULL:
                found.append(f"The stream engine's memory is {share:.0%} full.")
        if self.version is None:
            found.append("The stream engine does not say what it is: INFO is not allowed to us.")
        return found


def evicts(policy: str) -> str | None:
    """Return a sentence when a memory policy lets the engine drop streams; None when it is fit.

    volatile-* policies are fine: no key of ours expires.
    """
    if policy.startswith("allkeys"):
        return f"maxmemory_policy is {policy}, which evicts streams: set noeviction"
    return None


async def ask_engine(stream: Stream) -> Engine | None:
    """Return what the engine says of itself in one INFO; None when it does not answer."""
    try:
        told = await stream.info("server", "memory", "persistence")
    except StreamError:
        return None
    return _engine(told)


def _engine(told: Mapping[str, Any]) -> Engine:
    valkey = told.get("valkey_version")
    version = valkey or told.get("redis_version")
    most = told.get("maxmemory")
    return Engine(
        kind=None if version is None else "valkey" if valkey else "redis",
        version=None if version is None else str(version),
        persistence=_persistence(told),
        policy=None if (policy := told.get("maxmemory_policy")) is None else str(policy),
        used_memory_bytes=None if (used := told.get("used_memory")) is None else int(used),
        max_memory_bytes=int(most) if most else None,
    )


def _persistence(told: Mapping[str, Any]) -> Literal["aof", "rdb", "none"] | None:
    if "aof_enabled" not in told:
        return None
    if told["aof_enabled"]:
        return "aof"
    return "rdb" if told.get("rdb_saves") else "none"
