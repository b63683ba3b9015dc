"""The flow as an operator looks at it: outbox, relay, streams, subscribers, and what is wrong."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.engine import Engine, ask_engine
from app.bus.monitor import Monitor, Rates, Sample
from app.bus.pause import Pause, paused
from app.bus.reading import COUNTED, Reading, read
from app.bus.sql import Transactions, dialect_of
from app.bus.standing import Standing, behind, standings
from app.bus.stream import Stream
from app.bus.supervise import LoopHealth

# When nobody read, or nothing was published, for so long, somebody should look.
_QUIET_S = 30.0
_OLD_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """Which database it is."""

    kind: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxFlow:
    """What waits to be published; an age is in seconds, by the database's clock."""

    unpublished: int
    unpublished_capped: bool
    oldest_age_s: float | None
    published_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFlow:
    """How many events are recorded."""

    recorded_per_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFlow:
    """A stream; paused when it is at its cap, so that its events wait in the database."""

    context: str
    length: int
    added_per_s: float | None
    cap: int
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberFlow:
    """A subscriber and what waits for it.

    lag is how many entries of its streams its groups have not read, as the engine counts them:
    entries of types it does not handle among them. Where the engine has lost count or does not
    answer, it is how many published events have not been settled, by our own positions: counted to
    COUNTED at most, and those under way among them. What waits in the outbox is not in it yet, and
    what is due is not any more.
    pending is what was read and not acknowledged, oldest_age_s how long ago the oldest entry was
    appended that is either. critical_time_s is from commit to handling: the mean of those of the
    last hundred settled places of the log that it handled in the last five minutes; handling is
    told by the inbox, whose time on PostgreSQL is that of the transaction's begin.
    """

    name: str
    streams: Sequence[str]
    types: Sequence[str]
    lag: int
    pending: int | None
    oldest_age_s: float | None
    critical_time_s: float | None
    due: int
    due_capped: bool
    dead: int
    dead_capped: bool
    handled_per_s: float | None
    last_read_s: float | None
    paused: Pause | None
    held_back: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Everything at one moment; engine is None when it does not answer."""

    at: datetime
    database: DatabaseFacts
    engine: Engine | None
    warnings: Sequence[str]
    intake: IntakeFlow
    outbox: OutboxFlow
    streams: Sequence[StreamFlow]
    subscribers: Sequence[SubscriberFlow]
    loops: Sequence[LoopHealth] = ()
    history: Sequence[Sample] = ()


async def look(
    database: Transactions,
    stream: Stream,
    *,
    cap: int,
    monitor: Monitor | None = None,
    loops: Sequence[LoopHealth] = (),
) -> Flow:
    """Look at the whole flow: a handful of statements and a script per stream.

    No count goes on past COUNTED and nothing is scanned that grows with history. cap is the length
    at which a stream is full. Rates come from monitor, None as long as it knows none. An engine
    that does not answer is a warning and leaves its part out. Raises what the database raises.
    """
    now = await read(database, stream)
    async with database.read() as session:
        facts = _facts(session)
        found = await standings(session)
        pauses = await paused(session)
        lags = {name: lag for name in found if (lag := now.lag_of(name)) is not None}
        lags |= await behind(session, found.keys() - lags.keys())
    engine = None if now.streams is None else await ask_engine(stream)
    per_s = monitor.rates(now) if monitor else Rates()
    subscribers = [
        _subscriber(
            now, per_s, name, standing, lags[name], pauses.get(name), _held_back(name, loops)
        )
        for name, standing in sorted(found.items())
    ]
    return Flow(
        at=now.at,
        database=facts,
        engine=engine,
        warnings=[
            *_of_engines(now, engine),
            *_of_subscribers(subscribers),
            *_of_loops(loops, pauses),
        ],
        intake=IntakeFlow(recorded_per_s=per_s.recorded),
        outbox=OutboxFlow(
            unpublished=min(now.unpublished, COUNTED),
            unpublished_capped=now.unpublished_capped,
            oldest_age_s=now.oldest_unpublished_s,
            published_per_s=per_s.published,
        ),
        streams=[
            StreamFlow(
                context=view.context,
                length=view.length,
                added_per_s=per_s.added.get(view.context),
                cap=cap,
                paused=view.length >= cap,
            )
            for view in (now.streams or {}).values()
        ],
        subscribers=subscribers,
        loops=list(loops),
        history=monitor.history() if monitor else [],
    )


def _facts(session: AsyncSession) -> DatabaseFacts:
    dialect = dialect_of(session)
    version = ".".join(str(part) for part in dialect.server_version_info or ())
    return DatabaseFacts(kind=dialect.name, version=version)


def _subscriber(  # noqa: PLR0913, PLR0917 - what is known of one, from five sides
    now: Reading,
    per_s: Rates,
    name: str,
    standing: Standing,
    lag: int,
    pause: Pause | None,
    held_back: str | None,
) -> SubscriberFlow:
    groups = now.groups_of(name)
    ages = [group.oldest_age_s for group in groups if group.oldest_age_s is not None]
    quiet = [group.quiet_s for group in groups if group.quiet_s is not None]
    return SubscriberFlow(
        name=name,
        streams=sorted(now.registry.get(name, ())),
        types=standing.types,
        lag=lag,
        pending=None if now.streams is None else sum(group.pending for group in groups),
        oldest_age_s=max(ages, default=None),
        critical_time_s=standing.critical_time_s,
        due=min(standing.due, COUNTED),
        due_capped=standing.due_capped,
        dead=min(standing.dead, COUNTED),
        dead_capped=standing.dead_capped,
        handled_per_s=per_s.handled.get(name),
        last_read_s=min(quiet, default=None),
        paused=pause,
        held_back=held_back,
    )


def _held_back(name: str, loops: Sequence[LoopHealth]) -> str | None:
    """Return what the loops of a subscriber wait for in this process."""
    ours = (f"consumer:{name}", f"due:{name}")
    return next((loop.trouble for loop in loops if loop.name in ours and loop.trouble), None)


def _of_engines(now: Reading, engine: Engine | None) -> list[str]:
    if engine is None:
        return ["The stream engine does not answer: orders are taken, and their events wait."]
    found = engine.warnings
    if (now.oldest_unpublished_s or 0) >= _OLD_S:
        found.append(
            f"An event has waited {now.oldest_unpublished_s:.0f} s to be published: does a worker "
            "run, and has its stream room?"
        )
    return found


def _of_subscribers(subscribers: Sequence[SubscriberFlow]) -> list[str]:
    """Tell of subscribers for which nobody reads, on purpose or not."""
    found = []
    for one in subscribers:
        if one.paused is not None:
            found.append(f"{one.name} is {one.paused.told}")
        elif one.pending is None:
            continue  # the engine is away
        elif one.last_read_s is None:
            found.append(f"No worker reads for {one.name}: run one, or unregister it.")
        elif one.last_read_s >= _QUIET_S:
            found.append(f"No worker has read for {one.name} for {one.last_read_s:.0f} s.")
    return found


def _of_loops(loops: Sequence[LoopHealth], pauses: Collection[str]) -> list[str]:
    """Tell of loops of this process that do not run, but for those that are paused."""
    return [
        f"{loop.name} is {loop.state}: {loop.trouble or 'no sign of life'}"
        for loop in loops
        if loop.state != "running" and loop.name.partition(":")[2] not in pauses
    ]
