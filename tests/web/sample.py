"""A small API that uses everything the web room offers, for its tests."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.exc import OperationalError, TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import State

from app.bus.event import current_context
from app.bus.monitor import Monitor
from app.bus.pause import Pauses
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import LoopHealth
from app.bus.wakeup import WakeUp
from app.db import Database
from app.errors import AppError
from app.main import create_app
from app.settings import Settings
from app.web import docs, feed, health, openapi, problem, problems_page
from app.web.auth import Who, principal, require
from app.web.edge import edge
from app.web.fields import Page, Quantity, Reference, Sku, Text, Wire
from app.web.idempotency import KEYED, Reply, once
from app.web.limits import known_parameters
from app.web.overload import not_overloaded
from app.web.paging import PagingDep
from app.web.state import DatabaseDep, SettingsDep

# Metadata of its own: our migrations know nothing of it.
things = Table(
    "things",
    MetaData(),
    Column("id", Integer(), primary_key=True),
    Column("sku", String(64), nullable=False),
    Column("quantity", Integer(), nullable=False),
)


@dataclass
class Process:
    """A process without loops of its own: what it says of itself is the test's to choose."""

    settings: Settings
    database: Database
    subscribers: Sequence[Subscriber] = ()
    stream_ok: bool | None = True
    draining: bool = False
    wake_up: WakeUp = field(default_factory=WakeUp)
    loops: Sequence[LoopHealth] = field(default_factory=tuple)
    stream: Stream = field(default_factory=lambda: Stream("unix:///nowhere/s"))
    pauses: Pauses = field(init=False)
    monitor: Monitor = field(init=False)

    def __post_init__(self) -> None:
        self.pauses = Pauses(self.database)
        self.monitor = Monitor(self.database, self.stream)

    def health(self) -> Sequence[LoopHealth]:
        return self.loops


class Line(Wire):
    sku: Sku
    quantity: Quantity


class ThingIn(Wire):
    sku: Sku
    quantity: Quantity
    reference: Reference | None = None
    title: Annotated[str, Text(20)] | None = None
    lines: tuple[Line, ...] = ()


class ThingOut(BaseModel):
    id: int
    sku: str
    quantity: int


class OutOfThingsError(AppError):
    """There are none left."""

    status = HTTPStatus.CONFLICT
    code = "out_of_things"
    title = "No things left"


router = APIRouter(
    prefix="/v1/things",
    tags=["things"],
    dependencies=[
        Depends(principal),
        Depends(require("orders:write")),
        Depends(known_parameters),
    ],
)


@router.post("", status_code=201, response_model=ThingOut, openapi_extra=KEYED)
async def make(request: Request, thing: ThingIn) -> Response:
    """Make a thing, unless it is called NONE."""

    async def work(session: AsyncSession) -> Reply:
        made = insert(things).values(sku=thing.sku, quantity=thing.quantity)
        id_ = (await session.execute(made.returning(things.c.id))).scalar_one()
        if thing.sku == "NONE":
            msg = "There is no such thing."
            raise OutOfThingsError(msg, skus=[thing.sku])
        return Reply(
            status=HTTPStatus.CREATED,
            body=ThingOut(id=id_, sku=thing.sku, quantity=thing.quantity),
            headers={"Location": f"/v1/things/{id_}"},
        )

    return await once(request, thing, work)


@router.get("")
async def list_things(
    paging: PagingDep,
    database: DatabaseDep,
    sku: Annotated[list[str] | None, Query()] = None,
) -> Page[ThingOut]:
    """List things, oldest first."""
    filters = {"sku": sku}
    after = paging.after(filters, int)
    query = select(things).order_by(things.c.id).limit(paging.limit + 1)
    if after:
        query = query.where(things.c.id > after[0])
    if sku:
        query = query.where(things.c.sku.in_(sku))
    async with database.read() as session:
        found = [ThingOut(**row._mapping) for row in await session.execute(query)]
    return paging.page(found, filters, lambda thing: (thing.id,))


@router.get("/{sku}/name")
async def name(sku: Sku) -> str:
    """Say the name back."""
    return sku


@router.get("/context")
async def context(who: Who, settings: SettingsDep) -> dict[str, Any]:
    """Tell what the work of this request belongs to."""
    now = current_context.get()
    return {
        "who": who,
        "role": settings.role,
        "correlation_id": now and now.correlation_id,
        "traceparent": now and now.traceparent,
    }


@router.post("/orders", dependencies=[Depends(not_overloaded)])
async def order() -> str:
    """Take what stands for an order."""
    return "taken"


@router.get("/crowded")
async def crowded() -> None:
    """Meet a database whose connections are all in use."""
    raise PoolTimeoutError("QueuePool limit of size 10 overflow 0 reached")


@router.get("/broken")
async def broken() -> None:
    """Fail of a bug."""
    msg = "secret of the house"
    raise LookupError(msg)


@router.get("/locked")
async def locked() -> None:
    """Meet a database that has no time."""
    raise OperationalError("SELECT secret", {}, Exception("database is locked"))


def settings(**values: object) -> Settings:
    """Return settings that come from the test alone."""
    return Settings.model_validate(values)


def build(process: Process) -> FastAPI:
    """Build an application as `app.main` does, around the sample API."""
    app = FastAPI(
        title="Things",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
        middleware=edge(process.settings),
    )
    app.state.runtime = process
    problem.install(app)
    app.include_router(health.router)
    app.include_router(router)
    app.include_router(feed.router)
    docs.install(app)
    problems_page.install(app)
    openapi.install(app)
    return app


@cache
def _whole(**values: Hashable) -> FastAPI:
    return create_app(settings(**values))


def whole(process: Process, **values: Hashable) -> FastAPI:
    """Put the whole application in front of a process, with settings of these values.

    What it works out of its routes at the first request is kept for the next test, as that takes
    longer than most tests; its state and its middlewares are new.
    """
    app = _whole(**values)
    app.state = State({"settings": process.settings, "runtime": process})
    app.middleware_stack = None
    return app


async def count(database: Database) -> int:
    """Return how many things were made."""
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(things))).scalar_one()


def problem_of(response: httpx2.Response) -> dict[str, Any]:
    """Return the problem document, once it is certain to be one."""
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == response.status_code
    assert document["type"] == f"/problems/{document['code']}"
    assert {"title", "detail", "instance", "correlation_id", "trace_id"} <= document.keys()
    return document
