"""`serve`: run the process that APP_ROLE names until told to stop."""

import functools
import gc
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, TypeAlias

import anyio
import anyio.lowlevel
import typer
import uvicorn

from app.bus.errors import is_transient
from app.cli.heads import HeadProtocol
from app.db import Database
from app.errors import StartupError
from app.loops import Chores
from app.main import chores, create_app, end_process, is_open
from app.runtime import Runtime, open_runtime
from app.settings import VERSION, Role, Settings, load_settings
from app.telemetry import configure_logging


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded mode.")] = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the schema up to date first.")
    ] = False,
) -> None:
    """Run Orderly: the API, the loops, or both, as APP_ROLE says.

    Example: `serve --port 8080 --data /srv/orderly`
    """
    settings = load_settings(host=host, port=port, data=data)
    require_key(settings)
    raise typer.Exit(run(settings, chores(settings), _announce, migrate=migrate))


Announce: TypeAlias = Callable[[Settings, int, bool], None]
"""Called with the port once requests are served, and whether anybody on this machine may send."""


def run(settings: Settings, work: Chores, announce: Announce, *, migrate: bool = False) -> int:
    """Serve until a signal; return the exit code: 0 after a drain, 1 when a loop died.

    Raises StartupError when something that settings name is not there or not fit.
    """
    configure_logging(settings)
    return anyio.run(
        functools.partial(_serve, settings, work, announce, migrate=migrate),
        backend_options={"use_uvloop": sys.platform != "win32"},
    )


def require_key(settings: Settings) -> None:
    """Refuse an address that other machines reach when no key guards it."""
    if settings.loopback or settings.key is not None:
        return
    msg = (
        f"Listening on {settings.host} opens Orderly to other machines, and no API key is set: set "
        f"one, for example APP_API_KEY={secrets.token_urlsafe(32)}, or listen on 127.0.0.1."
    )
    raise StartupError(msg)


class _Server(uvicorn.Server):
    """uvicorn, with the signals left to us: the engines close after it, not with it."""

    runtime: Runtime | None = None
    notice_s = 0.0
    _leave_at = 0.0

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the handlers alone: `_stop_on_signals` has set them."""
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say in readiness that requests should go elsewhere, and stop taking them a while later.

        At once for Ctrl-C, for a second signal, and where a loop died.
        """
        hurried = self.should_exit or sig == signal.SIGINT
        if self.runtime is not None:
            self.runtime.draining = True
            hurried = hurried or self.runtime.supervisor.failure is not None
        self._leave_at = time.monotonic() + (0.0 if hurried else self.notice_s)
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Tell uvicorn whether to stop now; it asks ten times a second."""
        return await super().on_tick(counter) and time.monotonic() >= self._leave_at


async def _serve(settings: Settings, work: Chores, announce: Announce, *, migrate: bool) -> int:
    app = create_app(settings)
    server = _Server(
        uvicorn.Config(
            app,
            http=HeadProtocol,
            # Nothing here asks who a proxy says it speaks for.
            proxy_headers=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.drain_s / 2)),
        )
    )
    if settings.has_api:
        server.notice_s = settings.drain_notice_s
    refused: StartupError | None = None
    async with open_runtime(settings, work, end_process, migrate=migrate) as runtime:
        app.state.runtime = server.runtime = runtime
        try:
            listener = _bind(settings)
        except StartupError as error:
            # Raised here, it would come out wrapped in the task group's exception group.
            refused = error
        else:
            _spare_the_collector()
            with _stop_on_signals(server), listener:
                anyone = await _is_known_to_be_open(settings, runtime.database)
                announce(settings, listener.getsockname()[1], anyone)
                await server.serve(sockets=[listener])
    if refused is not None:
        raise refused
    return 0 if runtime.supervisor.failure is None else 1


async def _is_known_to_be_open(settings: Settings, database: Database) -> bool:
    """Tell whether a key is needed by nobody; for the announcement, which is no reason to end."""
    try:
        return await is_open(settings, database)
    except Exception as error:
        if not is_transient(error):
            raise
        return False


def _spare_the_collector() -> None:
    """Keep what was imported out of garbage collection, which now runs more rarely.

    Requests that wait for a commit survive the young generations, and each full collection would
    walk every module's objects: tens of milliseconds in which nobody is served.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@contextmanager
def _stop_on_signals(server: _Server) -> Iterator[None]:
    before = {
        name: signal.signal(name, server.handle_exit) for name in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _bind(settings: Settings) -> socket.socket:
    """Take the port, or raise StartupError saying who is refused what."""
    port = settings.port
    if port is None:
        port = 0 if settings.role is Role.WORKER else 8000
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, port), family=family, backlog=2048)
    except OSError as error:
        msg = (
            f"Port {port} on {settings.host} cannot be used ({error.strerror or error}): "
            "choose another with --port, or stop what holds it."
        )
        raise StartupError(msg) from error


def _announce(settings: Settings, port: int, anyone: bool) -> None:
    """Tell the person at the terminal where things are and what to try first."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{port}"
    where = f"embedded in {settings.data}" if settings.embedded else "on PostgreSQL and Redis"
    lines = [f"Orderly {VERSION} · role {settings.role} · {where} · {url}"]
    if settings.has_api:
        bearer = "" if anyone else ' -H "Authorization: Bearer $APP_API_KEY"'
        put = f"curl -X PUT {url}/v1/products/MUG{bearer} -H 'Content-Type: application/json'"
        mug = """'{"title":"Mug","unit_price":{"amount":"4.25","currency":"GBP"}}'"""
        if settings.console != "off":
            lines.append(f"  Console    {url}/console")
        lines += [f"  API docs   {url}/docs", f"  Try        {put} -d {mug}"]
        if anyone:
            lines.append("  Open to this machine only: no API key is set (APP_API_KEY).")
    else:
        lines.append(f"  Health     {url}/health/ready")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
