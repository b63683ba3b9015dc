"""What answers a route: FastAPI's own handler, or as much of it as the route needs."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from fastapi import Request, Response
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import RouteContext, get_request_handler
from starlette.convertors import StringConvertor

from app.web.body import PARSED

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


def is_simple(context: RouteContext) -> bool:
    """Tell whether a route's parameters are one segment each, and its answer leaves nothing open.

    Only of such a route can `handler_of` be asked.
    """
    return (
        all(type(one) is StringConvertor for one in context.param_convertors.values())
        and not (context.is_sse_stream or context.is_json_stream)
        and not any(map(_is_generator, _calls(context.dependant)))
    )


def handler_of(context: RouteContext) -> Handler:
    """Return what answers the requests of a route: its dependencies, then its function.

    The dependencies at the front that only look at the request, as `dependencies=[…]` has them, are
    asked one after the other; FastAPI's solver, which each goes through else, costs more than they.
    An override of such a dependency is not heeded.
    """
    guards, dependant = _guarded(context.dependant)
    general = _general(context, dependant)
    answer = _of_body(context, dependant, general) if _takes_body_only(dependant) else general
    reads_body = context.body_field is not None

    async def handler(request: Request) -> Response:
        if reads_body:
            # A body that is too large or unsound is refused as such, whoever sent it.
            await request.body()
        for guard in guards:
            await guard(request)
        return await answer(request)

    return handler


def _of_body(context: RouteContext, dependant: Dependant, general: Handler) -> Handler:
    """Return the handler of a function that takes a body, and at most the request beside it."""
    call, embeds = dependant.call, context._embed_body_fields  # noqa: SLF001 - as APIRoute does
    only = None if embeds else _whole_body(dependant)
    takes_request = dependant.request_param_name

    async def handler(request: Request) -> Response:
        if PARSED not in request.scope:  # none, or no JSON: what is amiss, FastAPI says
            return await general(request)
        body = request.scope[PARSED]
        if only is None:
            values, errors = await request_body_to_args(dependant.body_params, body, embeds)
        else:
            value, errors = only.validate(body, loc=("body",))
            values = {only.name: value}
        if errors:
            raise RequestValidationError(errors, body=body)
        if takes_request:
            values[takes_request] = request
        response: Response = await call(**values)  # type: ignore[misc]  # a route's is never None
        return response

    return handler


def _whole_body(dependant: Dependant) -> ModelField | None:
    """Return the one parameter that is the whole body, None where it is taken apart."""
    first, *others = dependant.body_params
    return None if others or isinstance(first.field_info, Form) else first


def _general(context: RouteContext, dependant: Dependant) -> Handler:
    """Return what FastAPI would have made for the route, with these dependencies."""
    return get_request_handler(
        dependant=dependant,
        body_field=context.body_field,
        status_code=context.status_code,
        response_class=context.response_class,
        response_field=context.response_field,
        response_model_include=context.response_model_include,
        response_model_exclude=context.response_model_exclude,
        response_model_by_alias=context.response_model_by_alias,
        response_model_exclude_unset=context.response_model_exclude_unset,
        response_model_exclude_defaults=context.response_model_exclude_defaults,
        response_model_exclude_none=context.response_model_exclude_none,
        dependency_overrides_provider=context.dependency_overrides_provider,
        embed_body_fields=context._embed_body_fields,  # noqa: SLF001 - as APIRoute does
        strict_content_type=context.strict_content_type,
    )


def _guarded(
    dependant: Dependant,
) -> tuple[Sequence[Callable[[Request], Awaitable[object]]], Dependant]:
    """Return the dependencies at the front that only look at the request, and what is left."""
    guards = []
    for one in dependant.dependencies:
        if one.call is None or not _is_guard(one):
            break
        guards.append(one.call)
    return guards, replace(dependant, dependencies=dependant.dependencies[len(guards) :])


def _is_guard(dependant: Dependant) -> bool:
    """Tell whether nobody wants the result, and a request is all it takes."""
    return dependant == _having(dependant, request_param_name="request")


def _takes_body_only(dependant: Dependant) -> bool:
    """Tell whether a route's function takes a body, maybe the request, and makes its answer."""
    bare = _having(
        dependant,
        body_params=dependant.body_params,
        request_param_name=dependant.request_param_name,
    )
    return (
        bool(dependant.body_params)
        and dependant == bare
        and dependant.call is not None
        and inspect.signature(dependant.call, eval_str=True).return_annotation is Response
    )


def _having(dependant: Dependant, **taken: Any) -> Dependant:  # noqa: ANN401 - its fields
    """Return what dependant would be if it took nothing else."""
    return Dependant(
        call=dependant.call,
        own_oauth_scopes=dependant.own_oauth_scopes,
        parent_oauth_scopes=dependant.parent_oauth_scopes,
        use_cache=dependant.use_cache,
        path=dependant.path,
        scope=dependant.scope,
        **taken,
    )


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for one in dependant.dependencies:
        yield from _calls(one)


def _is_generator(call: Callable[..., Any]) -> bool:
    return any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (call, getattr(call, "__call__", None))  # noqa: B004 - instances are called too
    )
