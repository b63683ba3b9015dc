"""Events, and the CloudEvents 1.0 envelope they travel in."""

import random
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, TypeVar
from uuid import UUID

import uuid_utils
import uuid_utils.compat
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import to_json

_TYPE = re.compile(r"(?P<context>[a-z][a-z0-9_]*)\.[a-z][a-z0-9_]*\.v[1-9][0-9]*")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


def new_id() -> UUID:
    """Return a UUIDv7: unique, and later ones sort after earlier ones (RFC 9562)."""
    return uuid_utils.compat.uuid7()


def new_id_hex() -> str:
    """Return the 32 hexadecimal digits of a `new_id`, for a quarter of what making one costs."""
    return uuid_utils.uuid7().hex


def _utc_now() -> datetime:
    return datetime.now(UTC)


def child_traceparent(parent: str | None) -> str:
    """Return a W3C traceparent for work caused by parent: its trace, a new span.

    A missing or malformed parent starts a new sampled trace, as the W3C recommendation asks.
    """
    known = _TRACEPARENT.fullmatch(parent or "")
    trace_id, flags = known.groups() if known else (_random_hex(128), "01")
    return f"00-{trace_id}-{_random_hex(64)}-{flags}"


def _random_hex(bits: int) -> str:
    """Return bits that tell traces apart and keep no secret: the system's own cost ten times it."""
    drawn = random.getrandbits(bits) or 1
    return f"{drawn:0{bits // 4}x}"


class Context(NamedTuple):
    """What work belongs to: one correlation for the whole chain, one cause, one trace."""

    correlation_id: str
    causation_id: UUID | None = None
    traceparent: str | None = None

    @property
    def log_fields(self) -> dict[str, str]:
        """The names every log line of this work carries."""
        fields = {"correlation_id": self.correlation_id}
        if self.traceparent:
            fields["trace_id"] = self.traceparent[3:35]
        return fields


current_context: ContextVar[Context | None] = ContextVar("orderly_context", default=None)
"""The context of the work under way: set per request at the edge and per event by the consumer."""


class Event(BaseModel):
    """A fact that happened, in the past tense. Subclass it in a module's `events.py`.

    A subclass names its wire type, such as `orders.order_created.v1`: the context that owns it,
    the fact, the version of its shape. Routing goes by that name, never by the class, so a class
    may be renamed. Its fields are the event's data; `id` and `time` travel beside them.

    `subject_field` names the field that holds the id of the aggregate the event is about.
    `upcasts` says how to read older versions: by wire type, a function from their data to ours.
    What the catalogue shows of it is its docstring, its fields' descriptions and its `example`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    context: ClassVar[str]
    subject_field: ClassVar[str]
    upcasts: ClassVar[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {}

    id: UUID = Field(default_factory=new_id)
    time: AwareDatetime = Field(default_factory=_utc_now)

    # What this event belongs to; an instance has its own in its __dict__. As pydantic's own private
    # attribute it would cost each event as much as all of its fields together.
    _work: ClassVar[Context | None] = None
    # The span in which this copy of it is processed, where somebody makes spans.
    _processed_as: ClassVar[str | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's hook
        """Refuse a class whose type or subject is missing or malformed, when it is defined."""
        super().__pydantic_init_subclass__(**kwargs)
        match = _TYPE.fullmatch(getattr(cls, "type", ""))
        if match is None:
            msg = f"{cls.__name__}.type must look like 'orders.order_created.v1'"
            raise TypeError(msg)
        if getattr(cls, "subject_field", None) not in cls.model_fields:
            msg = f"{cls.__name__}.subject_field must name one of its fields"
            raise TypeError(msg)
        cls.context = match["context"]

    def __eq__(self, other: object) -> bool:
        """Events are the same when their ids are, however each copy travelled."""
        return isinstance(other, Event) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def subject(self) -> str:
        """The id of the aggregate this event is about; events of one subject keep their order."""
        return str(getattr(self, self.subject_field))

    def caused_by(self, cause: "Event") -> Self:
        """Record that cause led to this event: same correlation and trace, cause as causation id.

        A handler of single events need not call it: there the one event at hand is the cause.
        """
        return self.within(cause.consequence())

    def within(self, work: Context) -> Self:
        """Record the work this event belongs to, in place of the current one."""
        self.__dict__["_work"] = work
        return self

    def processed_as(self, traceparent: str) -> None:
        """Have what comes of this copy belong to the span that processes it."""
        self.__dict__["_processed_as"] = traceparent

    def consequence(self) -> Context:
        """Return the context of work done because of this event."""
        work = self._work
        return Context(
            correlation_id=work.correlation_id if work else str(self.id),
            causation_id=self.id,
            traceparent=self._processed_as or child_traceparent(work.traceparent if work else None),
        )

    @property
    def traceparent(self) -> str | None:
        """The span in which it was made, when it has travelled."""
        return self._work.traceparent if self._work else None

    @property
    def log_fields(self) -> dict[str, str]:
        """The names that follow this event through the log: its id, its subject, its chain."""
        fields = {"event_id": str(self.id), self.subject_field: self.subject}
        return fields | self._work.log_fields if self._work else fields


def example(**data: Any) -> ConfigDict:  # noqa: ANN401 - members of a JSON document
    """Return the `model_config` of an event that gives an example of its data, as in JSON."""
    return ConfigDict(json_schema_extra={"examples": [data]})


E = TypeVar("E", bound=Event)

# Inside Envelope, whose attribute is named so by CloudEvents, `type` is no longer the builtin.
Kind: TypeAlias = type[E]


class Envelope(BaseModel):
    """CloudEvents 1.0, structured mode, with the extensions that carry order, cause and trace.

    Unknown attributes are kept out, not refused: a newer publisher may send more.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(description="Of this event alone; a copy has the same.")
    source: str = Field(description="Who published it.")
    type: str = Field(description="What happened, and in which version it is told.")
    subject: str = Field(description="What it happened to.")
    time: AwareDatetime = Field(description="When it happened.")
    datacontenttype: Literal["application/json"] = "application/json"
    partitionkey: str = Field(description="Events with the same key keep their order.")
    correlationid: str = Field(description="One for the request and all that came of it.")
    causationid: UUID | None = Field(None, description="The event that led to this one.")
    traceparent: str | None = Field(None, description="Its place in a trace (W3C Trace Context).")
    data: dict[str, Any] = Field(description="What the type says of it.")

    @classmethod
    def seal(cls, event: Event) -> Self:
        """Return the envelope of an event as whoever receives it reads it."""
        return cls.model_validate_json(seal(event).text)

    def consequence(self) -> Context:
        """Return the context of work done because of the event inside, which stays closed."""
        return Context(
            correlation_id=self.correlationid,
            causation_id=self.id,
            traceparent=child_traceparent(self.traceparent),
        )

    def open(self, kind: Kind[E]) -> E:
        """Return the event inside, as kind; raises ValidationError when it does not fit."""
        data = self.data if self.type == kind.type else kind.upcasts[self.type](dict(self.data))
        event = kind.model_validate({**data, "id": self.id, "time": self.time})
        return event.within(
            Context(
                correlation_id=self.correlationid,
                causation_id=self.causationid,
                traceparent=self.traceparent,
            )
        )

    def to_json(self) -> str:
        """Return the text for the outbox and the stream, unset attributes left out."""
        return self.model_dump_json(exclude_none=True)


class Sealed(NamedTuple):
    """An event ready to travel: the text of its envelope, and the correlation that is in it."""

    correlation_id: str
    text: str


def seal(event: Event) -> Sealed:
    """Wrap event for its journey, in the context it was given or else the current one.

    What comes out is an `Envelope`, written without being one first: what an event is made of was
    checked when it was made.
    """
    work = event._work or current_context.get()  # noqa: SLF001 - the envelope is the event's other half
    correlation_id = str(event.id) if work is None else work.correlation_id
    subject = event.subject
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/{event.context}",
        "type": event.type,
        "subject": subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "partitionkey": subject,
        "correlationid": correlation_id,
    }
    if work is not None and work.causation_id is not None:
        attributes["causationid"] = work.causation_id
    traceparent = child_traceparent(None) if work is None else work.traceparent
    if traceparent is not None:
        attributes["traceparent"] = traceparent
    attributes["data"] = event
    text = to_json(attributes, exclude=_BESIDE_THE_DATA, inf_nan_mode="null")
    return Sealed(correlation_id, text.decode())


_BESIDE_THE_DATA: Any = {"data": {"id", "time"}}
