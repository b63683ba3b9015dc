"""The shop of the demo: Orderly, embedded, with one more subscriber, which large orders poison.

`python -m app.cli.demo_shop DIRECTORY PORT`, started by `demo` in a directory of its own.
"""

import json
import os
import shutil
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from app.bus.event import Event
from app.bus.outbox import publish
from app.bus.retry import RetryPolicy
from app.bus.subscriber import Subscriber
from app.cli.demo_crowd import HOLD_S, RECEIPTS, RECONCILE_AFTER_S
from app.cli.serve import run
from app.errors import StartupError
from app.main import chores
from app.modules.orders.events import OrderCreated
from app.settings import Settings, load_settings

# A receipt has room for two digits: that is the bug, and an order of a gross meets it.
_MOST_UNITS = 99


class ReceiptLine(BaseModel):
    """What a receipt says of one SKU."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sku: str
    quantity: int


class ReceiptPrinted(Event):
    """A receipt was printed for an order."""

    type: ClassVar[str] = "receipts.receipt_printed.v1"
    subject_field: ClassVar[str] = "order_id"

    order_id: str
    lines: tuple[ReceiptLine, ...]


receipts = Subscriber(RECEIPTS)


@receipts.on(OrderCreated, retry=RetryPolicy(max_attempts=3, first_s=0.5, most_s=1.0))
async def print_receipt(event: OrderCreated, session: AsyncSession) -> None:
    """Print the receipt of an order; raises ValueError where a quantity does not fit."""
    for line in event.lines:
        if line.quantity > _MOST_UNITS:
            msg = f"{line.quantity} of {line.sku} do not fit: a receipt has two digits for it"
            raise ValueError(msg)
    lines = tuple(ReceiptLine(sku=line.sku, quantity=line.quantity) for line in event.lines)
    await publish(session, ReceiptPrinted(order_id=event.order_id, lines=lines))


def main(directory: Path, port: int) -> int:
    """Serve until told to stop, or until whoever started us is gone; return the exit code."""
    settings = load_settings(
        data=directory / "var",
        port=port,
        hold_s=HOLD_S,
        reconcile_after_s=RECONCILE_AFTER_S,
        log_format="json",
        log_level="warning",
    )
    left_alone = threading.Event()
    threading.Thread(target=_watch, args=(left_alone,), daemon=True).start()
    work = chores(settings)
    work = replace(work, subscribers=[*work.subscribers, receipts])
    try:
        return run(settings, work, _announce)
    except StartupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        if left_alone.is_set():
            shutil.rmtree(directory, ignore_errors=True)


def _announce(settings: Settings, port: int, anyone: bool) -> None:
    sys.stdout.write(json.dumps({"url": f"http://{settings.host}:{port}", "open": anyone}) + "\n")
    sys.stdout.flush()


def _watch(left_alone: threading.Event) -> None:
    """End this process when the other end of its standard input is closed."""
    while os.read(0, 1):
        pass
    left_alone.set()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
