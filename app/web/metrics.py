"""`GET /metrics`: what this process counted, and how the flow stands, for Prometheus."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated, ClassVar
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from sqlalchemy.exc import SQLAlchemyError

from app import group_commit, metrics as ours
from app.bus import metrics as bus
from app.bus.errors import StreamError
from app.bus.flow import Flow, look
from app.db import Database
from app.settings import VERSION
from app.web import keys
from app.web.auth import Require
from app.web.limits import known_parameters
from app.web.principal import Principal
from app.web.problem import UnavailableError
from app.web.state import Runtime, RuntimeDep

log = structlog.get_logger(__name__)

_PATIENCE_S = 2.0
_LOOKED_EVERY_S = 1.0
_REMEMBERED_S = 900.0
_MOST_REMEMBERED = 100


@dataclass(slots=True)
class _Seen:
    """How the flow stood when somebody last looked, in this process."""

    at: float = -math.inf
    levels: list[Metric] = field(default_factory=list)
    lock: anyio.Lock = field(default_factory=anyio.Lock)


_seen: WeakKeyDictionary[Database, _Seen] = WeakKeyDictionary()


class Scraper(Require):
    """Lets holders of ops:read in, also while the database that knows them is away.

    Then whoever was let in within a quarter of an hour is again: that is when the figures matter.
    """

    _admitted: ClassVar[WeakKeyDictionary[FastAPI, dict[str, tuple[Principal, float]]]] = (
        WeakKeyDictionary()
    )

    def __init__(self) -> None:
        super().__init__("ops:read", customers=False)

    async def __call__(self, request: Request) -> Principal:
        """Return who asks; raises as `require` does."""
        admitted = self._admitted.setdefault(request.app, {})
        state = request.scope["state"]
        who = keys.digest(state["key_secret"] or "") + str(state["key_sent"])
        try:
            with anyio.fail_after(_PATIENCE_S):
                found = await super().__call__(request)
        except (SQLAlchemyError, OSError) as error:
            known, until = admitted.get(who, (None, -math.inf))
            if known is None or monotonic() > until:
                msg = "The database that knows the key does not answer."
                raise UnavailableError(msg, headers={"Retry-After": "5"}) from error
            log.warning("key not looked up, scraper let in as before", trouble=type(error).__name__)
            return known
        admitted.pop(who, None)
        if len(admitted) >= _MOST_REMEMBERED:
            del admitted[next(iter(admitted))]
        admitted[who] = (found, monotonic() + _REMEMBERED_S)
        return found


router = APIRouter(tags=["metrics"], dependencies=[Depends(Scraper()), Depends(known_parameters)])


@router.get(
    "/metrics",
    summary="Get what is counted, for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(
    runtime: RuntimeDep, accept: Annotated[str, Header(include_in_schema=False)] = ""
) -> Response:
    """Return counts of this process and levels of the whole deployment; docs/metrics.md has each.

    Levels are at most a second old. What cannot be reached is `orderly_database_up 0` or
    `orderly_engine_up 0`, and leaves out what only it knows.
    """
    levels = [*await _flow_levels(runtime), *_own_levels(runtime)]
    encode, media_type = choose_encoder(accept)
    # In a thread: the process's own figures are read from files.
    text = await anyio.to_thread.run_sync(encode, _registry(levels))
    return Response(text, media_type=media_type)


class _Levels:
    """Levels that are known already, as a registry wants them."""

    def __init__(self, levels: Iterable[Metric]) -> None:
        self._levels = levels

    def collect(self) -> Iterator[Metric]:
        yield from bus.REGISTRY.collect()
        yield from self._levels


def _registry(levels: Iterable[Metric]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Levels(levels))
    return registry


async def _flow_levels(runtime: Runtime) -> list[Metric]:
    """Return what the engines say, asked once a second however many ask us."""
    seen = _seen.setdefault(runtime.database, _Seen())
    async with seen.lock:
        if monotonic() - seen.at >= _LOOKED_EVERY_S:
            seen.levels = await _ask(runtime)
            seen.at = monotonic()
    return seen.levels


async def _ask(runtime: Runtime) -> list[Metric]:
    trouble = f"no answer within {_PATIENCE_S:g} s"
    try:
        with anyio.fail_after(_PATIENCE_S):
            cap = runtime.settings.stream_cap
            return _levels_of(await look(runtime.database, runtime.stream, cap=cap))
    except TimeoutError:
        pass
    except (SQLAlchemyError, OSError) as error:
        trouble = type(error).__name__
    log.warning("metrics without the database", trouble=trouble)
    up = await _answers(runtime)
    return [bus.DATABASE_UP.now({(): 0}), bus.ENGINE_UP.now({(): float(up)})]


async def _answers(runtime: Runtime) -> bool:
    """Tell whether the stream engine gives a sign of life."""
    with anyio.move_on_after(_PATIENCE_S / 2):
        try:
            await runtime.stream.ping()
        except StreamError:
            return False
        return True
    return False


def _levels_of(flow: Flow) -> list[Metric]:
    of = {(one.name,): one for one in flow.subscribers}
    streams = {(one.context,): one for one in flow.streams}
    return [
        bus.DATABASE_UP.now({(): 1}),
        bus.ENGINE_UP.now({(): float(flow.engine is not None)}),
        bus.OUTBOX_UNPUBLISHED.now({(): flow.outbox.unpublished}),
        bus.OUTBOX_OLDEST.now({(): flow.outbox.oldest_age_s or 0}),
        bus.LAG.now({name: one.lag for name, one in of.items()}),
        bus.PENDING.now({name: one.pending for name, one in of.items()}),
        bus.SUBSCRIBER_OLDEST.now(
            {name: one.oldest_age_s or 0 for name, one in of.items() if one.pending is not None}
        ),
        bus.DUE.now({name: one.due for name, one in of.items()}),
        bus.DEAD_LETTERS.now({name: one.dead for name, one in of.items()}),
        bus.PAUSED.now({name: float(one.paused is not None) for name, one in of.items()}),
        bus.STREAM_LENGTH.now({name: one.length for name, one in streams.items()}),
        bus.STREAM_CAP.now({name: one.cap for name, one in streams.items()}),
    ]


def _own_levels(runtime: Runtime) -> list[Metric]:
    """Return what this process knows of itself."""
    loops = runtime.health()
    settings, database = runtime.settings, runtime.database
    engine = "sqlite" if database.single_writer else "postgresql"
    return [
        bus.LOOP_STATE.now(
            {
                (one.name, state): float(one.state == state)
                for one in loops
                for state in bus.LOOP_STATES
            }
        ),
        bus.LOOP_BEAT.now({(one.name,): one.beat_age_s for one in loops}),
        ours.WAITING.now({(): database.waiting_together}),
        ours.WAITING_MOST.now({(): group_commit.MOST_WAITING}),
        ours.BUILD.now({(VERSION, settings.role, engine): 1}),
    ]
