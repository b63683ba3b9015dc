"""Health: is the process alive, and may it be sent work."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Literal

import anyio
from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.bus.errors import is_transient
from app.db import Database
from app.settings import VERSION, Role
from app.web.state import Runtime, RuntimeDep

_PATIENCE_S = 2.0

router = APIRouter(prefix="/health", tags=["health"])


class Liveness(BaseModel):
    """Alive; or to be restarted: dead of a bug, or blocked by code that does not await."""

    status: Literal["live", "dead", "blocked"]


class LoopReport(BaseModel):
    """One loop of this process, and how long ago it last did a round."""

    name: str
    state: str
    beat_age_s: float
    trouble: str | None


class Readiness(BaseModel):
    """Whether this process can do its work, and what it is made of.

    `degraded` still does it: orders are taken, and their events wait.
    """

    status: Literal["ready", "degraded", "unavailable"]
    role: Role
    version: str
    draining: bool
    database: str
    stream: Literal["ok", "waiting"] | None
    loops: list[LoopReport]


@router.get(
    "/live",
    summary="Ask whether to restart it",
    responses={503: {"model": Liveness, "description": "Restart it."}},
)
async def get_liveness(runtime: RuntimeDep, response: Response) -> Liveness:
    """Tell whether the process should go on: 503 when one of its loops died, or all stood still.

    While the event loop is blocked there is no answer at all; the 503 comes for a while after.
    """
    states = {loop.state for loop in runtime.health()}
    if "dead" in states:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Liveness(status="dead")
    if "blocked" in states:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Liveness(status="blocked")
    return Liveness(status="live")


@router.get(
    "/ready",
    summary="Ask whether to send it work",
    responses={503: {"model": Readiness, "description": "Send no work here."}},
)
async def get_readiness(runtime: RuntimeDep, response: Response) -> Readiness:
    """Tell whether to send work: 503 when the database does not answer, or a stop is under way.

    A worker needs the stream as well; where orders are taken, it may be away.
    """
    report = await _report(runtime)
    if report.status == "unavailable":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return report


async def _report(runtime: Runtime) -> Readiness:
    role = runtime.settings.role
    loops = [LoopReport(**asdict(loop)) for loop in runtime.health()]
    database = await _ask(runtime.database)
    stream_away = runtime.stream_ok is False
    status: Literal["ready", "degraded", "unavailable"] = "ready"
    if stream_away or any(loop.state != "running" for loop in loops):
        status = "degraded"
    if (
        database != "ok"
        or runtime.draining
        or any(loop.state == "dead" for loop in loops)
        or (stream_away and not runtime.settings.has_api)
    ):
        status = "unavailable"
    return Readiness(
        status=status,
        role=role,
        version=VERSION,
        draining=runtime.draining,
        database=database,
        stream=None if runtime.stream_ok is None else "waiting" if stream_away else "ok",
        loops=loops,
    )


async def _ask(database: Database) -> str:
    """Return "ok", or a sentence without addresses: anyone may read it."""
    try:
        with anyio.fail_after(_PATIENCE_S):
            async with database.read() as session:
                await session.execute(select(1))
    except TimeoutError:
        return f"The database did not answer within {_PATIENCE_S:g} s."
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        reached = "cannot be used now" if is_transient(error) else "refused a query"
        return f"The database {reached}: {type(cause).__name__}."
    return "ok"
