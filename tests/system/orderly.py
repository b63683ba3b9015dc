"""A real Orderly process for tests, and a shop that speaks REST to it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import anyio
import httpx2

from tests.ends import EndsWithUs
from tests.starter import Started, clean_environment, starter

SETTLED = {"confirmed", "rejected"}


def run(
    words: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run one command of the program to its end."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = starter().start(
            "app",
            words,
            directory,
            clean_environment(environment or {}),
            (output.fileno(), errors.fileno()),
        )
        try:
            code = process.wait(60)
        finally:
            process.kill()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(
            words, code, output.read().decode(), errors.read().decode()
        )


class Orderly:
    """One `python -m app serve`, on a free port; ended with the block.

    A fresh one is an interpreter of its own, which imports everything first, as a user's does.
    """

    module = "app"

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        fresh: bool = False,
    ) -> None:
        self.directory = directory
        self._environment = clean_environment(environment or {})
        self._port = port
        self._fresh = fresh
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process: subprocess.Popen[bytes] | Started | None = None
        self._ends_with_us: EndsWithUs | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._ends_with_us is not None:
            self._ends_with_us.release()
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait(10)
        if kind is not None:
            sys.stderr.write(f"--- log of the process ---\n{self.log()[-6000:]}\n")
        self._log.close()

    def start(self) -> None:
        """Start the process and wait until it says where it listens."""
        reading, output = os.pipe()
        with os.fdopen(reading) as printed:
            try:
                self._process = self._begun(output)
            finally:
                os.close(output)
            self._ends_with_us = EndsWithUs(self._process.pid)
            first = printed.readline()
        found = re.search(r"http://\S+", first)
        if found is None:
            self._process.wait(10)
            raise AssertionError(f"the process did not start: {self.log()}")
        self.url = found[0]

    def _begun(self, output: int) -> "subprocess.Popen[bytes] | Started":
        words = ["serve", "--port", str(self._port)]
        errors = self._log.fileno()
        if not self._fresh:
            return starter().start(
                self.module, words, self.directory, self._environment, (output, errors)
            )
        return subprocess.Popen(
            [sys.executable, "-m", self.module, *words],
            cwd=self.directory,
            env=self._environment,
            stdout=output,
            stderr=errors,
        )

    def kill(self) -> None:
        """Kill -9."""
        self._signal(signal.SIGKILL)

    def terminate(self, with_signal: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask the process to stop; return its exit code and how long it took in seconds."""
        began = time.monotonic()
        return self._signal(with_signal), time.monotonic() - began

    def _signal(self, number: signal.Signals) -> int:
        assert self._process is not None
        assert self._ends_with_us is not None
        self._ends_with_us.release()
        self._process.send_signal(number)
        return self._process.wait(20)

    def wait(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        assert self._process is not None
        return self._process.wait(20)

    @property
    def exit_code(self) -> int | None:
        """How the process ended, None while it runs."""
        assert self._process is not None
        return self._process.poll()

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """Return everything the process logged."""
        self._log.seek(0)
        return self._log.read().decode()


class Shop:
    """A client of the REST API that knows what it asked for."""

    def __init__(self, url: str, *, key: str | None = None) -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.http = httpx2.AsyncClient(base_url=url, headers=headers, timeout=20)
        self.orders: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def stock(self, units: Mapping[str, int], price: str = "4.25") -> None:
        """Register a product per SKU and receive so many units of each."""
        for sku in units:
            body = {"title": sku.title(), "unit_price": {"amount": price, "currency": "GBP"}}
            (await self.http.put(f"/v1/products/{sku}", json=body)).raise_for_status()
        lines = [{"sku": sku, "quantity": units[sku]} for sku in units if units[sku]]
        if lines:
            reply = await self.http.post("/v1/inventory/receipts", json={"lines": lines})
            reply.raise_for_status()

    async def stock_at(self, location: str, units: Mapping[str, int], priority: int = 1) -> None:
        """Make a location and receive so many units of each SKU there."""
        reply = await self.http.put(
            f"/v1/inventory/locations/{location}", json={"priority": priority}
        )
        reply.raise_for_status()
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
        receipt = {"lines": lines, "location": location}
        (await self.http.post("/v1/inventory/receipts", json=receipt)).raise_for_status()

    async def order(self, lines: Mapping[str, int], key: str | None = None) -> dict[str, Any]:
        """Place an order and return it as answered."""
        reply = await self.http.post(
            "/v1/orders",
            json={
                "customer_id": "c-1",
                "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()],
            },
            headers={"Idempotency-Key": key or uuid4().hex},
        )
        reply.raise_for_status()
        placed: dict[str, Any] = reply.json()
        self.orders.append(placed["id"])
        return placed

    async def get(self, order_id: str) -> dict[str, Any]:
        """Return an order as it is now."""
        reply = await self.http.get(f"/v1/orders/{order_id}")
        reply.raise_for_status()
        found: dict[str, Any] = reply.json()
        return found

    async def settled(self, order_id: str, timeout_s: float = 45) -> dict[str, Any]:
        """Wait until inventory has answered for an order, and return it."""
        with anyio.fail_after(timeout_s):
            while (found := await self.get(order_id))["status"] not in SETTLED:
                await anyio.sleep(0.01)
        return found

    async def all_settled(self, timeout_s: float = 90) -> None:
        """Wait until no order is pending."""
        with anyio.fail_after(timeout_s):
            while await self.items("/v1/orders", status="pending", limit=1):
                await anyio.sleep(0.02)

    async def items(self, path: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Return one page of a list."""
        reply = await self.http.get(path, params=parameters)
        reply.raise_for_status()
        found: list[dict[str, Any]] = reply.json()["items"]
        return found

    async def count(self, **parameters: str | int) -> int:
        """Count orders over every page."""
        total, cursor = 0, None
        while True:
            query = parameters | {"limit": 200} | ({"cursor": cursor} if cursor else {})
            reply = await self.http.get("/v1/orders", params=query)
            page = reply.raise_for_status().json()
            total += len(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return total

    async def level(self, sku: str) -> tuple[int, int, int]:
        """Return on_hand, reserved and available of a SKU."""
        (found,) = await self.items("/v1/inventory/levels", sku=sku)
        return found["on_hand"], found["reserved"], found["available"]
