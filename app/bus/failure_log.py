"""Lines of the log about failures: one each for a few, one for many of the same kind."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import structlog

from app.bus.delivery import State
from app.bus.event import Event
from app.bus.subscriber import Handler
from app.bus.verdict import Verdict

log = structlog.get_logger(__name__)

_FEW = 3
_NAMED = 5
_LONGEST_ERROR = 500


class Failure(NamedTuple):
    """A verdict as it is told: which handler failed, if one was called, and what it raised."""

    verdict: Verdict
    handler: Handler | None = None
    error: BaseException | None = None


def tell(subscriber: str, failures: Iterable[Failure], *, each: bool = False) -> None:
    """Log failures; what was raised, and the first few of a kind, or each when asked, by itself.

    A line for each costs as much as handling it: of the others, one line tells how many there are.
    Their rows have the rest.
    """
    kinds: dict[tuple[str | None, str, State], list[Failure]] = defaultdict(list)
    for failure in failures:
        verdict, handler, error = failure
        if each or error is not None:
            _tell_one(subscriber, failure)
        else:
            name = None if handler is None else handler.name
            kinds[name, verdict.event_type, verdict.state].append(failure)
    for alike in kinds.values():
        if len(alike) <= _FEW:
            for failure in alike:
                _tell_one(subscriber, failure)
        else:
            _tell_many(subscriber, alike)


def _tell_one(subscriber: str, failure: Failure) -> None:
    verdict, handler, error = failure
    cause = verdict.cause
    fields: dict[str, object]
    if isinstance(cause, Event):
        fields = {"exc_info": error, **cause.log_fields}
    else:
        fields = {"event_id": str(verdict.event_id), **cause.consequence().log_fields}
    if handler is not None:
        fields["handler"] = handler.name
    write = log.error if verdict.state is State.DEAD else log.warning
    write(
        "event failed",
        subscriber=subscriber,
        type=verdict.event_type,
        becomes=verdict.state.value,
        attempts=verdict.attempts,
        retry_in_s=round(verdict.delay_s, 2) if verdict.state is State.DUE else None,
        error=_text(verdict),
        **fields,
    )


def _tell_many(subscriber: str, failures: list[Failure]) -> None:
    """Log failures that differ in event and reason only: the commonest reason, and some ids."""
    verdict, handler, _ = failures[0]
    reasons = Counter((one.verdict.error_type, one.verdict.error) for one in failures)
    (commonest, number), *_ = reasons.most_common(1)
    write = log.error if verdict.state is State.DEAD else log.warning
    write(
        "events failed",
        subscriber=subscriber,
        type=verdict.event_type,
        handler=None if handler is None else handler.name,
        becomes=verdict.state.value,
        count=len(failures),
        error=": ".join(commonest)[:_LONGEST_ERROR],
        error_count=number,
        event_ids=[str(one.verdict.event_id) for one in failures[:_NAMED]],
    )


def _text(verdict: Verdict) -> str:
    return f"{verdict.error_type}: {verdict.error}"[:_LONGEST_ERROR]
