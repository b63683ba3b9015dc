"""The composition root: the only file that knows every module."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from app.console import site
from app.db import Database
from app.errors import StartupError
from app.loops import Chores
from app.modules.inventory import handlers as inventory_handlers
from app.modules.inventory.api import router as inventory_api
from app.modules.orders import handlers as orders_handlers
from app.modules.orders.api import router as orders_api
from app.runtime import open_runtime
from app.settings import VERSION, Settings, load_settings
from app.telemetry import configure_logging
from app.web import (
    asyncapi,
    claims,
    docs,
    feed,
    health,
    keys,
    keys_api,
    metrics,
    openapi,
    ops,
    ops_actions,
    ops_chains,
    ops_flow,
    ops_streams,
    ops_subscribers,
    problem,
    problems_page,
    sessions,
)
from app.web.edge import edge

# What each module serves, and what it listens with: one more is one line here, and its import.
MODULES = (
    (orders_api.router, orders_handlers.subscriber),
    (inventory_api.router, inventory_handlers.subscriber),
)
ROUTERS = tuple(router for router, _ in MODULES)
SUBSCRIBERS = tuple(subscriber for _, subscriber in MODULES)
OPERATORS = (
    ops.router,
    ops_actions.router,
    ops_chains.router,
    ops_flow.router,
    ops_streams.router,
    ops_subscribers.router,
)


async def is_open(settings: Settings, database: Database) -> bool:
    """Tell whether anybody on this machine is served: no key is set, and none was ever made."""
    if settings.key is not None:
        return False
    async with database.read() as session:
        return not await keys.any_key(session)


def chores(settings: Settings) -> Chores:
    """Return what the modules ask of the loops."""
    return Chores(
        subscribers=SUBSCRIBERS,
        timers=orders_handlers.timers(decision_deadline_s=settings.decision_deadline_s),
        forget=[partial(claims.forget, hours=settings.idempotency_hours), sessions.forget],
    )


def end_process() -> None:
    """End this process the way an orchestrator would; called when a loop died of a bug."""
    signal.raise_signal(signal.SIGTERM)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Bring the engines and loops up for a server that is not ours, such as plain uvicorn."""
    settings: Settings = app.state.settings
    configure_logging(settings)
    try:
        runtime = open_runtime(settings, chores(settings), end_process)
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
        description="[Events](asyncapi) · [What is refused, and why](problems)",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        openapi_url="/openapi.json" if settings.has_api else None,
        generate_unique_id_function=openapi.operation_id,
        lifespan=_lifespan,
        middleware=edge(settings),
        # Of two that make spans one is too many: `app.web.observe` does, on the short way too.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    problem.install(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    if settings.has_api:
        for router in (*ROUTERS, feed.router, *OPERATORS, keys_api.router):
            app.include_router(router)
        docs.install(app, home="docs" if settings.console == "off" else "console")
        if settings.console != "off":
            site.install(app, settings)
        asyncapi.install(app)
        problems_page.install(app)
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
