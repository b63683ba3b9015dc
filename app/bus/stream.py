"""The stream: Redis Streams behind the few verbs the bus needs. The only file that imports redis.

Commands are those Redis 7.0 and Valkey 8 share. No client here retries by itself: a retried XADD
would be a silent duplicate, and a retried blocking read a silent minute. The loops are the retry.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import anyio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from app.bus.append import APPEND, Appended, pairs
from app.bus.errors import GroupMissingError, StreamUnavailableError
from app.bus.group_state import GroupState, order
from app.bus.line import Line, entries as found

# A blocked reader is woken with UNBLOCKED when its stream is flushed; a flushed key that came
# back as something else answers WRONGTYPE; XINFO says "no such key".
_GROUP_MISSING = ("NOGROUP", "UNBLOCKED", "WRONGTYPE", "no such key")

_FIELD = "event"


class Entry(NamedTuple):
    """One entry of a context's stream as a group received it; event is None when it was trimmed."""

    context: str
    id: str
    event: str | None


@contextmanager
def _translated() -> Iterator[None]:
    """Turn redis-py's errors into the bus's two: the group is gone, or the engine cannot serve."""
    try:
        yield
    except ResponseError as error:
        if any(word in str(error) for word in _GROUP_MISSING):
            raise GroupMissingError(str(error)) from error
        raise StreamUnavailableError(str(error)) from error
    except (RedisError, OSError) as error:
        raise StreamUnavailableError(str(error) or type(error).__name__) from error


class Stream:
    """A connection to the stream engine; raises ValueError or TypeError on an unusable URL.

    Raises StreamUnavailableError from every method when the engine cannot serve, and
    GroupMissingError from those that name a group when it is gone.
    """

    def __init__(self, url: str, *, prefix: str = "events", timeout_s: float = 5.0) -> None:
        self._url = url
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._redis = self._client(timeout_s)
        # An option the client does not know shows only in a connection, so here is one, unopened.
        self._line = self.line()

    def _client(self, timeout_s: float | None) -> "Redis":
        options: dict[str, Any] = {
            "decode_responses": True,
            # Whoever can write to the stream can write bytes that are no text.
            "encoding_errors": "backslashreplace",
            "legacy_responses": False,
            "socket_timeout": timeout_s,
            "socket_connect_timeout": 2,
            "retry": Retry(NoBackoff(), 0),
            "health_check_interval": 30,
            # Else the client names itself, with its version read from disk, on every connection:
            # a right more to grant, of which Redis 7.0 has not heard.
            "driver_info": None,
        }
        client = Redis.from_url(self._url, **options)
        # An option in the URL has won over ours so far; these are not the operator's to choose.
        client.connection_pool.connection_kwargs |= options
        return client

    def line(self) -> Line:
        """Make a connection of the caller's own; close it."""
        pool = self._redis.connection_pool
        untimed = pool.connection_kwargs | {"socket_timeout": None}
        return Line(pool.connection_class(**untimed), self._timeout_s)

    def key(self, context: str) -> str:
        """Return the key of a context's stream, such as `events:orders`."""
        return f"{self._prefix}:{context.replace('_', '-')}"

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()
        await self._redis.aclose()

    async def ping(self) -> None:
        """Ask the engine for a sign of life."""
        with _translated():
            await self._redis.ping()

    async def own(self, database_id: str) -> str:
        """Claim the prefix for a database; return the one that has it, ours or another."""
        with _translated():
            before = await self._redis.set(f"{self._prefix}:owner", database_id, nx=True, get=True)
        return database_id if before is None else str(before)

    async def append(self, events: Sequence[tuple[str, str]]) -> Appended:
        """Append (context, envelope) pairs in one step; return their ids and the streams' lengths.

        A refusal or a lost connection appends none of them, or all where only the answer is lost;
        a key of a wrong type spoils its own entries alone. Either way the page is sent again.
        """
        contexts = list(dict.fromkeys(context for context, _ in events))
        arguments = (*map(self.key, contexts), *pairs(events, contexts))
        with _translated():
            reply = await self._line.ask("EVAL", APPEND, len(contexts), *arguments)
        lengths = dict(zip(contexts, reply[len(events) :], strict=True))
        return Appended(reply[: len(events)], lengths)

    async def ensure_groups(self, contexts: Sequence[str], group: str) -> None:
        """Create the group on each context's stream, from its first entry, where it is missing."""
        for context in contexts:
            try:
                with _translated():
                    await self._redis.xgroup_create(self.key(context), group, id="0", mkstream=True)
            except StreamUnavailableError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    @asynccontextmanager
    async def reader(
        self, contexts: Sequence[str], group: str, consumer: str, *, block_s: float
    ) -> AsyncIterator["Reader"]:
        """Open a reader, which waits on a connection of its own."""
        line = self.line()
        try:
            keys = {self.key(each): each for each in contexts}
            yield Reader(self._redis, line, keys, group, consumer, block_s)
        finally:
            with anyio.CancelScope(shield=True):
                await line.close()

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        """Acknowledge entries, one command per stream."""
        with _translated():
            for context in dict.fromkeys(entry.context for entry in entries):
                ids = (entry.id for entry in entries if entry.context == context)
                await self._line.ask("XACK", self.key(context), group, *ids)

    async def wake_others(self) -> None:
        """Tell relays in other processes that there is something to publish."""
        with _translated():
            await self._redis.publish(f"{self._prefix}:wake-up", "")

    @asynccontextmanager
    async def wake_ups(self) -> AsyncIterator[Callable[[float], Awaitable[bool]]]:
        """Listen for `wake_others`: call the result with seconds to wait, get whether one came."""
        client = self._client(self._timeout_s)
        pubsub = client.pubsub(ignore_subscribe_messages=True)

        async def next_call(timeout_s: float) -> bool:
            with _translated():
                return await pubsub.get_message(timeout=timeout_s) is not None

        try:
            with _translated():
                await pubsub.subscribe(f"{self._prefix}:wake-up")
            yield next_call
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            await client.aclose()

    async def run_script(self, script: str, context: str, *arguments: str | int) -> Any:  # noqa: ANN401 - each script has its own reply
        """Run a script on a context's stream, its one key, and return what it returned."""
        client: Any = self._redis
        with _translated():
            return await client.eval(script, 1, self.key(context), *arguments)

    async def info(self, *sections: str) -> Mapping[str, Any]:
        """Return what the engine says of itself, nothing where it may not be asked."""
        try:
            with _translated():
                return await self._redis.info(*sections)
        except StreamUnavailableError as error:
            if isinstance(error.__cause__, NoPermissionError):
                return {}
            raise

    async def group_state(self, context: str, group: str) -> GroupState:
        """Return how far a group has read and what it holds unacknowledged."""
        key = self.key(context)
        client: Any = self._redis
        with _translated():
            for info in await client.xinfo_groups(key):
                if info["name"] == group:
                    break
            else:
                msg = f"no group {group!r} on {key}"
                raise GroupMissingError(msg)
            pending: set[str] = set()
            start = "-"
            while page := await client.xpending_range(key, group, start, "+", 1000):
                pending.update(row["message_id"] for row in page)
                start = "(" + page[-1]["message_id"]
            return GroupState(info["last-delivered-id"], frozenset(pending))

    async def present(self, context: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the envelopes of those entries that the stream still holds, by id."""
        with _translated():
            async with self._redis.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    pipe.xrange(self.key(context), id_, id_)
                replies = await pipe.execute()
        return {id_: fields[_FIELD] for reply in replies for id_, fields in reply}


@dataclass(frozen=True, slots=True)
class Reader:
    """One consumer's view of its streams; made by `Stream.reader`."""

    redis: Any  # its replies are unions of every protocol and setting; ours has one shape
    line: Line
    contexts: Mapping[str, str]
    group: str
    consumer: str
    block_s: float

    async def fresh(self, count: int) -> list[Entry]:
        """Wait up to the block time for entries no consumer of the group has seen."""
        block_ms = max(1, round(self.block_s * 1000))
        return await self._read(dict.fromkeys(self.contexts, ">"), count, block_ms)

    async def own_pending(self, count: int, after: Mapping[str, str]) -> list[Entry]:
        """Return entries delivered to this consumer before and never acknowledged.

        after maps a context to the last id already seen there; nothing means from the beginning.
        """
        cursors = {key: after.get(context, "0") for key, context in self.contexts.items()}
        return await self._read(cursors, count, None)

    async def _read(self, cursors: dict[str, str], count: int, block: int | None) -> list[Entry]:
        wait = () if block is None else ("BLOCK", block)
        asked = ("XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count, *wait, "STREAMS")
        with _translated():
            reply = await self.line.ask(*asked, *cursors, *cursors.values(), wait_s=self.block_s)
        return [Entry(self.contexts[key], id_, each.get(_FIELD)) for key, id_, each in found(reply)]

    async def reclaim(self, idle_s: float, count: int) -> AsyncIterator[list[Entry]]:
        """Take over entries that any consumer left unacknowledged for idle_s, page by page.

        Entries trimmed meanwhile come with event None; the server has dropped them already.
        """
        for key in self.contexts:
            cursor: Any = "0-0"
            while True:
                with _translated():
                    cursor, batch, deleted = await self.redis.xautoclaim(
                        key, self.group, self.consumer, round(idle_s * 1000), cursor, count
                    )
                gone = [Entry(self.contexts[key], id_, None) for id_ in deleted]
                if page := self._entries(key, batch) + gone:
                    yield page
                if cursor == "0-0":
                    break

    async def delivered_often(self, entries: Sequence[Entry], times: int) -> list[Entry]:
        """Return those of this consumer's pending entries that were delivered so many times."""
        often: list[Entry] = []
        for key, context in self.contexts.items():
            ours = {entry.id: entry for entry in entries if entry.context == context}
            if not ours:
                continue
            owner, span = (self.group, self.consumer), (min(ours, key=order), max(ours, key=order))
            with _translated():
                rows = await self.redis.xpending_range(key, owner[0], *span, 100_000, owner[1])
                counts = {row["message_id"]: row["times_delivered"] for row in rows}
                # The engine counts a second read in memory only, and forgets it when it restarts.
                for count in sorted({counts[id_] for id_ in ours if id_ in counts}):
                    ids = [id_ for id_ in ours if counts.get(id_) == count]
                    await self.redis.xclaim(key, *owner, 0, ids, retrycount=count, justid=True)
            often += [entry for id_, entry in ours.items() if counts.get(id_, 0) >= times]
        return often

    def _entries(self, key: str, batch: Sequence[tuple[str, dict[str, str] | None]]) -> list[Entry]:
        context = self.contexts[key]
        return [Entry(context, id_, (fields or {}).get(_FIELD)) for id_, fields in batch]


async def shut_down(url: str) -> None:
    """Ask the engine at url to save and exit; it being gone already is as good."""
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=5) as client:
        with suppress(RedisError, OSError):
            await client.shutdown()
