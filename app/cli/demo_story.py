"""What happens in the demo, act by act, and where in the console to look at it."""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import anyio
from anyio.abc import TaskGroup

from app.bus.embedded import running_engine_url
from app.bus.stream import Stream
from app.cli.demo_crowd import HOLD_S, LAMP, MUG, RECEIPTS, RECONCILE_AFTER_S, Crowd, path
from app.cli.load_lanes import together
from app.cli.rest import Rest, ServerError

Tell: TypeAlias = Callable[..., None]
"""Called with a sentence, and with the path of the console where it is seen, if there is one."""

GROSS = 144
DOZEN = 12
_RUSH = 60
_LETTERS = 4
_BACKLOG = 25
_FEWEST_S = 0.3
_PATIENCE_S = 45.0


class Story:
    """The acts, in `length_s` seconds or so; what must come about is waited for."""

    def __init__(self, rest: Rest, crowd: Crowd, tell: Tell, data: Path, length_s: float) -> None:
        self._rest = rest
        self._crowd = crowd
        self._tell = tell
        self._stream_directory = data / "stream"
        self._length_s = length_s

    async def play(self, group: TaskGroup) -> None:
        """Play every act, among customers who come and go in group; they leave at the end."""
        await self._crowd.open_shop()
        self._tell("Seven products are in the shop, and their stock has come in.", "/inventory")
        group.start_soon(self._crowd.buy)
        group.start_soon(self._crowd.mind)
        self._tell("Customers order, a clerk ships and cancels: watch it flow.", "")
        await self._let_pass(0.12)
        await self._rush()
        await self._let_pass(0.12)
        await self._holds()
        await self._let_pass(0.12)
        await self._poison()
        await self._let_pass(0.14)
        await self._pause()
        await self._let_pass(0.12)
        await self._flush()
        await self._let_pass(0.14)
        await self._redrive_one()
        await self._let_pass(0.1)
        self._crowd.ended = True
        self._tell("The customers go home; what is under way is brought to its end.")
        await self._until(self._nothing_pending)

    async def _rush(self) -> None:
        self._tell(
            f"A rush: {_RUSH} customers want a {LAMP} at once, and there are 25.",
            f"/inventory/{LAMP}",
        )
        wanted: list[str] = []

        async def want(number: int) -> None:
            order = await self._crowd.order({LAMP: 1}, customer=f"rush-{number}", wait_s=10)
            wanted.append(str(order["id"]))

        async with together() as group:
            for number in range(_RUSH):
                group.start_soon(want, number)
        await self._until(partial(self._all_have_left, wanted, "pending"))
        outcomes = Counter([await self._status(one) for one in wanted])
        told = ", ".join(f"{count} {status}" for status, count in outcomes.most_common())
        self._tell(
            f"Of the rush: {told}. No lamp was sold twice; a rejected order says what was short.",
            "/orders?status=rejected",
        )

    async def _holds(self) -> None:
        held = [
            await self._crowd.order({"TEAPOT": 1}, customer=f"hold-{number}", confirm="manual")
            for number in range(6)
        ]
        self._tell(
            f"Six orders hold a teapot for {HOLD_S} s each, for somebody to confirm: two will be.",
            "/orders?status=reserved",
        )
        confirmed = [str(order["id"]) for order in held[:2]]
        await self._until(partial(self._all_have_left, confirmed, "pending"))
        for order_id in confirmed:
            await self._crowd.decide(order_id, "confirm")
        self._tell("Two are confirmed; the other four expire, and their teapots are free again.")

    async def _poison(self) -> None:
        placed = [
            await self._crowd.order({MUG: GROSS}, customer=f"office-{number}")
            for number in range(_LETTERS)
        ]
        await self._crowd.must(
            "POST", "/v1/inventory/receipts", {"lines": [{"sku": MUG, "quantity": 900}]}
        )
        self._tell(
            f"Four offices order a gross of mugs each, and the subscriber {RECEIPTS} has a bug: "
            f"{GROSS} does not fit on its receipts. Nobody else is held up.",
            f"/orders/{placed[0]['id']}",
        )
        await self._until(lambda: self._letters_are(_LETTERS))
        self._tell(
            f"Each was tried three times and is a dead letter now. Open one, edit the quantity to "
            f"{DOZEN}, try it (a dry run), redrive it.",
            "/dead-letters",
        )

    async def _pause(self) -> None:
        await self._paused(RECEIPTS, "the printer is out of paper")
        self._tell(f"{RECEIPTS} is paused: its backlog grows, the others go on.", "/streams")
        await self._until(self._lags)
        await self._let_pass(0.1)
        lag = await self._lag()
        await self._resumed(RECEIPTS)
        began = anyio.current_time()
        await self._until(self._has_caught_up)
        self._tell(
            f"{RECEIPTS} goes on: its backlog of {lag} took {anyio.current_time() - began:.1f} s.",
            "/streams",
        )

    async def _lags(self) -> bool:
        return await self._lag() > 0

    async def _has_caught_up(self) -> bool:
        return await self._lag() == 0

    async def _lag(self) -> int:
        """Return how many entries of the stream the subscriber of the receipts has not read."""
        page = await self._rest.send("GET", "/v1/ops/subscribers")
        lags = [one["lag"] for one in page.body.get("items", []) if one["name"] == RECEIPTS]
        return int(next(iter(lags), 0) or 0)

    async def _flush(self) -> None:
        await self._paused("inventory", "somebody is about to flush Redis")
        first = len(self._crowd.placed)
        await self._until(lambda: self._has_come(first + _BACKLOG))
        url = running_engine_url(self._stream_directory)
        if url is None:
            raise ServerError("The stream engine of the demo is gone.")
        stream = Stream(url)
        try:
            await stream.run_script("return redis.call('FLUSHALL')", "orders")
        finally:
            await stream.close()
        self._tell(
            f"Redis was flushed, with some {_BACKLOG} orders in it that nobody had seen yet: "
            "every stream and group is gone.",
            "/streams",
        )
        began = anyio.current_time()
        flushed = self._crowd.placed[first:]
        await self._resumed("inventory")
        await self._until(lambda: self._all_have_left(flushed, "pending"))
        self._tell(
            f"All {len(flushed)} of them are decided {anyio.current_time() - began:.0f} s later: "
            f"Redis only carries, the database knows. What it had lost was proven lost after "
            f"{RECONCILE_AFTER_S:g} s and made due again.",
            "",
        )

    async def _redrive_one(self) -> None:
        letters = await self._letters()
        if not letters:
            self._tell("No dead letter is left to redrive: somebody was quick.", "/dead-letters")
            return
        where = f"/v1/ops/dead-letters/{RECEIPTS}/{letters[0]['event_id']}"
        letter = await self._crowd.must("GET", where)
        data = letter.body["envelope"]["data"]
        data["lines"] = [line | {"quantity": DOZEN} for line in data["lines"]]
        tried = await self._rest.send(
            "POST", f"{where}/redrive", json={"data": data, "dry_run": True}
        )
        done = await self._rest.send("POST", f"{where}/redrive", json={"data": data})
        self._tell(
            f"One dead letter was edited: the dry run said {tried.body.get('outcome')}, and so "
            f"its redrive: {done.body.get('outcome')}. The others are yours.",
            "/dead-letters",
        )

    async def _letters(self) -> list[dict[str, Any]]:
        params = {"subscriber": RECEIPTS}
        page = await self._rest.send("GET", "/v1/ops/dead-letters", params=params)
        return list(page.body.get("items", []))

    async def _letters_are(self, count: int) -> bool:
        return len(await self._letters()) >= count

    async def _paused(self, subscriber: str, reason: str) -> None:
        await self._crowd.must(
            "POST", f"/v1/ops/subscribers/{subscriber}/pause", {"reason": reason}
        )

    async def _resumed(self, subscriber: str) -> None:
        # Refused where somebody who looks on was quicker, in the console.
        await self._rest.send("POST", f"/v1/ops/subscribers/{subscriber}/resume", json={})

    async def _has_come(self, count: int) -> bool:
        return len(self._crowd.placed) >= count

    async def _status(self, order_id: str) -> str:
        return str((await self._rest.send("GET", path(order_id))).body.get("status"))

    async def _all_have_left(self, order_ids: list[str], status: str) -> bool:
        return all([await self._status(order_id) != status for order_id in order_ids])

    async def _nothing_pending(self) -> bool:
        params = {"status": "pending", "limit": 1}
        return not (await self._rest.send("GET", "/v1/orders", params=params)).body["items"]

    async def _let_pass(self, part: float) -> None:
        await anyio.sleep(max(_FEWEST_S, part * self._length_s))

    async def _until(self, come: Callable[[], Awaitable[bool]]) -> None:
        """Wait for what must come about; raises ServerError when it does not."""
        give_up_at = anyio.current_time() + _PATIENCE_S
        while not await come():
            if anyio.current_time() > give_up_at:
                raise ServerError(f"What was to happen did not, within {_PATIENCE_S:g} s.")
            await anyio.sleep(0.25)
