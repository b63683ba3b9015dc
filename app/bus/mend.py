"""Mending an event before it is redriven: its data only, checked against its class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from app.bus.errors import BusError
from app.bus.event import Envelope, Event


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing in the data that does not fit: where, a stable code, and a sentence."""

    path: tuple[str | int, ...]
    code: str
    detail: str


class UnfitDataError(BusError):
    """The new data does not fit the event's class, or would make it another event."""

    def __init__(self, misfits: Sequence[Misfit]) -> None:
        super().__init__(misfits[0].detail)
        self.misfits = list(misfits)


def mend(envelope: Envelope, kind: type[Event], data: Mapping[str, Any]) -> Envelope:
    """Return envelope with other data; id, type, time and subject stay.

    The data is that of the type in the envelope, which may be an older version of kind. Raises
    UnfitDataError.
    """
    mended = envelope.model_copy(update={"data": dict(data)})
    try:
        event = mended.open(kind)
        mended.to_json()
    except ValidationError as error:
        misfits = [Misfit(one["loc"], one["type"], one["msg"]) for one in error.errors()]
        raise UnfitDataError(misfits) from error
    except PydanticSerializationError as error:
        raise UnfitDataError([Misfit((), "not_text", "Text holds half a character")]) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        detail = f"The data cannot be read as {envelope.type}: {type(error).__name__}: {error}"
        raise UnfitDataError([Misfit((), "not_readable", detail)]) from error
    if event.subject != envelope.subject:
        detail = f"The event is about {envelope.subject}, and would be about another aggregate"
        raise UnfitDataError([Misfit((kind.subject_field,), "subject_changed", detail)])
    return mended


def differences(old: Any, new: Any, path: Sequence[str] = ()) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Return where two JSON values differ: pointer (RFC 6901), old, new; no key where absent."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, old.get(key, _ABSENT), new.get(key, _ABSENT)) for key in {**old, **new}]
    elif isinstance(old, list) and isinstance(new, list):
        longer = range(max(len(old), len(new)))
        pairs = [(str(place), _item(old, place), _item(new, place)) for place in longer]
    elif type(old) is type(new) and old == new:
        return []
    else:
        pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)
        sides = {"old": old, "new": new}
        return [{"pointer": pointer} | {k: v for k, v in sides.items() if v is not _ABSENT}]
    return [change for key, a, b in pairs for change in differences(a, b, (*path, key))]


_ABSENT = object()


def _item(values: Sequence[Any], place: int) -> Any:  # noqa: ANN401 - JSON
    return values[place] if place < len(values) else _ABSENT
