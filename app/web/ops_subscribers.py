"""The REST API of operators: subscribers, and which of them run, stand still or are to go."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.errors import StreamError
from app.bus.pause import pause, resume
from app.bus.unregister import DeadLettersLeftError, SubscriberAliveError, unregister
from app.errors import AppError
from app.web.auth import Who
from app.web.fields import Page, Text, Wire
from app.web.idempotency import KEYED, Reply, once
from app.web.openapi import refuses
from app.web.ops_flow import SubscriberView, flow_of
from app.web.ops_refusals import NotFoundError, NotPausedHereError, refusals
from app.web.ops_router import ops_router
from app.web.ops_schemas import ActionView, SubscriberName
from app.web.problem import UnavailableError
from app.web.state import RuntimeDep, runtime as runtime_of

looking = ops_router("ops:read")
acting = ops_router("ops")


class PauseOrder(Wire):
    """Why a subscriber is to stand still."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The printer is away"}]})

    reason: Annotated[str, Text(500)]


class ResumeOrder(Wire):
    """Nothing more needs to be said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class AliveError(AppError):
    """A worker still reads for the subscriber."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "subscriber_alive"
    title: ClassVar[str] = "The subscriber is alive"
    remedy: ClassVar[str] = "Stop the workers that run it, and send it again a minute later."


class LettersLeftError(AppError):
    """The subscriber has dead letters that nobody dealt with."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "dead_letters_left"
    title: ClassVar[str] = "Dead letters are left"
    remedy: ClassVar[str] = "Redrive or discard its dead letters first."


@acting.delete(
    "/subscribers/{subscriber}",
    responses=refuses(NotFoundError, AliveError, LettersLeftError),
    summary="Unregister a subscriber",
)
async def unregister_subscriber(
    subscriber: SubscriberName,
    who: Who,
    runtime: RuntimeDep,
    discard: Annotated[bool, Query(description="Drop its dead letters with it.")] = False,  # noqa: FBT002 - a query parameter
) -> ActionView:
    """Keep neither streams nor history for it any longer; for a module that was taken out.

    What is due for it is dropped. Refused while a worker reads for it, and while it has dead
    letters unless `discard` says that they go too.
    """
    try:
        with refusals():
            done = await unregister(
                runtime.database, runtime.stream, subscriber, who=who, discard=discard
            )
    except SubscriberAliveError as error:
        raise AliveError(str(error)) from error
    except DeadLettersLeftError as error:
        raise LettersLeftError(str(error)) from error
    except StreamError as error:
        msg = "Redis does not answer, so nobody knows whether a worker reads for it."
        raise UnavailableError(msg, headers={"Retry-After": "1"}) from error
    return ActionView.of(done)


@looking.get("/subscribers", summary="List subscribers")
async def list_subscribers(runtime: RuntimeDep) -> Page[SubscriberView]:
    """Return every registered subscriber, and what waits for it; one page holds them all."""
    flow = await flow_of(runtime)
    return Page(items=[SubscriberView.model_validate(one) for one in flow.subscribers])


@acting.post(
    "/subscribers/{subscriber}/pause",
    response_model=ActionView,
    responses=refuses(NotFoundError),
    openapi_extra=KEYED,
    summary="Pause a subscriber",
)
async def pause_subscriber(
    subscriber: SubscriberName, who: Who, asked: PauseOrder, request: Request
) -> Response:
    """Have every process stop reading for it within two seconds or so; its events wait.

    It is not unlearned by a restart. What is in hand is finished, and a redrive of one that an
    operator asks for runs all the same.
    """

    async def work(session: AsyncSession) -> Reply:
        with refusals():
            done = await pause(session, subscriber, who=who, reason=asked.reason)
        return Reply(status=HTTPStatus.OK, body=ActionView.of(done))

    return await _changed(request, asked, work)


@acting.post(
    "/subscribers/{subscriber}/resume",
    response_model=ActionView,
    responses=refuses(NotFoundError, NotPausedHereError),
    openapi_extra=KEYED,
    summary="Resume a subscriber",
)
async def resume_subscriber(
    subscriber: SubscriberName, who: Who, request: Request, asked: ResumeOrder | None = None
) -> Response:
    """Have it go on where it stopped, in every process."""

    async def work(session: AsyncSession) -> Reply:
        with refusals():
            done = await resume(session, subscriber, who=who)
        return Reply(status=HTTPStatus.OK, body=ActionView.of(done))

    return await _changed(request, asked or ResumeOrder(), work)


async def _changed(
    request: Request, asked: Wire, work: Callable[[AsyncSession], Awaitable[Reply]]
) -> Response:
    """Do it, and let the loops of this process know at once; the others look by themselves."""
    answer = await once(request, asked, work)
    await (await runtime_of(request)).pauses.look()
    return answer


router = APIRouter()
router.include_router(looking)
router.include_router(acting)
