"""Clients that never forget: what each was answered is the external witness of a run."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import anyio
import httpx2

SKUS = tuple(f"SKU-{number:02}" for number in range(20))
SCARCE = SKUS[:2]
AT_ONCE = 4
_RETRIED = {409, 500, 502, 503, 504}


@dataclass
class Witness:
    """What the clients were answered: order ids and lines by key, and every other status."""

    ids: dict[str, set[str]] = field(default_factory=dict)
    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    repeats: int = 0


class Client:
    """Orders again and again, and sends what failed with the same key until it is answered.

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
        self._urls = urls
        self._poison = poison
        self._witness = witness
        self._random = random
        self._http = httpx2.AsyncClient(timeout=3)
        self.stopping = False

    async def run(self) -> None:
        """Place orders until `stopping`, several at a time; the last ones are answered too."""
        async with self._http, anyio.create_task_group() as lanes:
            for _ in range(AT_ONCE):
                lanes.start_soon(self._lane)

    async def _lane(self) -> None:
        while self._poison or not self.stopping:
            lines = {
                sku: self._random.randint(1, 3)
                for sku in self._random.sample(SKUS, self._random.randint(1, 4))
            }
            if self._poison:
                lines[self._poison.popleft()] = 1
            key = str(UUID(int=self._random.getrandbits(128)))
            copies = 2 if self._random.random() < 0.2 else 1
            async with anyio.create_task_group() as twins:
                for _ in range(copies):
                    twins.start_soon(self._order, key, lines)
            self._witness.repeats += copies - 1
            await anyio.sleep(self._random.uniform(0, 0.03))

    async def _order(self, key: str, lines: Mapping[str, int]) -> None:
        """Send one order until it is answered with a 2xx, and write that down."""
        body = {
            "customer_id": self._name,
            "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()],
        }
        while True:
            url = self._random.choice(self._urls())
            try:
                reply = await self._http.post(
                    f"{url}/v1/orders", json=body, headers={"Idempotency-Key": key}
                )
            except httpx2.TransportError as error:
                self._witness.statuses[type(error).__name__] += 1
            else:
                self._witness.statuses[str(reply.status_code)] += 1
                if reply.is_success:
                    self._witness.ids.setdefault(key, set()).add(reply.json()["id"])
                    self._witness.lines[key] = dict(lines)
                    return
                if reply.status_code not in _RETRIED:
                    raise AssertionError(f"{reply.status_code}: {reply.text}")
            await anyio.sleep(self._random.uniform(0.02, 0.1))
