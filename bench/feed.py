"""Orders that wait in the outbox: placed a hundred at a time by way of the API."""

import http.client
import json
from itertools import islice
from urllib.parse import urlsplit

from bench.orders import SKUS, orders

_BATCH = 100


def place(url: str, count: int, *, skus: int = SKUS) -> None:
    """Place so many orders; raises RuntimeError when one is not taken."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"Content-Type": "application/json"}
    try:
        waiting = orders(count, skus)
        while page := list(islice(waiting, _BATCH)):
            body = json.dumps({"orders": page}).encode()
            connection.request("POST", "/v1/orders/batch", body, headers)
            reply = connection.getresponse()
            answer = reply.read()
            if reply.status != http.client.OK:
                raise RuntimeError(f"a batch was answered {reply.status}: {answer[:500]!r}")
            taken = sum(
                one["status"] == http.client.CREATED for one in json.loads(answer)["results"]
            )
            if taken != len(page):
                raise RuntimeError(f"of {len(page)} orders {taken} were taken: {answer[:500]!r}")
    finally:
        connection.close()
