"""Conditional requests: entity tags are versions, in quotes (RFC 9110, section 13)."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, ClassVar, Literal

from fastapi import Depends, Header, Request, Response

from app.errors import AppError
from app.web import state

# A list of entity tags. A weak one, or one that is no version of ours, matches nothing.
_TAGS = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_VERSION = re.compile(r'(?<!W/)"([1-9][0-9]{0,17})"')
_ANY_VERSION = re.compile(r'(?:W/)?"([1-9][0-9]{0,17})"')

ANY: Collection[int] = range(1, 2**63)
"""Every version there can be: what `If-Match: *` allows."""


class PreconditionRequiredError(AppError):
    """The operator asks for If-Match on every change of a versioned thing, and there is none."""

    status: ClassVar[HTTPStatus] = HTTPStatus.PRECONDITION_REQUIRED
    code: ClassVar[str] = "precondition_required"
    title: ClassVar[str] = "If-Match is needed"
    remedy: ClassVar[str] = (
        "Get the thing, and send its ETag as If-Match; or `If-None-Match: *` to create it."
    )


class AlreadyThereError(AppError):
    """A PUT was only to create, and there is something; nothing was changed."""

    status: ClassVar[HTTPStatus] = HTTPStatus.PRECONDITION_FAILED
    code: ClassVar[str] = "precondition_failed"
    title: ClassVar[str] = "Changed in the meantime"
    remedy: ClassVar[str] = "Get it as it stands, decide again, and send its ETag as If-Match."


def etag(version: int) -> str:
    """Return the ETag of a version."""
    return f'"{version}"'


async def if_match_versions(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(description="Change only the version with this ETag.", max_length=1000),
    ] = None,
) -> Collection[int] | None:
    """Return the versions an If-Match header allows; None when there is none.

    A dependency; `IfMatchDep` is its type. Raises PreconditionRequiredError without the header
    where the setting asks for it.
    """
    if if_match is None:
        await _require(request)
    return parsed_if_match(if_match)


@dataclass(frozen=True, slots=True)
class PutCondition:
    """What a PUT may do: replace these versions (None: any, or create), or only create."""

    replacing: Collection[int] | None
    create_only: bool = False

    def check(self, *, created: bool) -> None:
        """Raise AlreadyThereError, for the transaction to roll back, when it had to be new."""
        if self.create_only and not created:
            # The version at hand is the one that is about to be rolled back, so none is named.
            raise AlreadyThereError("It is there already, and If-None-Match: * only creates.")


async def put_condition(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(description="Change only the version with this ETag.", max_length=1000),
    ] = None,
    if_none_match: Annotated[
        Literal["*"] | None, Header(description="`*`: create it, and change nothing.")
    ] = None,
) -> PutCondition:
    """Read both conditions of a PUT that creates what is not there.

    A dependency; `PutConditionDep` is its type. In the transaction, hand `condition.replacing` to
    the service, and then call `condition.check(created=…)`.
    """
    if if_none_match is not None:
        return PutCondition(parsed_if_match(if_match), create_only=True)
    return PutCondition(await if_match_versions(request, if_match))


IfMatchDep = Annotated[Collection[int] | None, Depends(if_match_versions)]
PutConditionDep = Annotated[PutCondition, Depends(put_condition)]


def parsed_if_match(if_match: str | None) -> Collection[int] | None:
    """Return the versions an If-Match header allows; None when there is no header."""
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return ANY
    if not _TAGS.fullmatch(if_match):
        return ()
    return {int(version) for version in _VERSION.findall(if_match)}


def not_modified(request: Request, version: int) -> Response | None:
    """Return the 304 for a client that has this version by If-None-Match; None when it has not.

    For GET, once the version is known:
    `if (same := not_modified(request, order.version)) is not None: return same`.
    """
    given = request.headers.get("if-none-match")
    if given is None:
        return None
    # Weak comparison is what RFC 9110 asks of If-None-Match.
    known = {int(one) for one in _ANY_VERSION.findall(given)} if _TAGS.fullmatch(given) else set()
    if given.strip() == "*" or version in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag(version)})
    return None


async def _require(request: Request) -> None:
    if (await state.settings(request)).if_match_required:
        msg = "Send the ETag you last saw as If-Match."
        raise PreconditionRequiredError(msg)
