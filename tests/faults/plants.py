"""Planted bugs, each by name: what the checks are worth is which of these they see.

Each takes a function that sets an attribute, `setattr` or a test's `monkeypatch.setattr`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus import inbox, outbox, verdict
from app.bus.consumer import Consumer
from app.bus.delivery import State
from app.bus.handling import Handling
from app.bus.outbox import Unpublished
from app.bus.reconcile import Reconcile
from app.bus.relay import Relay
from app.bus.settled import Window
from app.bus.source import Delivery
from app.bus.stream import Entry, Stream, _translated
from app.bus.tables import outbox as outbox_table
from app.bus.verdict import Verdict
from app.modules.inventory.models.tables import StockLevel
from app.modules.inventory.service import book
from app.modules.inventory.service.levels import Level

Patch: TypeAlias = Callable[[Any, str, Any], None]


def inbox_off(patch: Patch) -> None:
    """Run whatever is delivered, whether it ran before or not."""
    claim = inbox.claim

    async def claim_all(
        session: AsyncSession, subscriber: str, event_ids: Collection[UUID]
    ) -> set[UUID]:
        await claim(session, subscriber, event_ids)
        return set(event_ids)

    patch(inbox, "claim", claim_all)


def ack_before_commit(patch: Patch) -> None:
    """Acknowledge first: what dies in the handler is nobody's any more."""
    process = Consumer._process

    async def ack_first(self: Consumer, entries: Sequence[Entry]) -> None:
        await self._stream.ack(self._subscriber.name, entries)
        await process(self, entries)

    patch(Consumer, "_process", ack_first)


def cursor_relay(patch: Patch) -> None:
    """Look for unpublished events behind the last one sent, as if positions were commit order."""
    last = 0

    async def behind_the_last(
        session: AsyncSession,
        limit: int,
        *rest: object,  # noqa: ARG001 - as many as the real one takes
    ) -> list[Unpublished]:
        nonlocal last
        table = outbox_table.c
        found = await session.execute(
            select(table.position, table.context, table.envelope)
            .where(table.position > last)
            .order_by(table.position)
            .limit(limit)
        )
        page = found.all()
        last = page[-1].position if page else last
        return [Unpublished(*row) for row in page]

    patch(outbox, "unpublished", behind_the_last)
    patch(outbox, "relayed", behind_the_last)


def mark_before_send(patch: Patch) -> None:
    """Mark a page as published although the engine never took it."""
    append = Relay._append

    async def pretend(self: Relay, page: list[Unpublished]) -> list[str]:
        try:
            return await append(self, page)
        except Exception:  # noqa: BLE001 - the bug
            return [f"{number}-1" for number in range(1, len(page) + 1)]

    patch(Relay, "_append", pretend)


def unsorted_stock_locks(patch: Patch) -> None:
    """Lock stock in the order in which somebody happened to ask for it."""

    async def lock(
        session: AsyncSession, skus: Collection[str]
    ) -> tuple[list[Level], dict[str, Any]]:
        levels: list[Level] = []
        for sku in skus:
            found = await session.execute(
                select(
                    StockLevel.sku,
                    StockLevel.location,
                    StockLevel.on_hand,
                    StockLevel.reserved,
                    StockLevel.committed,
                )
                .where(StockLevel.sku == sku)
                .with_for_update()
            )
            levels += [Level(*row) for row in found]
        return levels, {}

    patch(book, "lock", lock)


def verdict_without_the_key(patch: Patch) -> None:
    """Give an event up without asking whether a twin has succeeded meanwhile."""

    async def give_verdict(
        self: Handling,
        given: Delivery,
        source: object,
        error: Exception,
        *rest: object,  # noqa: ARG001 - as many as the real one takes
    ) -> None:
        del source
        given_up = Verdict(
            event_id=given.event.id,
            event_type=given.event.type,
            cause=given.event,
            state=State.DEAD,
            attempts=given.attempts,
            error_type=type(error).__name__,
            error=str(error),
        )
        async with self._database.write() as session:
            await verdict.record(session, self._subscriber.name, [given_up])

    patch(Handling, "_give_verdict", give_verdict)


def groups_at_the_end(patch: Patch) -> None:
    """Create groups at `$`: what was sent before the first start is never read."""

    async def ensure_groups(self: Stream, contexts: Sequence[str], group: str) -> None:
        for context in contexts:
            key = self.key(context)
            with _translated():
                if await self._redis.type(key) == "none" or group not in [
                    one["name"] for one in await self._redis.xinfo_groups(key)
                ]:
                    await self._redis.xgroup_create(key, group, id="$", mkstream=True)

    patch(Stream, "ensure_groups", ensure_groups)


def time_only_reconcile(patch: Patch) -> None:
    """Call lost whatever is old: a mere backlog is then owed twice over."""

    async def lost(self: Reconcile, subscriber: str, seen: Window) -> set[UUID]:
        del self, subscriber
        return {one.event_id for one in seen.unsettled if one.ripe}

    patch(Reconcile, "_lost", lost)


Plant: TypeAlias = Callable[[Patch], None]

PLANTS: Mapping[str, Plant] = {
    "inbox off": inbox_off,
    "ack before commit": ack_before_commit,
    "cursor relay": cursor_relay,
    "mark before send": mark_before_send,
    "time-only reconcile": time_only_reconcile,
    "unsorted stock locks": unsorted_stock_locks,
    "verdict without the key": verdict_without_the_key,
    "groups at the end": groups_at_the_end,
}
