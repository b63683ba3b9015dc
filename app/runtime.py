"""What one process of the image runs on: its engines, and the loops its role asks for."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import structlog
from sqlalchemy import text

from app import db, schema, telemetry
from app.bus import inbox, outbox
from app.bus.embedded import embedded_engine, own_directory
from app.bus.errors import EngineError, StreamError, StreamUnavailableError
from app.bus.monitor import Monitor
from app.bus.pause import Pauses
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import Loop, LoopHealth, Supervisor
from app.bus.wakeup import WakeUp
from app.bus.watchdog import Watchdog
from app.errors import StartupError
from app.loops import Chores, loops_of
from app.settings import Settings

log = structlog.get_logger(__name__)


class Runtime:
    """A started process, seen from the web and the command line."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a process has
        self,
        settings: Settings,
        database: db.Database,
        stream: Stream,
        supervisor: Supervisor,
        wake_up: WakeUp,
        subscribers: Sequence[Subscriber] = (),
        pauses: Pauses | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.stream = stream
        self.supervisor = supervisor
        self.wake_up = wake_up
        self.subscribers = subscribers
        self.pauses = pauses or Pauses()
        self.monitor = monitor or Monitor(database, stream)
        self.watchdog = Watchdog()
        self.draining = False

    def health(self) -> list[LoopHealth]:
        """Return the state of each loop of this process, and of the event loop when it is bad."""
        blocked = self.watchdog.health()
        return self.supervisor.health() + ([blocked] if blocked else [])

    @property
    def stream_ok(self) -> bool | None:
        """Whether the loops reach the stream engine; None when no loop of this role has tried."""
        if not self.supervisor.health():
            return None
        return not any(isinstance(error, StreamError) for error in self.supervisor.troubles())


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    chores: Chores,
    on_death: Callable[[], None],
    *,
    migrate: bool = False,
) -> AsyncIterator[Runtime]:
    """Start engines and loops, yield, then drain and stop them.

    Raises StartupError, before anything is yielded, when something the configuration names is not
    there or not fit. on_death is called when a loop dies of a bug.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(telemetry.spans(settings))
        database, stream, loops = await _engines(settings, stack)
        if migrate or settings.embedded:
            await schema.ensure_current(settings, database)
        else:
            await schema.require_current(database)
        wake_up = WakeUp()
        database.on_publish = wake_up.committed
        if settings.has_loops:
            await _reach(stream)
            await _join(database, stream, chores.subscribers)
        else:
            # Workers of an older build pass over a type that nobody registered; in a rolling
            # deploy this process may publish one before the first worker of its own build.
            async with database.write() as session:
                await inbox.subscribe(session, chores.subscribers)
        pauses, monitor = Pauses(database), Monitor(database, stream)
        # Before the loops, so that none runs what was paused before a restart.
        await pauses.look()
        loops += loops_of(settings, chores, database, stream, wake_up, pauses)
        if settings.has_api:
            loops.append(monitor)
        supervisor = Supervisor(loops, on_death)
        runtime = Runtime(
            settings, database, stream, supervisor, wake_up, chores.subscribers, pauses, monitor
        )
        async with anyio.create_task_group() as group:
            group.start_soon(supervisor.run)
            group.start_soon(runtime.watchdog.run)
            try:
                yield runtime
            finally:
                runtime.draining = True
                supervisor.stop()
                with anyio.move_on_after(settings.drain_s / 2, shield=True):
                    await supervisor.ended()
                group.cancel_scope.cancel()


async def _engines(
    settings: Settings, stack: AsyncExitStack
) -> tuple[db.Database, Stream, list[Loop]]:
    loops: list[Loop] = []
    database = await stack.enter_async_context(open_database(settings))
    if settings.redis_url is not None:
        stream_url = settings.redis_url.get_secret_value()
    else:
        try:
            engine = await stack.enter_async_context(embedded_engine(stream_directory(settings)))
        except EngineError as error:
            raise StartupError(str(error)) from error
        except OSError as error:
            msg = f"The embedded stream engine cannot be started: {_reason(error)}"
            raise StartupError(msg) from error
        stream_url = engine.url
        loops.append(engine)
    stream = await stack.enter_async_context(open_stream(stream_url, settings))
    return database, stream, loops


@asynccontextmanager
async def open_stream(url: str, settings: Settings) -> AsyncIterator[Stream]:
    """Make the stream at url; raises StartupError on an unusable one. Does no I/O."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        # What Python says of it quotes what stands there: of a password with a slash, the password.
        msg = (
            "REDIS_URL is not a URL: wanted redis://user:password@host:6379/0, and in a password "
            "/ ? # @ and % written as %2F %3F %23 %40 and %25."
        )
        raise StartupError(msg) from None
    try:
        stream = Stream(url, prefix=settings.stream_prefix)
    except (ValueError, TypeError) as error:
        msg = (
            f"REDIS_URL is not usable ({error}): wanted redis://host:6379/0, rediss:// or unix://."
        )
        raise StartupError(msg) from error
    try:
        yield stream
    finally:
        await stream.close()


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[db.Database]:
    """Open the database of settings, owning its directory when it is embedded.

    Raises StartupError when it cannot be used. Its schema may still be old or missing.
    """
    async with AsyncExitStack() as stack:
        if settings.database_url is None:
            try:
                stack.enter_context(own_directory(settings.data))
            except EngineError as error:
                raise StartupError(str(error)) from error
            database = db.sqlite(database_file(settings))
        else:
            database = db.postgresql(
                settings.database_url.get_secret_value(),
                pool=settings.database_pool,
                timeouts=settings.timeouts,
            )
        stack.push_async_callback(database.close)
        await reach_database(database)
        yield database


async def reach_database(database: db.Database) -> None:
    """Raise StartupError unless the database answers."""
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


async def _join(database: db.Database, stream: Stream, subscribers: Sequence[Subscriber]) -> None:
    """Register subscribers; raises StartupError when the stream belongs to another database.

    Two databases on one stream would acknowledge each other's events unseen.
    """
    async with database.write() as session:
        await inbox.subscribe(session, subscribers)
        ours = await outbox.database_id(session)
    if await stream.own(ours) != ours:
        msg = (
            "The Redis of REDIS_URL carries another database's events under this prefix: give "
            "this deployment another APP_STREAM_PREFIX, or delete the key that ends in :owner."
        )
        raise StartupError(msg)


def _reason(error: BaseException) -> str:
    """Return the first line of what went wrong, as the end of a sentence."""
    cause = getattr(error, "orig", None) or error
    line = (str(cause).splitlines() or [""])[0].strip() or type(cause).__name__
    return line.rstrip(".") + "."


def database_file(settings: Settings) -> Path:
    """Return the path of the embedded database."""
    return settings.data / "orderly.db"


def stream_directory(settings: Settings) -> Path:
    """Return the directory of the embedded stream engine."""
    return settings.data / "stream"
