"""The REST API of operators: subscribers that are to be no more."""

from http import HTTPStatus
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, Query

from app.bus.errors import StreamError
from app.bus.unregister import DeadLettersLeftError, SubscriberAliveError, unregister
from app.errors import AppError
from app.web.auth import Who, require
from app.web.limits import known_parameters
from app.web.openapi import refuses
from app.web.ops_refusals import NotFoundError, refusals
from app.web.ops_schemas import ActionView, SubscriberName
from app.web.problem import UnavailableError
from app.web.state import RuntimeDep

router = APIRouter(
    prefix="/v1/ops",
    tags=["ops"],
    dependencies=[Depends(require("ops")), Depends(known_parameters)],
)


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


@router.delete(
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
