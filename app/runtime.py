"""What one process of the image runs on: its engines, and the loops its role asks for."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import structlog
from sqlalchemy import text

from app import db, schema
from app.bus import inbox
from app.bus.consumer import Consumer, ConsumerPolicy
from app.bus.embedded import embedded_engine
from app.bus.errors import EngineError, StreamError, StreamUnavailableError
from app.bus.relay import Relay
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop, LoopHealth, Supervisor
from app.bus.wakeup import Announcer, WakeUp, WakeUpListener
from app.errors import StartupError
from app.settings import Settings

log = structlog.get_logger(__name__)


class Runtime:
    """A started process, seen from the web and the command line."""

    def __init__(
        self, settings: Settings, database: db.Database, stream: Stream, supervisor: Supervisor
    ) -> None:
        self.settings = settings
        self.database = database
        self.stream = stream
        self.supervisor = supervisor
        self.draining = False

    def health(self) -> list[LoopHealth]:
        """Return the state of each loop of this process."""
        return self.supervisor.health()

    @property
    def stream_ok(self) -> bool | None:
        """Whether the loops reach the stream engine; None when no loop of this role has tried."""
        if not self.supervisor.health():
            return None
        return not any(isinstance(error, StreamError) for error in self.supervisor.troubles())


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    subscribers: Sequence[Subscriber],
    on_death: Callable[[], None],
    *,
    migrate: bool = False,
) -> AsyncIterator[Runtime]:
    """Start engines and loops, yield, then drain and stop them.

    Raises StartupError, before anything is yielded, when something the configuration names is not
    there or not fit. on_death is called when a loop dies of a bug.
    """
    async with AsyncExitStack() as stack:
        database, stream = await _engines(settings, stack)
        if migrate or settings.embedded:
            await schema.ensure_current(settings, database)
        else:
            await schema.require_current(database)
        wake_up = WakeUp()
        database.on_publish = wake_up.committed
        if settings.has_loops:
            await _reach(stream)
            async with database.write() as session:
                await inbox.subscribe(session, subscribers)
        loops = _loops(settings, subscribers, database, stream, wake_up)
        supervisor = Supervisor(loops, on_death)
        runtime = Runtime(settings, database, stream, supervisor)
        async with anyio.create_task_group() as group:
            group.start_soon(supervisor.run)
            try:
                yield runtime
            finally:
                runtime.draining = True
                supervisor.stop()
                with anyio.move_on_after(settings.drain_s / 2, shield=True):
                    await supervisor.ended()
                group.cancel_scope.cancel()


async def _engines(settings: Settings, stack: AsyncExitStack) -> tuple[db.Database, Stream]:
    database = await stack.enter_async_context(open_database(settings))
    if settings.redis_url is not None:
        stream_url = settings.redis_url.get_secret_value()
    else:
        try:
            stream_url = await stack.enter_async_context(
                embedded_engine(stream_directory(settings))
            )
        except EngineError as error:
            raise StartupError(str(error)) from error
    try:
        stream = Stream(stream_url, prefix=settings.stream_prefix)
    except ValueError as error:
        msg = "REDIS_URL is not usable: wanted redis://host:port/0, rediss:// or unix://."
        raise StartupError(msg) from error
    stack.push_async_callback(stream.close)
    return database, stream


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[db.Database]:
    """Open the database of settings, owning its directory when it is embedded.

    Raises StartupError when it cannot be used. Its schema may still be old or missing.
    """
    async with AsyncExitStack() as stack:
        if settings.database_url is None:
            stack.enter_context(own_directory(settings.data))
            database = db.sqlite(database_file(settings))
        else:
            database = db.postgresql(
                settings.database_url.get_secret_value(), pool=settings.database_pool
            )
        stack.push_async_callback(database.close)
        await _reach_database(database)
        yield database


async def _reach_database(database: db.Database) -> None:
    try:
        with anyio.fail_after(10):
            async with database.read() as session:
                await session.execute(text("SELECT 1"))
    except Exception as error:
        named = (
            "The embedded database" if database.single_writer else "The database of DATABASE_URL"
        )
        msg = f"{named} cannot be used: {_reason(error)}"
        raise StartupError(msg) from error


async def _reach(stream: Stream) -> None:
    try:
        await stream.ping()
    except StreamUnavailableError as error:
        msg = f"The Redis of REDIS_URL cannot be used: {_reason(error)}"
        raise StartupError(msg) from error


def _reason(error: BaseException) -> str:
    """Return the first line of what went wrong, as the end of a sentence."""
    cause = getattr(error, "orig", None) or error
    line = (str(cause).splitlines() or [""])[0].strip() or type(cause).__name__
    return line.rstrip(".") + "."


def _loops(
    settings: Settings,
    subscribers: Sequence[Subscriber],
    database: db.Database,
    stream: Stream,
    wake_up: WakeUp,
) -> list[Loop]:
    """Return the loops of settings' role."""
    loops: list[Loop] = []
    if not settings.embedded:
        loops.append(Announcer(stream, wake_up))
    if not settings.has_loops:
        return loops
    if not settings.embedded:
        loops.append(WakeUpListener(stream, wake_up))
    loops.append(Relay(database, stream, wake_up))
    policy = ConsumerPolicy(batch=settings.batch, claim_idle_s=settings.claim_idle_s)
    name = consumer_name(settings)
    loops += [
        Consumer(database, stream, subscriber, name, policy)
        for subscriber in chosen(settings, subscribers)
    ]
    return loops


def chosen(settings: Settings, subscribers: Sequence[Subscriber]) -> list[Subscriber]:
    """Return the subscribers this process runs; raises StartupError on a name nobody has."""
    known = {subscriber.name: subscriber for subscriber in subscribers}
    for name in settings.subscribers:
        if name not in known:
            msg = f"APP_SUBSCRIBERS names {name!r}, and this build has {', '.join(sorted(known))}."
            raise StartupError(msg)
    return [known[name] for name in settings.subscribers] or list(subscribers)


def consumer_name(settings: Settings) -> str:
    """Return this process's name in its groups: fixed when embedded, else never seen before."""
    if settings.embedded:
        return "embedded"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def database_file(settings: Settings) -> Path:
    """Return the path of the embedded database."""
    return settings.data / "orderly.db"


def stream_directory(settings: Settings) -> Path:
    """Return the directory of the embedded stream engine."""
    return settings.data / "stream"


@contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """Own directory for the length of the block; raises StartupError when another process does.

    The operating system gives the lock back when the process dies, however it dies.
    """
    import fcntl  # noqa: PLC0415 - Windows has none, and runs on servers only

    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "orderly.lock").open("a+")
    except OSError as error:
        msg = f"The data directory {directory} cannot be used: {error.strerror or error}."
        raise StartupError(msg) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            msg = (
                f"Another Orderly (process {owner}) already runs on {directory}: stop it, give "
                "this one its own --data, or set DATABASE_URL and REDIS_URL to run several."
            )
            raise StartupError(msg) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
