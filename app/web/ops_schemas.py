"""What travels under /v1/ops: dead letters, actions, and what an operator asks for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from app.bus.action import Action, ActionKind, Progress
from app.bus.attempts import Attempt
from app.bus.dead_letters import Filter, Letter
from app.bus.delivery import State
from app.bus.dry_run import DryRun
from app.bus.event import Envelope
from app.bus.redrive import Redriven, changes_of
from app.bus.replay import Span
from app.web.fields import MAX_BIGINT, Name, Text, Wire

SubscriberName = Annotated[str, Name(80), Field(description="Name of a subscriber.")]
TypeName = Annotated[str, Name(120), Field(description="Wire type of an event.")]
ErrorType = Annotated[str, Name(200), Field(description="Class of the error.")]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC)),
]
Place = Annotated[int, Field(strict=True, ge=0, le=MAX_BIGINT)]
GivenUp = Literal[State.DEAD, State.DISCARDED]


class View(BaseModel):
    """What the server says; made from the bus's own records."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class DeadLetterSummary(View):
    """A delivery that the database keeps, without its event."""

    subscriber: str
    event_id: UUID
    type: str
    subject: str
    correlation_id: str
    state: State
    reason: str
    attempts: int
    next_attempt_at: datetime | None
    error_type: str | None
    error: str | None
    edited: bool
    action_id: UUID | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, found: Letter) -> Self:
        """Show a row."""
        return cls(**_members(found))


class Change(View):
    """One place where two versions of an event's data differ; a side that has nothing is null."""

    pointer: str
    old: JsonValue = None
    new: JsonValue = None


class AttemptView(View):
    """An attempt that failed."""

    attempt: int
    failed_at: datetime
    took_ms: float | None
    becomes: str
    error_type: str
    error: str


class DeadLetterView(DeadLetterSummary):
    """A delivery with its event: as a redrive would run it, and how it differs from what came."""

    envelope: Envelope
    changes: list[Change]
    original: dict[str, JsonValue] | None = Field(description="What came, if `edited`: its data.")
    traceback: str | None = Field(description="Of the last attempt that raised.")
    attempts_made: list[AttemptView] = Field(description="Those that failed, the first one first.")

    @classmethod
    def made_of(cls, found: Letter, attempts: Sequence[Attempt]) -> Self:
        """Show a row, its event, and the attempts that failed."""
        came = None if found.envelope is None else Envelope.model_validate_json(found.original)
        return cls(
            **_members(found),
            envelope=Envelope.model_validate_json(found.current),
            original=None if came is None else came.data,
            traceback=found.traceback,
            attempts_made=[AttemptView.model_validate(one) for one in attempts],
            changes=[Change(**change) for change in changes_of(found.original, found.current)],
        )


def _members(found: Letter) -> dict[str, Any]:
    names = DeadLetterSummary.model_fields.keys() - {"edited"}
    return {name: getattr(found, name) for name in names} | {"edited": found.envelope is not None}


class GroupView(View):
    """Deliveries of one subscriber and type that failed in one way."""

    subscriber: str
    type: str
    error_type: str
    count: int
    first_at: datetime
    last_at: datetime


class ActionView(View):
    """What an operator did, to how many deliveries."""

    id: UUID
    action: ActionKind
    subscriber: str | None
    event_id: UUID | None
    who: str
    detail: dict[str, JsonValue]
    total: int
    created_at: datetime

    @classmethod
    def of(cls, action: Action) -> Self:
        """Show an action."""
        return cls.model_validate(action)


class ProgressView(ActionView):
    """An action and how far it is: what is left by state, and what is done."""

    due: int
    dead: int
    discarded: int
    done: int

    @classmethod
    def at(cls, progress: Progress) -> Self:
        """Show how far an action is."""
        left = {state.value: progress.left.get(state, 0) for state in State}
        shown = ActionView.of(progress.action).model_dump()
        return cls.model_validate({**shown, **left, "done": progress.done})


class Matching(View):
    """How many deliveries a redrive of this filter would make due."""

    dry_run: Literal[True] = True
    total: int


class RedriveOne(Wire):
    """How to run one delivery again; with `data`, in place of the event's data."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"dry_run": True}]})

    dry_run: bool = False
    data: dict[str, JsonValue] | None = None


class RedrivenView(View):
    """What happened: `handled`, or the state of the delivery now.

    `ran` is false when this process has no handler for it: then it is due for one that has.
    """

    dry_run: Literal[False] = False
    action: ActionView
    ran: bool
    outcome: Literal["handled", "due", "dead", "discarded"]
    attempts: int
    next_attempt_at: datetime | None
    error_type: str | None
    error: str | None

    @classmethod
    def of(cls, redriven: Redriven) -> Self:
        """Show what happened."""
        return cls.model_validate(redriven)


class EventView(View):
    """An event that would be published."""

    type: str
    subject: str
    data: dict[str, JsonValue]


class TableChange(View):
    """How many rows of a table would change."""

    table: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


class DryRunView(View):
    """What would happen, told by a transaction that was rolled back."""

    dry_run: Literal[True] = True
    outcome: Literal["handled", "failed"]
    error_type: str | None
    error: str | None
    events: list[EventView]
    tables: list[TableChange]

    @classmethod
    def of(cls, told: DryRun) -> Self:
        """Show what would happen."""
        tables: dict[str, dict[str, int]] = {}
        for (table, what), number in told.rows.items():
            tables.setdefault(table, {})[what] = number
        return cls(
            outcome="handled" if told.error_type is None else "failed",
            error_type=told.error_type,
            error=told.error,
            events=[EventView.model_validate(sealed) for sealed in told.events],
            tables=[TableChange(table=name, **tables[name]) for name in sorted(tables)],
        )


class RedriveMany(Wire):
    """Which deliveries to make due: all that meet every condition given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subscriber": "inventory"}]})

    state: GivenUp = State.DEAD
    subscriber: SubscriberName | None = None
    type: TypeName | None = None
    error_type: ErrorType | None = None
    since: Moment | None = None
    until: Moment | None = None
    event_ids: tuple[UUID, ...] = Field(default=(), max_length=1000)
    dry_run: bool = Field(default=False, description="Only count them.")

    @property
    def wanted(self) -> Filter:
        """The same, as the bus takes it."""
        return Filter(**self.model_dump(exclude={"dry_run"}))


class Discard(Wire):
    """Why a dead letter is waived."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Sent by mistake"}]})

    reason: Annotated[str, Text(500)]


class Replay(Wire):
    """Which part of history a subscriber is to handle again.

    From a time of commit or a place in the log on; up to but without `until_time`, up to and with
    `until_log_position`.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"subscriber": "inventory", "from_log_position": 1}]}
    )

    subscriber: SubscriberName
    from_time: Moment | None = None
    from_log_position: Place | None = None
    until_time: Moment | None = None
    until_log_position: Place | None = None
    dry_run: bool = Field(default=False, description="Only count what would become due.")

    @model_validator(mode="after")
    def _begins_once(self) -> Self:
        if (self.from_time is None) == (self.from_log_position is None):
            msg = "Give either from_time or from_log_position"
            raise ValueError(msg)
        return self

    @property
    def span(self) -> Span:
        """The same, as the bus takes it."""
        return Span(**self.model_dump(exclude={"subscriber", "dry_run"}))


class Fill(Wire):
    """Which subscriber is given the history from before it came."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subscriber": "inventory"}]})

    subscriber: SubscriberName
    dry_run: bool = Field(default=False, description="Only count what would become due.")
