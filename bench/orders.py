"""The orders that every case places: the same ones for ours and for the peers."""

import json
import random
from collections.abc import Iterator, Sequence

LINES = 2
SKUS = 1000
STOCK = 1_000_000
PRICE_MINOR = 425


def sku_names(count: int = SKUS) -> list[str]:
    """Return the SKUs of a shop of this size."""
    return [f"SKU-{number:05}" for number in range(count)]


def orders(count: int, skus: int = SKUS, lines: int = LINES) -> Iterator[dict[str, object]]:
    """Yield the bodies of orders, the same ones in each run."""
    chance, names = random.Random(count), sku_names(skus)
    for number in range(count):
        chosen = [{"sku": sku, "quantity": 2} for sku in chance.sample(names, min(lines, skus))]
        yield {"customer_id": f"c-{number % 1000}", "lines": chosen}


def bodies(count: int, skus: int = SKUS, lines: int = LINES) -> Sequence[bytes]:
    """Return the same as JSON."""
    return [json.dumps(order).encode() for order in orders(count, skus, lines)]
