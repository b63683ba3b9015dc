"""A line to the stream engine: a connection that is kept, and commands that cost little.

The client's own way makes a task of each write, and takes a connection out of a pool and puts it
back for each command: twice what the rest of one costs. Connecting, with all that belongs to it,
packing and parsing are the client's here too.
"""

import asyncio
from collections.abc import Iterator
from typing import Any


class Line:
    """One connection of redis-py's, made when it is needed, for one command at a time.

    It has no timeouts of its own but for connecting: timeout_s is how long a command may take.
    """

    def __init__(self, connection: Any, timeout_s: float) -> None:  # noqa: ANN401 - its types are redis-py's
        self._connection = connection
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    async def ask(self, *command: str | bytes | int, wait_s: float = 0.0) -> Any:  # noqa: ANN401 - each command has its own reply
        """Send a command and return its reply, as the protocol has it.

        wait_s is how long the engine may keep it waiting. Nothing is sent twice: whatever goes
        wrong on the way closes the connection, and the next command opens another. Raises
        redis-py's errors, and TimeoutError.
        """
        connection = self._connection
        async with self._turn, asyncio.timeout(self._timeout_s + wait_s):
            if connection.is_connected and await connection.can_read():
                # The engine has closed it, or said what nobody asked for.
                await connection.disconnect(nowait=True)
            await connection.send_packed_command(connection.pack_command(*command))
            return await connection.read_response()

    async def close(self) -> None:
        """Close the connection; the next command would open another."""
        await self._connection.disconnect()


def entries(reply: Any) -> Iterator[tuple[str, str, dict[str, str]]]:  # noqa: ANN401 - as above
    """Return what XREADGROUP found: the key, the id and the fields of each entry.

    RESP3 has a map of the keys, RESP2 lists of two. The fields come one after the other, and of an
    entry that was trimmed none do.
    """
    for key, batch in reply.items() if isinstance(reply, dict) else reply or ():
        for id_, flat in batch:
            yield key, id_, dict(zip(flat[::2], flat[1::2], strict=True)) if flat else {}
