"""The world of a history: real engines, and processes that can be struck at every point."""

import shutil
from asyncio import FIRST_COMPLETED, Runner, Task, create_task, wait
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid4

import redis
from sqlalchemy.event import listen

from app import db
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.due import DueDeliveries, DuePolicy
from app.bus.errors import StreamError, is_transient
from app.bus.group_state import order
from app.bus.handling import Handling
from app.bus.judge import Judge
from app.bus.reconcile import Reconcile, ReconcilePolicy
from app.bus.relay import Relay, RelayPolicy
from app.bus.retention import Retention, RetentionPolicy
from app.bus.stream import Reader
from app.bus.subscriber import Subscriber
from app.bus.supervise import Pulse
from app.bus.trim import Room, Trim, TrimPolicy
from app.bus.wakeup import WakeUp
from tests.bus.sample import subscribed
from tests.faults.audit import create_audit
from tests.faults.crash import Crash, CrashingDatabase, CrashingStream, Gate, Kind, Trap
from tests.faults.crash_points import careless, remove
from tests.faults.protocol.clock import Clock
from tests.faults.protocol.script import Script, subscribers
from tests.least_privilege import admin_url, own_prefix

Fault: TypeAlias = tuple[Kind, int] | None
"""What strikes an action, and at which of the points it comes to."""

Ending: TypeAlias = Literal["done", "died", "had trouble", "frozen"]
"""After trouble with an engine a loop forgets what it had read, and starts again."""

Work: TypeAlias = Callable[[], Awaitable[Any]]

LEASE_S = 30.0
RECONCILE_AFTER_S = 15.0

_CONSUMER = ConsumerPolicy(batch=3, block_s=0.001, claim_idle_s=0.0)


class Loops:
    """What a process runs once: relay, trimming, reconcile and retention."""

    def __init__(self, world: "World") -> None:
        database, stream, room = world.database, world.stream, Room(cap=6)
        self.relay = Relay(database, stream, WakeUp(), RelayPolicy(page=4), room)
        self.trim = Trim(database, stream, room, TrimPolicy(unread=2))
        policy = ReconcilePolicy(after_s=RECONCILE_AFTER_S, window=3, windows=2)
        self.reconcile = Reconcile(database, stream, policy)
        self.retention = Retention(database, RetentionPolicy(step=3))


class Worker:
    """A process that consumes: a consumer and a loop of due rows for each subscriber it knows."""

    def __init__(self, world: "World", name: str, *, old: bool = False) -> None:
        self.name = name
        self.old = old
        self._world = world
        self._subscribers: dict[str, Subscriber] = {}
        self._consumers: dict[str, Consumer] = {}
        self._due: dict[str, DueDeliveries] = {}
        self._connected: set[str] = set()
        for subscriber in subscribers(world.script, world.names, old=old):
            self.add(subscriber)

    def add(self, subscriber: Subscriber) -> None:
        """Run one more subscriber."""
        database, stream = self._world.database, self._world.stream
        consumer = Consumer(database, stream, subscriber, self.name, _CONSUMER)
        # The same history again is the same: the jitter too.
        consumer._handling._judge = Judge(Random(1))
        self._subscribers[subscriber.name] = subscriber
        self._consumers[subscriber.name] = consumer
        handling = Handling(database, subscriber, Random(2))
        policy = DuePolicy(lease_s=LEASE_S, page=3)
        self._due[subscriber.name] = DueDeliveries(database, subscriber, handling, policy)

    def _reader(self, name: str) -> Reader:
        stream = self._world.stream
        keys = {stream.key(context): context for context in self._subscribers[name].contexts}
        return Reader(stream._redis, stream._line, keys, name, self.name, 0.001)

    def knows(self, name: str) -> bool:
        """Tell whether this worker runs a subscriber."""
        return name in self._subscribers

    def disconnect(self, name: str) -> None:
        """Lose what the consumer had in memory, as it does after trouble with an engine."""
        self._connected.discard(name)

    async def consume(self, name: str, count: int = 3) -> int:
        """Read once and process it, after what a loop does first on a new connection."""
        consumer, reader = self._consumers[name], self._reader(name)
        if name not in self._connected:
            await self._world.stream.ensure_groups(list(reader.contexts.values()), name)
            await consumer._finish_own(reader, Pulse("test"))
            self._connected.add(name)
        return await consumer._read(reader, Pulse("test"), count)

    async def take_over(self, name: str) -> None:
        """Claim what others hold, however short, and process it."""
        consumer, reader = self._consumers[name], self._reader(name)
        async for page in reader.reclaim(0.0, 3):
            await consumer._again(reader, page)

    async def run_due(self, name: str) -> int:
        """Run a page of due rows."""
        return await self._due[name].run_page()


class World:
    """Engines, processes and a clock. `act` has a process do something, as far as a fault lets it.

    Only what is done by `act` meets faults, and one thing is done at a time: what is frozen stands
    still, outside any transaction, while the others go on.
    """

    def __init__(self, template: Path, folder: Path, url: str) -> None:
        self.path = Path(shutil.copy(template, folder / f"{uuid4().hex}.db"))
        self.clock = Clock()
        self.script = Script()
        self.names = ["ears", "echo"]
        self.deaths = 0
        self._runner = Runner()
        self._trap = Trap()
        self._frozen: dict[str, tuple[Task[None], Gate]] = {}
        self.inner = db.sqlite(self.path)
        self.clock.rule(self.inner.writer, self.inner.reader)
        listen(self.inner.writer.sync_engine, "connect", careless)
        self.database: Any = CrashingDatabase(self.inner, self._trap, wide=True)
        self.stream = CrashingStream(url, own_prefix(), self._trap)
        self.engine: Any = redis.Redis.from_url(admin_url(self.stream))
        self.run(lambda: create_audit(self.inner))
        newest = subscribers(self.script, self.names, old=False)
        self.run(lambda: subscribed(self.inner, *newest))
        self.loops = Loops(self)
        self.workers = [Worker(self, "w0"), Worker(self, "w1")]

    def run(self, work: Work) -> Any:  # noqa: ANN401 - what work returns
        """Do something that nothing strikes, and return its result."""
        self._trap.set()
        return self._runner.run(_whole(work))

    def act(self, who: str, work: Work, fault: Fault = None) -> Ending:
        """Have somebody do something, or go on with what they froze in; return how that ended."""
        self.clock.advance(0.01)
        if fault is None:
            self._trap.set()
        else:
            self._trap.set(*fault)
        return self._runner.run(self._act(who, work))

    async def _act(self, who: str, work: Work) -> Ending:
        if who in self._frozen:
            task, gate = self._frozen.pop(who)
            gate.open()
        else:
            task = create_task(_whole(work))
        freezes = create_task(self._trap.frozen.wait())
        await wait({task, freezes}, return_when=FIRST_COMPLETED)
        freezes.cancel()
        if not task.done() and self._trap.gate is not None:
            self._frozen[who] = (task, self._trap.gate)
            return "frozen"
        return await self._ended(task)

    async def _ended(self, task: Task[None]) -> Ending:
        try:
            await task
        except Crash:
            self.deaths += 1
            return "died"
        except Exception as error:
            if not (isinstance(error, StreamError) or is_transient(error)):
                raise
            return "had trouble"
        return "done"

    @property
    def frozen(self) -> list[str]:
        """Who stands still."""
        return list(self._frozen)

    def kill(self, process: str) -> None:
        """End a process, whatever it is doing."""
        self.deaths += 1
        for who in [who for who in self._frozen if who.startswith(process)]:
            self._trap.set()
            task, gate = self._frozen.pop(who)
            gate.open(kill=True)
            self._runner.run(self._ended(task))

    def restart_loops(self) -> None:
        """Start the loops that a process runs once, in place of those that were killed."""
        self.kill("loops/")
        self.loops = Loops(self)

    def restart_worker(self, number: int, name: str, *, old: bool) -> None:
        """Start a worker in place of one that is killed."""
        self.kill(f"w{number}/")
        self.workers[number] = Worker(self, name, old=old)

    def add(self, name: str) -> None:
        """Have every worker run one more subscriber."""
        self.names.append(name)
        for worker in self.workers:
            [subscriber] = subscribers(self.script, [name], old=worker.old)
            worker.add(subscriber)

    def append(self, context: str, text: str) -> None:
        """Put something on a stream behind our back; a key of another type refuses it."""
        with suppress(redis.ResponseError):
            self.engine.xadd(self.stream.key(context), {"event": text})

    def on_their_way(self, published: Sequence[tuple[tuple[str, str], str, str]]) -> set[Any]:
        """Return which of these deliveries the engine holds and has yet to give, or has given.

        Each is a subscriber and an event's id, beside the context and the id of its entry.
        """
        found = set()
        for pair, context, stream_id in published:
            key = self.stream.key(context)
            if key.encode() not in self.streams():
                continue
            entry = self.engine.xrange(key, stream_id, stream_id)
            if not entry or str(UUID(pair[1])).encode() not in entry[0][1][b"event"]:
                continue
            groups = {one["name"]: one for one in self.engine.xinfo_groups(key)}
            group = groups.get(pair[0].encode())
            if (
                group is None
                or order(stream_id) > order(group["last-delivered-id"].decode())
                or self.engine.xpending_range(key, pair[0], stream_id, stream_id, 1)
            ):
                found.add(pair)
        return found

    def streams(self) -> list[Any]:
        """Return the keys that hold streams."""
        return [key for key in self.own_keys() if self.engine.type(key) == b"stream"]

    def own_keys(self) -> list[Any]:
        """Return the keys of this world in the stream engine, as it spells them."""
        return sorted(self.engine.scan_iter(f"{self.stream.key('')}*"))

    def close(self) -> None:
        """End everything and leave nothing behind."""
        for who in self.frozen:
            self.kill(who)
        if keys := self.own_keys():
            self.engine.delete(*keys)
        self.engine.close()
        self.run(self.stream.close)
        self.run(self.inner.close)
        self._runner.close()
        remove(self.path)


async def _whole(work: Work) -> Any:  # noqa: ANN401 - what work returns
    return await work()
