"""Refusals meant for a person: what was wanted, what was found, what to do."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class AppError(Exception):
    """A request that was understood and refused; `app.web.problem` renders it as problem+json.

    `status` and `code` belong to the class and are part of the API; `detail` is a sentence for
    this one case; `extra` are further members of the problem document; `headers` go on the reply.

    The class's docstring, what it means, and `remedy`, what to do about it, are its page at
    `/problems/{code}`. `retryable` promises that the same request can succeed later, unchanged.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request was refused"
    remedy: ClassVar[str] = ""
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str, *, headers: Mapping[str, str] | None = None, **extra: object
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra
        self.headers = dict(headers or {})


class OverloadedError(AppError):
    """More is asked of this deployment than it can do now."""

    status: ClassVar[HTTPStatus] = HTTPStatus.SERVICE_UNAVAILABLE
    code: ClassVar[str] = "overloaded"
    title: ClassVar[str] = "Too much to do"
    remedy: ClassVar[str] = (
        "Send it again after Retry-After. When it stays so: more workers, a larger "
        "APP_DATABASE_POOL, or fewer orders at a time."
    )
    retryable: ClassVar[bool] = True


class StartupError(Exception):
    """The program cannot start as configured; the message is the one sentence the operator sees."""
