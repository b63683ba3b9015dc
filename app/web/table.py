"""The shortest way from a path to the function that answers it."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web import problem
from app.web.auth import ASKS_FOR_A_SCOPE, asks_for_a_scope
from app.web.body import SoundRequest
from app.web.direct import Handler, handler_of, is_simple

# FastAPI asks for three; of our routes none has anything to close when it has answered.
_STACKS = ("fastapi_middleware_astack", "fastapi_inner_astack", "fastapi_function_astack")
_NOTHING_TO_CLOSE = AsyncExitStack()


@dataclass(frozen=True, slots=True)
class _Way:
    """A route, and what answers its requests."""

    context: RouteContext
    handler: Handler
    given: Mapping[str, Any]
    """What the scope of its requests gets beside the parameters of the path."""


class RouteTable:
    """ASGI middleware, innermost: hands a request straight to its route, and renders refusals.

    FastAPI keeps included routers by reference and tries one route after the other: a quarter of
    what a request cost. Here a path is looked up, and one with parameters is tried against the few
    routes that have as many segments. What fits no such route, such as mounted files or a method
    that a path has not, is FastAPI's to answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._plain: dict[tuple[str, str], _Way] = {}
        self._others: defaultdict[tuple[str, int], list[_Way]] = defaultdict(list)
        self._is_filled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route, or leave it to the application below."""
        found = None
        if scope["type"] == "http" and not scope.get("root_path"):
            if not self._is_filled:
                # Not before: routes are added after the middleware.
                self._fill(scope["app"])
            found = self._find(scope["method"], scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        way, scope["path_params"] = found
        scope.update(way.given)
        request = SoundRequest(scope, receive, send)
        try:
            response = await way.handler(request)
        except problem.REFUSALS as error:
            response = problem.answer(request, error)
        await response(scope, receive, send)

    def _fill(self, app: FastAPI) -> None:
        self._is_filled = True
        for context in iter_route_contexts(app.routes):
            route = context.original_route
            if isinstance(route, APIRoute) and is_simple(context):
                way = _Way(context, handler_of(context), _given(context, route))
                for method in context.methods or ():
                    self._add(method, context.path_format, way)

    def _add(self, method: str, path: str | None, way: _Way) -> None:
        if path is None:
            return
        if way.context.param_convertors:
            self._others[method, path.count("/")].append(way)
        elif self._find(method, path) is None:  # of two that fit, the first is meant
            self._plain[method, path] = way

    def _find(self, method: str, path: str) -> tuple[_Way, dict[str, str]] | None:
        way = self._plain.get((method, path))
        if way is not None:
            return way, {}
        for way in self._others.get((method, path.count("/")), ()):
            match = way.context.path_regex.match(path)
            if match is not None:
                return way, match.groupdict()
        return None


def _given(context: RouteContext, route: APIRoute) -> Mapping[str, Any]:
    return {
        "endpoint": route.endpoint,
        "route": route,
        # Where FastAPI keeps it: what including a router added to a route is known here only.
        "fastapi": {"effective_route_context": context},
        ASKS_FOR_A_SCOPE: asks_for_a_scope(context.dependant),
        **dict.fromkeys(_STACKS, _NOTHING_TO_CLOSE),
    }
