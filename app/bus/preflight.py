"""Preflight: whether the stream engine is fit to hold streams, and what it promises."""

import structlog

from app.bus.engine import evicts
from app.bus.errors import EvictingEngineError, StreamError
from app.bus.stream import Stream
from app.bus.supervise import Pulse

log = structlog.get_logger(__name__)


class Preflight:
    """Asks the engine by INFO, since CONFIG is often forbidden, for as long as the process runs.

    An engine that evicts any key it likes would evict a whole stream with its groups; while it is
    set so, this loop is in trouble, and a worker not ready. volatile-* policies are fine: no key
    of ours expires.
    """

    name = "preflight"

    def __init__(self, stream: Stream, every_s: float = 10.0) -> None:
        self._stream = stream
        self._every_s = every_s
        self._told = False

    async def run(self, pulse: Pulse) -> None:
        """Look at the engine's settings every so often: they may change while it runs."""
        while not pulse.stopping:
            try:
                await self.check()
            except StreamError as error:
                await pulse.wait_out(error)
                continue
            pulse.beat()
            await pulse.sleep(self._every_s)

    async def check(self) -> None:
        """Raise EvictingEngineError when the engine may evict streams; say once what it keeps."""
        memory = await self._stream.info("memory")
        if not self._told:
            self._tell(dict(await self._stream.info("persistence")))
            self._told = True
        if (why := evicts(str(memory.get("maxmemory_policy", "")))) is not None:
            raise EvictingEngineError(why)

    def _tell(self, persistence: dict[str, object]) -> None:
        if not persistence:
            log.warning("stream engine does not say what it keeps: INFO is not allowed to us")
        elif persistence.get("aof_enabled"):
            log.info(
                "stream engine keeps an append-only file: a restart loses at most what was not "
                "synced yet (by its appendfsync, which INFO does not tell), and reconcile makes "
                "that due"
            )
        else:
            log.info(
                "stream engine keeps no append-only file: a restart may lose what is under way, "
                "and reconcile makes that due"
            )
