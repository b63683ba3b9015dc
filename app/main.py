"""The composition root: the only file that knows every module."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.bus.retention import Forget
from app.errors import StartupError
from app.modules.inventory.api import router as inventory_router
from app.modules.inventory.handlers import subscriber as inventory_subscriber
from app.modules.orders.api import router as orders_router
from app.modules.orders.handlers import subscriber as orders_subscriber
from app.runtime import open_runtime
from app.settings import VERSION, Settings, load_settings
from app.telemetry import configure_logging
from app.web import docs, health, idempotency, openapi, ops, ops_subscribers, problem
from app.web.auth import Gate
from app.web.context import Head, RequestContext
from app.web.limits import BodyLimit
from app.web.problem import Failures

ROUTERS = (orders_router, inventory_router)
SUBSCRIBERS = (orders_subscriber, inventory_subscriber)


def forgotten(settings: Settings) -> list[Forget]:
    """Return what the loops are to forget in time."""
    return [partial(idempotency.forget, hours=settings.idempotency_hours)]


def end_process() -> None:
    """End this process the way an orchestrator would; called when a loop died of a bug."""
    signal.raise_signal(signal.SIGTERM)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Bring the engines and loops up for a server that is not ours, such as plain uvicorn."""
    settings: Settings = app.state.settings
    configure_logging(settings)
    try:
        runtime = open_runtime(settings, SUBSCRIBERS, end_process, forget=forgotten(settings))
        app.state.runtime = await runtime.__aenter__()
    except StartupError as error:
        # Raised further, the server would print a traceback around the one sentence.
        sys.stderr.write(f"orderly: {error}\n")
        sys.stderr.flush()
        os._exit(1)
    try:
        yield
    finally:
        await runtime.__aexit__(None, None, None)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application for settings, or for those of the environment. Does no I/O.

    The engines start with the lifespan; `serve` runs without one and sets `app.state.runtime`.
    Raises StartupError when the settings cannot be used.
    """
    settings = settings or load_settings()
    app = FastAPI(
        title="Orderly",
        version=VERSION,
        summary="An order and inventory backend that never loses an event.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_url="/openapi.json" if settings.has_api else None,
        lifespan=_lifespan,
        middleware=[
            Middleware(RequestContext),
            Middleware(Failures),
            Middleware(Head),
            Middleware(Gate, key=settings.key),
            Middleware(BodyLimit, most_bytes=settings.body_limit_bytes),
        ],
    )
    app.state.settings = settings
    problem.install(app)
    app.include_router(health.router)
    if settings.has_api:
        for router in (*ROUTERS, ops.router, ops_subscribers.router):
            app.include_router(router)
        docs.install(app)
        openapi.install(app)
    return app


def __getattr__(name: str) -> FastAPI:
    """Build `app` when a server such as uvicorn asks for it, and not when a module imports us."""
    if name != "app":
        raise AttributeError(name)
    try:
        return create_app()
    except StartupError as error:
        sys.stderr.write(f"orderly: {error}\n")
        raise SystemExit(1) from None
