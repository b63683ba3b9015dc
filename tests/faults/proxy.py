"""A TCP proxy before an engine: it passes, delays, keeps or drops what goes through, or resets."""

import asyncio
from pathlib import Path
from typing import Self


class Proxy:
    """Listens on a loopback port and connects each caller to an engine's unix socket."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.latency_s = 0.0
        self.drops_replies = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        self.heal()
        await asyncio.gather(*self._serving, return_exceptions=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def heal(self) -> None:
        """Pass everything at once again."""
        self.latency_s = 0.0
        self.drops_replies = False
        self._passing.set()

    def hold(self) -> None:
        """Take what comes and pass nothing on until `heal`: to both sides the other is silent."""
        self._passing.clear()

    def reset(self) -> None:
        """Break every connection with a reset."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(str(self.target))
        except OSError:
            writer.transport.abort()
            self._serving.discard(task)
            return
        pair = (writer, far_writer)
        self._open.update(pair)
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, replies=False),
                self._pump(far_reader, writer, replies=True),
            )
        finally:
            self._open.difference_update(pair)
            for one in pair:
                one.transport.abort()
            self._serving.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                await self._passing.wait()
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                if not (replies and self.drops_replies):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
