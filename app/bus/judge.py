"""Judging: what a failure means for its delivery, by the policy of its handler."""

from random import Random

from app.bus.delivery import State
from app.bus.errors import HandlerError
from app.bus.event import Envelope, Event
from app.bus.retry import Outcome, RetryPolicy
from app.bus.source import Delivery
from app.bus.subscriber import Failed, Handler
from app.bus.trace import formatted
from app.bus.verdict import Verdict


class Judge:
    """Turns failures into verdicts. took_ms is how long the handler ran that told."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def returned(self, given: Delivery, failure: Failed[Event], took_ms: float) -> Verdict:
        """Judge a failure that a handler expected."""
        outcome = Outcome.DEAD_LETTER if failure.permanent else Outcome.RETRY
        state, delay_s = self._fate(given.handler.retry, outcome, given.attempts)
        event = given.event
        return Verdict(
            event.id,
            event.type,
            event,
            state,
            given.attempts,
            "Failed",
            failure.reason,
            delay_s,
            took_ms,
        )

    def raised(self, given: Delivery, error: BaseException, took_ms: float | None) -> Verdict:
        """Judge what a handler raised for this event alone."""
        cause = error.__cause__ if isinstance(error, HandlerError) else None
        cause = cause or error
        retry = given.handler.retry
        state, delay_s = self._fate(retry, retry.outcome(cause), given.attempts)
        return Verdict(
            event_id=given.event.id,
            event_type=given.event.type,
            cause=given.event,
            state=state,
            attempts=given.attempts,
            error_type=type(cause).__name__,
            error=str(cause),
            delay_s=delay_s,
            took_ms=took_ms,
            traceback=formatted(cause),
        )

    def unreadable(
        self, envelope: Envelope, handler: Handler, attempts: int, error: Exception
    ) -> Verdict:
        """Judge an event that does not fit its class: a build to come may read it."""
        state, delay_s = self._fate(handler.retry, handler.retry.outcome(error), attempts)
        return Verdict(
            event_id=envelope.id,
            event_type=envelope.type,
            cause=envelope,
            state=state,
            attempts=attempts,
            error_type=type(error).__name__,
            error=str(error),
            delay_s=delay_s,
            traceback=formatted(error),
        )

    def _fate(self, retry: RetryPolicy, outcome: Outcome, attempts: int) -> tuple[State, float]:
        """Return where a failed delivery goes, and in how many seconds it is tried again."""
        if outcome is Outcome.DISCARD:
            return State.DISCARDED, 0.0
        delay_s = retry.delay_s(attempts, self._random)
        if outcome is Outcome.DEAD_LETTER or delay_s is None:
            return State.DEAD, 0.0
        return State.DUE, delay_s
