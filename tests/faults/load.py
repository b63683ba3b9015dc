"""Clients that never forget: what each was answered is the external witness of a run."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import anyio
import httpx2

SKUS = tuple(f"SKU-{number:02}" for number in range(20))
SCARCE = SKUS[:2]
PLACES = ("default", "far")
AT_ONCE = 4
LIVES_AT_ONCE = 30
TRIES = 8
"""How often somebody asks again for what comes too early."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer to a command: a 2xx and the version it made, or a refusal and its code.

    `about` is what it made or changed: an adjustment, or a fulfillment beside its order. One that
    came too early is undecided. `unsure` says that it was sent before and never answered: that
    request may still be under way somewhere, and may do later what is refused now.
    """

    action: str
    order_id: str
    version: int | None = None
    about: str | None = None
    refused: str | None = None
    undecided: bool = False
    unsure: bool = False


@dataclass
class Witness:
    """What the clients were answered: order ids and lines by key, commands by key, statuses."""

    ids: dict[str, set[str]] = field(default_factory=dict)
    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    repeats: int = 0

    def note(self, key: str, answer: Answer) -> Answer:
        """Write down an answer, and return what the key stands for: done once is done for good."""
        before = self.answers.get(key)
        if before is not None and before.refused is None:
            # A twin may have come too early, and its refusal late.
            if answer.refused is None and answer != before:
                raise AssertionError(f"one key, two answers: {before} {answer}")
            return before
        self.answers[key] = answer
        return answer

    @property
    def commands(self) -> Counter[str]:
        """How often each command was done."""
        return Counter(one.action for one in self.answers.values() if one.refused is None)

    @property
    def refusals(self) -> Counter[str]:
        """How often commands were refused, by the code of the refusal."""
        return Counter(one.refused for one in self.answers.values() if one.refused is not None)


class Line:
    """A client's connection: sends a command until it is answered for good."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        urls: Callable[[], Sequence[str]],
        witness: Witness,
        random: Random,
    ) -> None:
        self._http = http
        self._urls = urls
        self.witness = witness
        self.random = random

    async def post(
        self, path: str, body: Mapping[str, object], key: str
    ) -> tuple[httpx2.Response, bool]:
        """Send until the answer is a 2xx, or a refusal that would stay one.

        Returns it, and whether it took more than one try.
        """
        again = False
        while True:
            url = self.random.choice(self._urls())
            try:
                reply = await self._http.post(
                    f"{url}/v1/{path}", json=body, headers={"Idempotency-Key": key}
                )
            except httpx2.TransportError as error:
                self.witness.statuses[type(error).__name__] += 1
            else:
                self.witness.statuses[str(reply.status_code)] += 1
                if not _may_change(reply):
                    return reply, again
            again = True
            await anyio.sleep(self.random.uniform(0.02, 0.1))

    async def ask(
        self, action: str, order_id: str, path: str, body: Mapping[str, object], key: str
    ) -> Answer:
        """Send a command about an order, and write down what it was answered."""
        reply, again = await self.post(f"orders/{order_id}/{path}", body, key)
        told = reply.json()
        if reply.is_success:
            version = int(reply.headers["ETag"].strip('"'))
            about = told["id"] if "order_id" in told else None
            answer = Answer(action, order_id, version=version, about=about)
        elif reply.status_code == httpx2.codes.CONFLICT:
            undecided = told.get("current_status") == "pending"
            answer = Answer(
                action, order_id, refused=told["code"], undecided=undecided, unsure=again
            )
        else:
            raise AssertionError(f"{action}: {reply.status_code}: {reply.text}")
        return self.witness.note(key, answer)

    def key(self) -> str:
        """Return a key that no other command has."""
        return str(UUID(int=self.random.getrandbits(128)))


def _may_change(reply: httpx2.Response) -> bool:
    """Tell whether the same request may be answered otherwise later."""
    if reply.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return True
    return not reply.is_success and bool(reply.json().get("retryable"))


class Client:
    """Orders again and again, and has a life for each order; what failed it sends again.

    A poison that is asked for is a line of the next order.
    """

    def __init__(
        self,
        name: str,
        urls: Callable[[], Sequence[str]],
        witness: Witness,
        random: Random,
        poison: deque[str],
    ) -> None:
        self._name = name
        self._poison = poison
        self._witness = witness
        self._random = random
        self._http = httpx2.AsyncClient(timeout=3)
        self._line = Line(self._http, urls, witness, random)
        self._living = 0
        self.stopping = False

    async def run(self) -> None:
        """Place orders until `stopping`, several at a time; the last ones are answered too."""
        async with self._http, anyio.create_task_group() as lanes:
            for _ in range(AT_ONCE):
                lanes.start_soon(self._lane, lanes)

    async def _lane(self, lives: Any) -> None:  # noqa: ANN401 - the task group they go on in
        while self._poison or not self.stopping:
            lines = {
                sku: self._random.randint(1, 3)
                for sku in self._random.sample(SKUS, self._random.randint(1, 4))
            }
            if self._poison:
                lines[self._poison.popleft()] = 1
            manual = self._random.random() < 0.4
            key = self._line.key()
            copies = 2 if self._random.random() < 0.2 else 1
            async with anyio.create_task_group() as twins:
                for _ in range(copies):
                    twins.start_soon(self._order, key, lines, manual)
            self._witness.repeats += copies - 1
            if self._living < LIVES_AT_ONCE and self._random.random() < 0.6:
                lives.start_soon(self._live, min(self._witness.ids[key]), lines, manual)
            if self._random.random() < 0.2:
                await _correct(self._line)
            await anyio.sleep(self._random.uniform(0, 0.03))

    async def _live(self, order_id: str, lines: Mapping[str, int], manual: bool) -> None:  # noqa: FBT001 - one of two kinds
        self._living += 1
        try:
            await live(self._line, order_id, lines, manual)
        finally:
            self._living -= 1

    async def _order(self, key: str, lines: Mapping[str, int], manual: bool) -> None:  # noqa: FBT001 - as above
        """Send one order until it is answered with a 2xx, and write that down."""
        body = {
            "customer_id": self._name,
            "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()],
            "confirm": "manual" if manual else "auto",
        }
        reply, _ = await self._line.post("orders", body, key)
        if not reply.is_success:
            raise AssertionError(f"{reply.status_code}: {reply.text}")
        self._witness.ids.setdefault(key, set()).add(reply.json()["id"])
        self._witness.lines[key] = dict(lines)


async def live(line: Line, order_id: str, lines: Mapping[str, int], manual: bool) -> None:  # noqa: FBT001 - as above
    """Do with an order what people do: now and then two of them at once, and at any moment."""
    random = line.random
    if manual:
        await anyio.sleep(random.uniform(0, 2.5))  # some are confirmed, and some expire first
        wishes = random.choice(
            [["confirm"], ["confirm"], ["cancel"], ["confirm", "cancel"], ["extend", "confirm"], []]
        )
        async with anyio.create_task_group() as together:
            for wish in wishes:
                together.start_soon(_wish, line, order_id, wish)
    elif random.random() < 0.3:
        await anyio.sleep(random.choice([0, 0, 0.05, 0.5]))
        await _wish(line, order_id, "cancel")
        return
    if random.random() < 0.6:
        await anyio.sleep(random.uniform(0, 1))
        await _ship(line, order_id, lines)
    if random.random() < 0.2:
        await _wish(line, order_id, "cancel")


async def _wish(line: Line, order_id: str, wish: str) -> None:
    """Wish for something, and again for a while if it comes before inventory has decided."""
    for _ in range(TRIES):
        key = line.key()
        body: dict[str, object] = {}
        if wish == "cancel":
            body = {"reason": key}
        elif wish == "extend":
            body = {"seconds": 120}
        copies = 2 if line.random.random() < 0.2 else 1
        async with anyio.create_task_group() as twins:
            for _ in range(copies):
                twins.start_soon(line.ask, wish, order_id, wish, body, key)
        line.witness.repeats += copies - 1
        if not line.witness.answers[key].undecided:
            return
        await anyio.sleep(line.random.uniform(0.2, 1))


async def _ship(line: Line, order_id: str, lines: Mapping[str, int]) -> None:
    """Have an order leave, whole or in part, and now and then stay after all."""
    random = line.random
    parts = random.randint(1, 3)
    for _ in range(parts + TRIES):
        sku = random.choice(sorted(lines))
        part: dict[str, object] = {"lines": [{"sku": sku, "quantity": 1}]}
        body = part if random.random() < 0.5 else {}
        answer = await line.ask("fulfill", order_id, "fulfillments", body, line.key())
        if answer.about is not None and random.random() < 0.4:
            await anyio.sleep(random.choice([0, 0, 0.02, 0.3]))
            path = f"fulfillments/{answer.about}/cancel"
            await line.ask("cancel_fulfillment", order_id, path, {}, line.key())
        parts -= not answer.undecided
        if not parts:
            return
        await anyio.sleep(random.uniform(0, 0.5))


async def _correct(line: Line) -> None:
    """Find or lose a few units somewhere; what is reserved cannot be lost."""
    sku, place = line.random.choice(SKUS), line.random.choice(PLACES)
    delta = line.random.choice([-3, -1, 1, 2])
    key = line.key()
    body = {"reason": key, "lines": [{"sku": sku, "location": place, "delta": delta}]}
    reply, again = await line.post("inventory/adjustments", body, key)
    told = reply.json()
    if reply.is_success:
        line.witness.note(key, Answer("adjust", "", about=told["id"]))
    elif told["code"] == "would_break_reservations":
        line.witness.note(key, Answer("adjust", "", refused=told["code"], unsure=again))
    else:
        raise AssertionError(f"adjust: {reply.status_code}: {reply.text}")
