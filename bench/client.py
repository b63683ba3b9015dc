"""A load client that costs little: one thread, raw sockets, keep-alive, epoll.

`python -m bench.client URL` keeps so many requests under way, one per connection, and prints one
line of JSON. It is a process of its own, so that its CPU is counted apart; it speaks just enough
HTTP/1.1 for servers that answer with Content-Length.
"""

import argparse
import itertools
import json
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.orders import SKUS, bodies

_LENGTH = b"content-length:"


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    received: bytes = b""
    sent_at: float = 0.0


@dataclass
class Load:
    """What came back: answers by status, and how long each took, in milliseconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    times_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def quantile(self, share: float) -> float:
        """Return the time that this share of the answers did not exceed."""
        times = sorted(self.times_ms)
        return times[min(len(times) - 1, int(len(times) * share))]


def requests(url: str, *, keyed: bool, skus: int = SKUS, lines: int = 2) -> Iterator[bytes]:
    """Yield POSTs of orders without end, each with a new Idempotency-Key when keyed."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    posts = [b"%d\r\n\r\n%b" % (len(body), body) for body in bodies(2000, skus, lines)]
    start = time.time_ns()
    for number, post in enumerate(itertools.cycle(posts)):
        if keyed:
            key = b"\r\nIdempotency-Key: bench-%d-%d\r\n\r\n" % (start, number)
            yield head + post.replace(b"\r\n\r\n", key, 1)
        else:
            yield head + post


def run(url: str, posts: Iterator[bytes], *, connections: int, seconds: float) -> Load:
    """Keep connections busy for so many seconds, then take the answers that are still out."""
    parts = urlsplit(url)
    load, poll = Load(), select.epoll()
    open_: dict[int, _Connection] = {}
    for _ in range(connections):
        made = socket.create_connection((parts.hostname or "", parts.port or 80))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_[made.fileno()] = _Connection(made)
        poll.register(made.fileno(), select.EPOLLIN)
    began = time.perf_counter()
    until = began + seconds
    for connection in open_.values():
        _send(connection, next(posts))
    waiting = len(open_)
    while waiting:
        for number, _ in poll.poll(30):
            connection = open_[number]
            status = _receive(connection)
            if status is None:
                continue
            now = time.perf_counter()
            load.statuses[status] += 1
            load.times_ms.append((now - connection.sent_at) * 1000)
            if now < until:
                _send(connection, next(posts))
            else:
                waiting -= 1
    load.seconds = time.perf_counter() - began
    for connection in open_.values():
        connection.socket.close()
    return load


def _send(connection: _Connection, request: bytes) -> None:
    connection.sent_at = time.perf_counter()
    connection.socket.sendall(request)


def _receive(connection: _Connection) -> int | None:
    """Take what came, and return the status once the whole answer is there."""
    data = connection.socket.recv(65536)
    if not data:
        raise ConnectionError("the server closed a connection")
    data = connection.received + data
    end = data.find(b"\r\n\r\n")
    if end >= 0:
        head = data[:end].lower()
        at = head.find(_LENGTH) + len(_LENGTH)
        length = int(head[at:].partition(b"\r")[0])
        if len(data) >= end + 4 + length:
            connection.received = b""
            return int(data[9:12])
    connection.received = data
    return None


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--keyed", action="store_true")
    parser.add_argument("--skus", type=int, default=SKUS)
    parser.add_argument("--lines", type=int, default=2)
    asked = parser.parse_args()
    posts = requests(asked.url, keyed=asked.keyed, skus=asked.skus, lines=asked.lines)
    next(posts)
    load = run(asked.url, posts, connections=asked.connections, seconds=asked.seconds)
    times = time.process_time()
    print(
        json.dumps(
            {
                "statuses": load.statuses,
                "seconds": load.seconds,
                "p50_ms": load.quantile(0.5),
                "p99_ms": load.quantile(0.99),
                "cpu_s": times,
            }
        )
    )


if __name__ == "__main__":
    main()
