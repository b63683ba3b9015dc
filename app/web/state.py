"""What a request needs of the running process, and the one way to get it."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import Depends, Request

from app.bus.monitor import Monitor
from app.bus.pause import Pauses
from app.bus.stream import Stream
from app.bus.subscriber import Subscriber
from app.bus.supervise import LoopHealth
from app.bus.wakeup import WakeUp
from app.db import Database
from app.settings import Settings


class Runtime(Protocol):
    """What `app.main` puts on `app.state.runtime` before the first request."""

    @property
    def settings(self) -> Settings:
        """What the operator configured."""

    @property
    def database(self) -> Database:
        """The open database."""

    @property
    def stream(self) -> Stream:
        """The stream, whether or not its engine answers."""

    @property
    def subscribers(self) -> Sequence[Subscriber]:
        """The subscribers of this build, whether or not this process runs their loops."""

    @property
    def stream_ok(self) -> bool | None:
        """True when the stream engine answers, None where this process does not use it."""

    @property
    def pauses(self) -> Pauses:
        """What this process knows of paused subscribers."""

    @property
    def monitor(self) -> Monitor:
        """The recent past of the flow, for rates."""

    @property
    def wake_up(self) -> WakeUp:
        """Tells of commits, here and in other processes."""

    @property
    def draining(self) -> bool:
        """True from the moment a stop was asked for."""

    def health(self) -> Sequence[LoopHealth]:
        """Return each loop's state; empty where this process runs none."""


def running(request: Request) -> Runtime:
    """Return the process this request runs in."""
    process: Runtime = request.scope["app"].state.runtime
    return process


async def runtime(request: Request) -> Runtime:
    """Return the process this request runs in; a dependency."""
    return running(request)


RuntimeDep = Annotated[Runtime, Depends(runtime)]


async def database(request: Request) -> Database:
    """Return the open database."""
    return running(request).database


async def settings(request: Request) -> Settings:
    """Return what the operator configured."""
    return running(request).settings


DatabaseDep = Annotated[Database, Depends(database)]
SettingsDep = Annotated[Settings, Depends(settings)]
