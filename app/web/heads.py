"""The headers of a request, gone through once however many look at them."""

from collections.abc import Mapping, Sequence

from starlette.types import Scope

_HEADS = "orderly.headers"


def heads(scope: Scope) -> Mapping[bytes, Sequence[bytes]]:
    """Return what a request says under each name, in lower case; one name can come twice."""
    found: dict[bytes, list[bytes]] | None = scope.get(_HEADS)
    if found is None:
        found = scope[_HEADS] = {}
        for name, value in scope["headers"]:
            if name in found:
                found[name].append(value)
            else:
                found[name] = [value]
    return found
