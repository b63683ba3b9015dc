"""The relay: moves unpublished events from the outbox to the stream, in order, a page at a time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.bus import metrics, outbox
from app.bus.backlog import Backlog
from app.bus.errors import StreamError, is_transient
from app.bus.sql import Transactions
from app.bus.stream import Stream
from app.bus.supervise import Pulse
from app.bus.tracing import sending
from app.bus.trim import Room
from app.bus.wakeup import WakeUp


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPolicy:
    """Page size, and how often to look without a wake-up: soon after work, rarely when idle."""

    page: int = 500
    busy_poll_s: float = 0.02
    idle_poll_s: float = 0.5


class Relay:
    """One loop that publishes. Any number may run; on PostgreSQL one is active at a time.

    A crash between the XADD and the mark sends the page again with the same event ids, and the
    inbox absorbs the copies. Events of a stream that is full stay in the database; the others go.
    """

    name = "relay"

    def __init__(
        self,
        database: Transactions,
        stream: Stream,
        wake_up: WakeUp,
        policy: RelayPolicy | None = None,
        room: Room | None = None,
    ) -> None:
        self._database = database
        self._stream = stream
        self._wake_up = wake_up
        wake_up.is_relayed_here = True
        self._policy = policy or RelayPolicy()
        self._room = room
        self.backlog = Backlog()

    async def run(self, pulse: Pulse) -> None:
        """Publish until told to stop."""
        poll_s = self._policy.idle_poll_s
        while not pulse.stopping:
            try:
                sent = await self.publish_page()
            except Exception as error:
                if not (isinstance(error, StreamError) or is_transient(error)):
                    raise
                await pulse.wait_out(error)
                continue
            pulse.beat()
            self.backlog.waiting = sent == self._policy.page
            if self.backlog.waiting:
                continue
            poll_s = self._policy.busy_poll_s if sent else min(poll_s * 2, self._policy.idle_poll_s)
            with pulse.interruptible():
                await self._wake_up.wait(poll_s)

    async def publish_page(self) -> int:
        """Publish one page and return its size; 0 when nothing waits or another relay is active."""
        if self._database.single_writer:
            return await self._publish_in_two_steps()
        is_own_new = self._wake_up.take_own()
        async with self._database.write(first=outbox.HOLDS_RELAY_LOCK) as session:
            page = await outbox.relayed(session, self._policy.page, self._paused())
            if page is None:
                # It may have looked before our commit. Of others' it heard when we did: to tell it
                # of those would wake everybody, each of whom would tell the rest.
                if is_own_new:
                    self._wake_up.tell_others()
                return 0
            if page:
                await outbox.mark_published(session, page, await self._append(page))
        _count(page)
        return len(page)

    async def _publish_in_two_steps(self) -> int:
        """As above where the one write lock must not be held across the network."""
        async with self._database.read() as session:
            page = await outbox.unpublished(session, self._policy.page, self._paused())
        if page:
            stream_ids = await self._append(page)
            async with self._database.write() as session:
                await outbox.mark_published(session, page, stream_ids)
        _count(page)
        return len(page)

    async def _append(self, page: list[outbox.Unpublished]) -> list[str]:
        events = [(row.context, row.envelope) for row in page]
        with sending(events):
            appended = await self._stream.append(events)
        if self._room is not None:
            self._room.measured(appended.lengths)
        return appended.ids

    def _paused(self) -> frozenset[str]:
        return self._room.full if self._room is not None else frozenset()


def _count(page: Sequence[outbox.Unpublished]) -> None:
    """Count a page that was published."""
    if page:
        metrics.RELAY_PAGE.see(len(page))
        for context, number in Counter(row.context for row in page).items():
            metrics.RELAY_PUBLISHED.add(number, context)
