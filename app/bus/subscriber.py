"""Who listens to what. Declares, never connects: `main.py` hands subscribers to the bus."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.retry import RetryPolicy

DEFAULT_RETRY = RetryPolicy()

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Failed(Generic[E]):
    """One event a batch handler could not apply, for a reason it expected; its neighbours go on."""

    event: E
    reason: str
    permanent: bool = False


SingleHandler: TypeAlias = Callable[[E, AsyncSession], Awaitable[None]]
BatchHandler: TypeAlias = Callable[
    [Sequence[E], AsyncSession], Awaitable[Sequence[Failed[E]] | None]
]


@dataclass(frozen=True, slots=True, eq=False)
class Handler:
    """A function and how to call it: with one event, or with many in stream order."""

    name: str
    function: Callable[[Any, AsyncSession], Awaitable[Any]]
    batch: bool
    retry: RetryPolicy
    timeout_s: float | None


class Subscriber:
    """Who listens under one name: one consumer group, and at most one handler per event type.

    A second reaction to the same event is a second subscriber; in one group a retry of the one
    would run the other again. The name is stored with every delivery, so renaming a subscriber
    makes it a new one.

    A type that is new to it starts at "now", or with start="fill" at the retained history.
    """

    def __init__(self, name: str, *, start: Literal["now", "fill"] = "now") -> None:
        self.name = name
        self.start = start
        self._handlers: dict[str, tuple[type[Event], Handler]] = {}

    @overload
    def on(
        self,
        *kinds: type[E],
        batch: Literal[False] = False,
        retry: RetryPolicy = ...,
        timeout_s: float | None = ...,
    ) -> Callable[[SingleHandler[E]], SingleHandler[E]]: ...

    @overload
    def on(
        self,
        *kinds: type[E],
        batch: Literal[True],
        retry: RetryPolicy = ...,
        timeout_s: float | None = ...,
    ) -> Callable[[BatchHandler[E]], BatchHandler[E]]: ...

    def on(
        self,
        *kinds: type[Event],
        batch: bool = False,
        retry: RetryPolicy = DEFAULT_RETRY,
        timeout_s: float | None = None,
    ) -> Callable[[Any], Any]:
        """Register the decorated function for events of these kinds.

        The bus calls it inside the transaction that also holds the inbox rows: it must not commit
        and needs no check for duplicates. Raising rolls everything back. With batch=True it gets
        a sequence in stream order and may return the events that `Failed`; it must have written
        nothing for those. timeout_s bounds one call, whatever it was given. A kind that says how
        to read older versions of itself is handled for those too. Raises ValueError when a kind
        already has a handler here.
        """

        def register(function: Callable[[Any, AsyncSession], Awaitable[Any]]) -> Any:  # noqa: ANN401 - returns what it was given
            name = getattr(function, "__name__", type(function).__name__)
            handler = Handler(name, function, batch, retry, timeout_s)
            for kind in kinds:
                for type_ in (kind.type, *kind.upcasts):
                    if type_ in self._handlers:
                        msg = f"subscriber {self.name!r} already has a handler for {type_}"
                        raise ValueError(msg)
                    self._handlers[type_] = (kind, handler)
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
