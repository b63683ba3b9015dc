"""An account of what a subscriber's deliveries came to: counted, timed, and traced where asked."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from app.bus import metrics, tracing
from app.bus.delivery import Reason
from app.bus.source import Delivery
from app.bus.subscriber import Handler
from app.bus.verdict import Verdict

_HANDLED = "handled"

# Somebody asked for these, however long ago the event was: they tell nothing of how fast we are.
_AGAIN = frozenset({Reason.REDRIVE, Reason.REPLAY, Reason.FILL})


class Account:
    """Keeps the account of one subscriber; a batch at a time, after its commit."""

    def __init__(self, subscriber: str) -> None:
        self._subscriber = subscriber
        self._spans = tracing.Process(subscriber)
        # A rate shows the first loss only where there was a zero before it.
        metrics.LOSSES_PROVEN.add(0, subscriber)
        metrics.LOSSES_HEALED.add(0, subscriber)

    @contextmanager
    def of(self, deliveries: Sequence[Delivery]) -> Iterator[None]:
        """Be the time in which deliveries are run, if anybody traces it."""
        if not (tracing.switch.on and deliveries):
            yield
            return
        with self._spans.of([(given.event, given.reason in _AGAIN) for given in deliveries]):
            yield

    def took(self, handler: Handler, seconds: float) -> None:
        """Note how long a handler took, for what it was called with once."""
        metrics.HANDLER_DURATION.see(seconds, self._subscriber, handler.name)

    def settled(self, given: Sequence[Delivery], verdicts: Mapping[UUID, Verdict]) -> None:
        """Note what a transaction committed: verdicts on some of these, success of the others."""
        good = given
        if verdicts:
            good = [one for one in given if one.event.id not in verdicts]
            for verdict in verdicts.values():
                self.failed(verdict)
        name = self._subscriber
        types: dict[str, int] = {}
        healed, oldest = 0, None
        # Counters of the library's, for one event at a time, cost more than all else here.
        for one in good:
            type_ = one.event.type
            types[type_] = types.get(type_, 0) + 1
            if one.reason is Reason.LOST:
                healed += 1
            if oldest is None and one.reason not in _AGAIN:
                oldest = one.event.time
        for type_, number in types.items():
            metrics.ATTEMPTS.add(number, name, type_, _HANDLED)
        if healed:
            metrics.LOSSES_HEALED.add(healed, name)
        if oldest is not None:
            # The event may be of another machine, whose clock is ahead.
            age_s = (datetime.now(UTC) - oldest).total_seconds()
            metrics.CRITICAL_TIME.see(max(0.0, age_s), name)
        if tracing.switch.on:
            self._spans.settled([one.event.id for one in good])

    def failed(self, verdict: Verdict) -> None:
        """Note a verdict that was written."""
        metrics.ATTEMPTS.add(1, self._subscriber, verdict.event_type, verdict.state.value)
        if tracing.switch.on:
            self._spans.failed(
                verdict.event_id, verdict.error_type, verdict.error, verdict.state.value
            )
