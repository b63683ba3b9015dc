"""A shop counter on a real port: the REST shapes `load-orders` speaks, and faults on demand."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Counter:
    """What the server took, and how it is to behave; `faults` are spent one per POST of an order.

    A fault is a status to answer with, or "cut": take the order and hang up without a reply.
    """

    key: str | None = None
    settles: bool = True
    products: dict[str, Any] = field(default_factory=dict)
    receipts: dict[str, Any] = field(default_factory=dict)
    adjustments: dict[str, Any] = field(default_factory=dict)
    orders: dict[str, Any] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    replies: dict[str, tuple[int, Any]] = field(default_factory=dict)
    faults: deque[int | str] = field(default_factory=deque)
    forgets_keys: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put_product(self, sku: str, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        """Create, replace or leave a product."""
        status = 200 if sku in self.products else 201
        self.products[sku] = body
        return status, body

    def post_receipt(self, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        """Take stock once per reference."""
        if body["reference"] in self.receipts:
            return problem(409, "duplicate_reference", existing_id="rcp_1")
        self.receipts[body["reference"]] = body["lines"]
        return 201, {"id": "rcp_1"}

    def post_adjustment(self, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        """Adjust stock once per reference, but never that of a SKU called RARE."""
        if body["reference"] in self.adjustments:
            return problem(409, "duplicate_reference", existing_id="adj_1")
        if any(line["sku"] == "RARE" for line in body["lines"]):
            return problem(409, "would_break_reservations")
        self.adjustments[body["reference"]] = body
        return 201, {"id": "adj_1"}

    def post_order(self, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        """Take an order once per reference; products decide whether it is one."""
        if any(line["sku"] not in self.products for line in body["lines"]):
            return problem(422, "unknown_sku")
        order_id = f"ord_{body['reference']}"
        if order_id in self.orders:
            return problem(409, "duplicate_reference", existing_id=order_id)
        self.orders[order_id] = {"id": order_id, "status": "pending", **body}
        return 201, dict(self.orders[order_id])

    def get_order(self, order_id: str) -> tuple[int, Any]:
        """Return an order, settled by the first look: rejected for customer "poor"."""
        order = self.orders.get(order_id)
        if order is None:
            return problem(404, "not_found")
        if self.settles and order["status"] == "pending":
            poor = order["customer_id"] == "poor"
            accepted = "reserved" if order["confirm"] == "manual" else "confirmed"
            order["status"] = "rejected" if poor else accepted
            order["shortages"] = [{"sku": "MUG", "requested": 2, "available": 1}] if poor else []
        return 200, order

    def post_decision(self, order_id: str, action: str) -> tuple[int, Any]:
        """Confirm or cancel an order that is held; that of customer "late" has just expired."""
        order = self.orders[order_id]
        if order["customer_id"] == "late":
            order["status"] = "expired"
        if order["status"] != "reserved":
            return problem(409, "order_state_conflict", current_status=order["status"])
        order["status"] = {"confirm": "confirmed", "cancel": "cancelled"}[action]
        self.decisions.append(action)
        return 200, dict(order)

    def list_pending(self) -> tuple[int, Any]:
        """Return every pending order on one page."""
        pending = [order for order in self.orders.values() if order["status"] == "pending"]
        return 200, {"items": pending, "next_cursor": None}


def problem(status: int, code: str, **extra: str) -> tuple[int, dict[str, str]]:
    """Return a refusal in the shape of problem details."""
    return status, {"code": code, "detail": f"This is {code}.", **extra}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        """Say nothing."""

    def _serve(self) -> None:
        counter = self.server.counter
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        with counter.lock:
            status, reply, replayed = self._answer(counter, body)
        if status:
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if replayed:
                self.send_header("Idempotency-Replayed", "true")
            self.end_headers()
            self.wfile.write(content)
        else:
            self.close_connection = True

    def _answer(self, counter: Counter, body: Any) -> tuple[int, Any, bool]:  # noqa: ANN401 - JSON
        if counter.key and self.headers.get("Authorization") != f"Bearer {counter.key}":
            return *problem(401, "unauthenticated"), False
        key = self.headers.get("Idempotency-Key")
        is_order = (self.command, self.path) == ("POST", "/v1/orders")
        fault = counter.faults.popleft() if is_order and counter.faults else None
        if isinstance(fault, int):
            return *problem(fault, "fault"), False
        if key and not counter.forgets_keys and key in counter.replies:
            return *counter.replies[key], True
        status, reply = self._route(counter, body)
        if key and status in {200, 201}:
            counter.replies[key] = status, reply
        return (0, None, False) if fault == "cut" else (status, reply, False)

    def _route(self, counter: Counter, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        path = urlsplit(self.path)
        last = unquote(path.path.rpartition("/")[2])
        if self.command == "PUT":
            return counter.put_product(last, body)
        if last in {"confirm", "cancel"}:
            return counter.post_decision(unquote(path.path.split("/")[3]), last)
        if self.command == "POST":
            return self._post(counter, last, body)
        if last == "products":
            return 200, {"items": [], "next_cursor": None}
        if last == "orders" and parse_qs(path.query).get("status") == ["pending"]:
            return counter.list_pending()
        return counter.get_order(last)

    def _post(self, counter: Counter, last: str, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON
        if last == "adjustments":
            return counter.post_adjustment(body)
        if last == "receipts":
            return counter.post_receipt(body)
        status, reply = counter.post_order(body)
        if status == 201 and self.headers.get("Prefer"):
            return 201, dict(counter.get_order(reply["id"])[1])
        return status, reply


class _Server(ThreadingHTTPServer):
    # A client that hangs up leaves its thread behind, and closing must not wait for it.
    daemon_threads = True
    block_on_close = False
    counter: Counter


@contextmanager
def open_counter(counter: Counter) -> Iterator[str]:
    """Serve counter on a free port for the length of the block; yields its URL."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.counter = counter
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
