"""A POST with an Idempotency-Key has its effect once, however often it is sent."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AppError
from app.web import claims, state
from app.web.claims import Claim, Found, Id, Kept
from app.web.heads import heads

Item = TypeVar("Item")

KEYED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "description": "Send the same request again with the same key: it has its effect once.",
        }
    ]
}
"""What a route whose work runs in `once` tells OpenAPI: `@router.post(…, openapi_extra=KEYED)`."""

# Visible ASCII; the quotes of the IETF draft's form are not part of the key.
_KEY = re.compile(r'"([!#-\[\]-~]{1,255})"|([!#-~][!-~]{0,254})')
_LOCK_TIMEOUT = "55P03"
_PATIENCE_S = 5.0


class InvalidKeyError(AppError):
    """The Idempotency-Key header is not one key."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "invalid_idempotency_key"
    title: ClassVar[str] = "The Idempotency-Key cannot be used"
    remedy: ClassVar[str] = "Send one key of 1 to 255 visible ASCII characters."


class KeyMissingError(AppError):
    """The operator asks for a key on every POST, and there is none."""

    code: ClassVar[str] = "idempotency_key_missing"
    title: ClassVar[str] = "An Idempotency-Key is needed"
    remedy: ClassVar[str] = (
        "Send an Idempotency-Key that is new for each new request, such as a UUID."
    )


class KeyReusedError(AppError):
    """The key belongs to another request."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ClassVar[str] = "idempotency_key_reused"
    title: ClassVar[str] = "The Idempotency-Key belongs to another request"
    remedy: ClassVar[str] = "Send the first request again unchanged, or this one with a new key."


class InFlightError(AppError):
    """A request with this key is still being worked on."""

    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    code: ClassVar[str] = "idempotency_in_flight"
    title: ClassVar[str] = "The first request with this key is still under way"
    remedy: ClassVar[str] = "Send it again, with the same key, after Retry-After."
    retryable: ClassVar[bool] = True


class Reply(NamedTuple):
    """What a successful request is answered with: stored as it is, and sent again to a repeat.

    A body that is a text is JSON already.
    """

    status: HTTPStatus
    body: BaseModel | str
    headers: Mapping[str, str] = MappingProxyType({})


class Asked(NamedTuple, Generic[Item]):
    """What one request asks for, with the claim of its key if it sent one."""

    item: Item
    claim: Claim | None


async def once(
    request: Request, body: BaseModel, work: Callable[[AsyncSession], Awaitable[Reply]]
) -> Response:
    """Run work in a write transaction of its own, and answer with its reply after the commit.

    With an Idempotency-Key the key's row, the work and the stored reply are that one transaction:
    a repeat gets the reply of the first, marked `Idempotency-Replayed: true`, and work does not
    run. Only success is stored: when work raises, the key is as free as before. Equal keys at the
    same time wait for the first, five seconds at most. A key belongs to its principal, and is
    forgotten after `idempotency_hours`.

    Raises InvalidKeyError, KeyMissingError, KeyReusedError, InFlightError, and what work raises.
    """
    asked = asking(request, body, work)
    database = (await state.runtime(request)).database
    async with database.write(lock_s=_PATIENCE_S if asked.claim else None) as session:
        [answer] = await once_each(session, [asked], _alone)
        if isinstance(answer, AppError):
            raise answer
    return answer


async def _alone(
    session: AsyncSession, items: Sequence[Callable[[AsyncSession], Awaitable[Reply]]]
) -> list[Reply | AppError]:
    return [await work(session) for work in items]


def asking(request: Request, body: BaseModel, item: Item) -> Asked[Item]:
    """Return item with the claim of its request's key, for `once_each`.

    Raises InvalidKeyError or KeyMissingError.
    """
    settings = state.running(request).settings
    key = _key_of(request, required=settings.idempotency_required)
    if key is None:
        return Asked(item, None)
    lifetime = timedelta(hours=settings.idempotency_hours)
    id_ = (request.state.principal.name, key)
    return Asked(item, Claim(id_, _fingerprint(request, body), lifetime))


async def once_each(
    session: AsyncSession,
    asked: Sequence[Asked[Item]],
    work: Callable[[AsyncSession, Sequence[Item]], Awaitable[Sequence[Reply | AppError]]],
) -> list[Response | AppError]:
    """Do for many requests in one transaction as `once` does for one; for `Database.together`.

    work gets the items whose key is new, or who have none. What it refuses it returns instead of
    raising, and has written nothing of. Of equal keys the first is worked on, and what comes of it
    is the others' answer too, unless they ask for something else. Two statements when any has a
    key, one more when some were used before, and one more when work refuses.

    Raises InFlightError when another transaction holds a key for too long, and what work raises.
    """
    if all(one.claim is None for one in asked):
        plain = await work(session, [one.item for one in asked])
        return [one if isinstance(one, AppError) else _answer(_kept(one, None)) for one in plain]
    firsts: dict[Id, Claim] = {}
    for one in asked:
        if one.claim is not None:
            firsts.setdefault(one.claim.id, one.claim)
    found = await _take(session, firsts)
    free = found.fresh | found.expired
    mine = [
        place
        for place, one in enumerate(asked)
        if one.claim is None or (one.claim.id in free and one.claim is firsts[one.claim.id])
    ]
    done = await work(session, [asked[place].item for place in mine]) if mine else []
    came = {
        place: outcome if isinstance(outcome, AppError) else _kept(outcome, asked[place].claim)
        for place, outcome in zip(mine, done, strict=True)
    }
    known = {
        claim.id: outcome
        for place, outcome in came.items()
        if (claim := asked[place].claim) is not None
    }
    if known:
        await _settle(session, firsts, found, known)
    known |= found.kept
    return [
        _answer(came[place]) if place in came else _repeated(one.claim, firsts, known)
        for place, one in enumerate(asked)
    ]


async def _take(session: AsyncSession, firsts: Mapping[Id, Claim]) -> Found:
    try:
        return await claims.take(session, firsts)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_TIMEOUT:
            raise _in_flight() from error
        raise


async def _settle(
    session: AsyncSession,
    firsts: Mapping[Id, Claim],
    found: Found,
    came: Mapping[Id, Kept | AppError],
) -> None:
    """Store the replies under their keys, and free the keys of what was refused."""
    replies = {id_: outcome for id_, outcome in came.items() if isinstance(outcome, Kept)}
    if replies:
        await claims.keep(session, replies)
    # An expired key keeps the row it had, which counts no more than before.
    if unused := [firsts[id_] for id_ in sorted(found.fresh - replies.keys())]:
        await claims.give_back(session, unused)


def _kept(reply: Reply, claim: Claim | None) -> Kept:
    return Kept(
        "" if claim is None else claim.fingerprint,
        int(reply.status),
        dict(reply.headers),
        reply.body if isinstance(reply.body, str) else reply.body.model_dump_json(by_alias=True),
    )


def _answer(outcome: Kept | AppError) -> Response | AppError:
    if isinstance(outcome, AppError):
        return outcome
    return Response(outcome.body, outcome.status, outcome.headers, "application/json")


def _repeated(
    claim: Claim | None, firsts: Mapping[Id, Claim], known: Mapping[Id, Kept | AppError]
) -> Response | AppError:
    """Return the answer to a request whose key another one has."""
    outcome = None if claim is None else known.get(claim.id)
    if claim is None or outcome is None:  # forgotten between the two statements
        return _in_flight()
    first = outcome if isinstance(outcome, Kept) else firsts[claim.id]
    if first.fingerprint != claim.fingerprint:
        msg = (
            "Another request used this Idempotency-Key: send that one again unchanged, or this one "
            "with a new key."
        )
        return KeyReusedError(msg)
    answer = _answer(outcome)
    if isinstance(answer, Response):
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _in_flight() -> InFlightError:
    msg = "The first request with this Idempotency-Key has no answer yet: try again in a moment."
    return InFlightError(msg, headers={"Retry-After": "1"})


def _key_of(request: Request, *, required: bool) -> str | None:
    given = heads(request.scope).get(b"idempotency-key")
    if not given:
        if required:
            msg = "Send an Idempotency-Key header: any text that is new for each new request."
            raise KeyMissingError(msg)
        return None
    match = _KEY.fullmatch(given[0].decode("latin-1")) if len(given) == 1 else None
    if match is None:
        msg = "Send one Idempotency-Key of 1 to 255 visible ASCII characters, bare or in quotes."
        raise InvalidKeyError(msg)
    return match[1] or match[2]


def _fingerprint(request: Request, body: BaseModel) -> str:
    """Digest what the request asks for.

    What was left unsent does not count, so that a default which the next version adds does not
    make an old key look reused.
    """
    asked = [
        request.method,
        request.url.path,
        request.url.query,
        body.model_dump_json(by_alias=True, exclude_unset=True),
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
