"""Live pages: what has changed of a page's parts, sent as server-sent events."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import anyio
from starlette.requests import Request
from starlette.responses import Response

from app.console.ask import RefusedError
from app.errors import AppError
from app.web import sessions, sse
from app.web.failures import refusal_of
from app.web.principal import UnauthenticatedError
from app.web.problem import NothingHereError

EVERY_S = 2.0
"""How often a live page is looked at again."""

DONE = ""
"""Among the fragments of a page of which nothing will change any more: these are the last."""

_SESSION_EVERY_S = 15.0
_LOOKS = 8
_AGO = re.compile(r"(?<=data-ago>)[^<]*")

Fragments: TypeAlias = Callable[[Request], Awaitable[dict[str, str]]]
"""What a live page gives: by element id, the HTML of the whole element, its id included."""


def endpoint(pages: dict[str, Fragments]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint `/console/live/{page}` for these pages.

    The page's own query travels with it, so that fragments can ask for the same rows.
    """

    async def live(request: Request) -> Response:
        fragments = pages.get(request.path_params["page"])
        if fragments is None:
            raise NothingHereError("No page is live by this name.")
        return sse.EventStream(_changes(request, fragments))

    return live


async def _changes(request: Request, fragments: Fragments) -> AsyncIterator[str]:
    """Yield each fragment that differs from what was sent before, and a heartbeat where none did.

    Ends where the session does; the browser then asks again, and is told to sign in.
    """
    sent: dict[str, str] = {}
    yield sse.RETRY
    ends_at = anyio.current_time() + sse.LONGEST_S
    look_at = anyio.current_time() + _SESSION_EVERY_S
    while anyio.current_time() < ends_at:
        if anyio.current_time() >= look_at:
            look_at = anyio.current_time() + _SESSION_EVERY_S
            try:
                await sessions.identify(request)
            except UnauthenticatedError:
                return
            except Exception as error:  # noqa: BLE001 - what came after the reply began
                yield _event("trouble", {"detail": refusal_of(error, "GET").detail})
        try:
            found = await fragments(request)
        except (RefusedError, AppError) as refusal:
            is_done = False
            yield _event("trouble", {"detail": _detail_of(refusal)})
        else:
            is_done = found.pop(DONE, None) is not None
            for target, html in found.items():
                # Times that are told from now on are kept fresh by the page itself.
                said = _AGO.sub("", html)
                if sent.get(target) != said:
                    sent[target] = said
                    yield _event("fragment", {"target": target, "html": html})
            yield _event("done" if is_done else "beat", {})
        if is_done or await _stops_meanwhile(request):
            return


async def _stops_meanwhile(request: Request) -> bool:
    """Wait until it is time to look again; tell whether the process is to stop before."""
    for _ in range(_LOOKS):
        if request.app.state.runtime.draining:
            return True
        await anyio.sleep(EVERY_S / _LOOKS)
    return False


def _detail_of(refusal: RefusedError | AppError) -> str:
    if isinstance(refusal, AppError):
        return refusal.detail
    return str((refusal.answer.body or {}).get("detail", ""))


def _event(name: str, data: dict[str, str]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
