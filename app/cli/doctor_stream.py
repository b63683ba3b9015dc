"""What `doctor` makes of the stream engine: reached, its version, what it evicts and keeps."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from app.bus.embedded import engine_binary, running_engine_url
from app.bus.errors import EngineError, StreamError
from app.bus.stream import Stream
from app.cli.finding import Finding, failed, ok, warning
from app.errors import StartupError
from app.runtime import open_stream, stream_directory
from app.settings import Settings

_OLDEST_REDIS = 7
_OLDEST_VALKEY = 8
_MIB = 1024**2
_NEARLY = 0.9


async def look_at_stream(settings: Settings) -> tuple[list[Finding], float | None]:
    """Return what was found, and how far the engine's clock is ahead of ours."""
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
    else:
        running = running_engine_url(stream_directory(settings))
        if running is None:
            return [_embedded()], None
        url = running
    try:
        async with open_stream(url, settings) as stream:
            return await _asked(stream, settings)
    except StartupError as error:
        return [failed("stream engine", str(error), "Correct REDIS_URL.")], None


def _embedded() -> Finding:
    try:
        binary = engine_binary()
    except EngineError as error:
        return failed("stream engine", str(error), "Install one, or set both URLs.")
    return ok("stream engine", f"embedded, not running now: {binary}")


async def _asked(stream: Stream, settings: Settings) -> tuple[list[Finding], float | None]:
    try:
        before = time.time()
        server = await stream.info("server")
        after = time.time()
        sections = [await stream.info(one) for one in ("memory", "persistence", "replication")]
    except StreamError as error:
        if settings.redis_url is None:
            remedy = (
                "It may be starting or ending; look at stream/engine.log in the data directory."
            )
        else:
            remedy = (
                "Start it, or correct REDIS_URL: host, port, user, password, rediss:// for TLS."
            )
        return [failed("stream engine", f"cannot be used: {error}", remedy)], None
    memory, persistence, replication = sections
    if not server:
        remedy = "Allow the user +info, so that preflight can see what it evicts."
        return [warning("stream engine", "answers, and INFO is not allowed to us", remedy)], None
    found = [_version(server), *_memory(memory), _kept(persistence)]
    if replication.get("role") == "slave":
        found.append(failed("stream engine", "is a replica", "Name the primary in REDIS_URL."))
    microseconds = server.get("server_time_usec")
    ahead_s = None if microseconds is None else int(microseconds) / 1e6 - (before + after) / 2
    return found, ahead_s


def _version(server: Mapping[str, Any]) -> Finding:
    valkey = server.get("valkey_version")
    name, version, oldest = (
        ("Valkey", str(valkey), _OLDEST_VALKEY)
        if valkey
        else ("Redis", str(server.get("redis_version", "0")), _OLDEST_REDIS)
    )
    mode = "" if server.get("redis_mode", "standalone") == "standalone" else ", a cluster"
    if mode:
        remedy = "Name a single primary; streams of one deployment do not span a cluster."
        return failed("stream engine", f"{name} {version}{mode}", remedy)
    if int(version.split(".")[0]) < oldest:
        return failed("stream engine", f"{name} {version}", "Take Redis 7.0+ or Valkey 8+.")
    return ok("stream engine", f"{name} {version}")


def _memory(memory: Mapping[str, Any]) -> Iterator[Finding]:
    policy = str(memory.get("maxmemory_policy", "unknown"))
    used, most = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    if policy.startswith("allkeys"):
        yield failed(
            "eviction",
            f"maxmemory-policy is {policy}: when memory is full, whole streams are evicted",
            "Set `maxmemory-policy noeviction`; workers are not ready until then.",
        )
    else:
        yield ok("eviction", f"maxmemory-policy {policy}")
    found = f"{used / _MIB:.0f} MiB used of {f'{most / _MIB:.0f} MiB' if most else 'no set limit'}"
    if most and used > most * _NEARLY:
        yield warning("stream memory", found, "Raise maxmemory, or lower APP_STREAM_CAP.")
    else:
        yield ok("stream memory", found)


def _kept(persistence: Mapping[str, Any]) -> Finding:
    if persistence.get("aof_last_write_status", "ok") != "ok":
        remedy = "Look at its log and its disk; while it cannot write, events wait in the database."
        return failed("persistence", "the last write of the append-only file failed", remedy)
    if persistence.get("rdb_last_bgsave_status", "ok") != "ok":
        remedy = "Look at its log and its disk: it may refuse every write until it can save."
        return warning("persistence", "the last snapshot failed", remedy)
    if persistence.get("aof_enabled"):
        return ok("persistence", "append-only file; what a restart loses, reconcile makes due")
    return ok("persistence", "none; what a restart loses, reconcile makes due from the database")
