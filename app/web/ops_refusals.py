"""What operators are refused: the bus's refusals, as problems."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import ClassVar

from app.bus.action import NoActionError
from app.bus.dead_letters import NoDeliveryError, NotGivenUpError
from app.bus.mend import UnfitDataError
from app.bus.pause import NotPausedError
from app.bus.redrive import NotHandledHereError
from app.bus.replay import NoSubscriberError
from app.errors import AppError
from app.web.problem import field_problem, validation_failed


class NotFoundError(AppError):
    """There is no such delivery, action or subscriber."""

    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND
    code: ClassVar[str] = "not_found"
    title: ClassVar[str] = "Not found"
    remedy: ClassVar[str] = (
        "`GET /v1/ops/dead-letters` and `GET /v1/ops/actions` list what there is."
    )


class NotDeadError(AppError):
    """The delivery is not in a state that allows this."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "not_dead"
    title: ClassVar[str] = "Not a dead letter"
    remedy: ClassVar[str] = (
        "Get the delivery as it stands; only what was given up can be redriven or discarded."
    )


class NoHandlerError(AppError):
    """The process that was asked has no handler for the event."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "no_handler"
    title: ClassVar[str] = "No handler in this process"
    remedy: ClassVar[str] = (
        "Ask a process that runs this subscriber in a version that knows the event."
    )


class NotPausedHereError(AppError):
    """The subscriber is not paused."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "not_paused"
    title: ClassVar[str] = "The subscriber is not paused"
    remedy: ClassVar[str] = "`GET /v1/ops/subscribers` tells which are, and since when."


@contextmanager
def refusals() -> Iterator[None]:
    """Say to a client what the bus refused."""
    try:
        yield
    except (NoDeliveryError, NoActionError, NoSubscriberError) as error:
        raise NotFoundError(str(error)) from error
    except NotGivenUpError as error:
        raise NotDeadError(str(error)) from error
    except NotPausedError as error:
        raise NotPausedHereError(str(error)) from error
    except NotHandledHereError as error:
        raise NoHandlerError(str(error)) from error
    except UnfitDataError as error:
        raise validation_failed(
            [
                field_problem("body", ("data", *one.path), one.code, one.detail)
                for one in error.misfits
            ]
        ) from error
