"""Who listens to what. Declares, never connects: `main.py` hands subscribers to the bus."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Failed(Generic[E]):
    """One event a batch handler could not apply, for a reason it expected; its neighbours go on."""

    event: E
    reason: str


SingleHandler: TypeAlias = Callable[[E, AsyncSession], Awaitable[None]]
BatchHandler: TypeAlias = Callable[
    [Sequence[E], AsyncSession], Awaitable[Sequence[Failed[E]] | None]
]


@dataclass(frozen=True, slots=True)
class Handler:
    """A function and how to call it: with one event, or with many in stream order."""

    name: str
    function: Callable[[Any, AsyncSession], Awaitable[Any]]
    batch: bool


class Subscriber:
    """A named listener: one consumer group, and at most one handler per event type.

    A second reaction to the same event is a second subscriber; in one group a retry of the one
    would run the other again. The name is stored with every delivery, so renaming a subscriber
    makes it a new one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: dict[str, tuple[type[Event], Handler]] = {}

    @overload
    def on(
        self, *kinds: type[E], batch: Literal[False] = False
    ) -> Callable[[SingleHandler[E]], SingleHandler[E]]: ...

    @overload
    def on(
        self, *kinds: type[E], batch: Literal[True]
    ) -> Callable[[BatchHandler[E]], BatchHandler[E]]: ...

    def on(self, *kinds: type[Event], batch: bool = False) -> Callable[[Any], Any]:
        """Register the decorated function for events of these kinds.

        The bus calls it inside the transaction that also holds the inbox rows: it must not commit
        and needs no check for duplicates. Raising rolls everything back. With batch=True it gets
        a sequence in stream order and may return the events that `Failed`; it must have written
        nothing for those. Raises ValueError when a kind already has a handler here.
        """

        def register(function: Callable[[Any, AsyncSession], Awaitable[Any]]) -> Any:  # noqa: ANN401 - returns what it was given
            name = getattr(function, "__name__", type(function).__name__)
            handler = Handler(name=name, function=function, batch=batch)
            for kind in kinds:
                if kind.type in self._handlers:
                    msg = f"subscriber {self.name!r} already has a handler for {kind.type}"
                    raise ValueError(msg)
                self._handlers[kind.type] = (kind, handler)
            return function

        return register

    @property
    def handlers(self) -> Mapping[str, tuple[type[Event], Handler]]:
        """Event class and handler by wire type."""
        return MappingProxyType(self._handlers)

    @property
    def contexts(self) -> list[str]:
        """The contexts whose streams this subscriber reads, sorted."""
        return sorted({kind.context for kind, _ in self._handlers.values()})
