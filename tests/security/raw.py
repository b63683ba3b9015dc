"""A client that sends what no client library would, byte by byte, and reads what comes back."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_LONGEST_S = 5.0
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a connection."""

    status: int
    headers: dict[str, str]
    body: bytes


def talk(url: str, *packets: bytes) -> list[Answer]:
    """Send packets on one connection, and return the answers once the server has closed it.

    The last request should ask for that. Fails the test when the server keeps the connection open,
    or when what it sent is more or less than whole answers.
    """
    where = urlsplit(url)
    assert where.hostname is not None
    with socket.create_connection((where.hostname, where.port or 80), _LONGEST_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        got = b""
        try:
            for packet in packets:
                connection.sendall(packet)
            while part := connection.recv(65_536):
                got += part
        except (BrokenPipeError, ConnectionResetError):
            # Closed while more was on its way: what was answered before still counts.
            pass
        except TimeoutError:
            raise AssertionError(f"neither answered nor closed after {got!r}") from None
    return list(_answers(got))


def statuses(answers: Sequence[Answer]) -> list[int]:
    """Return what was answered, in turn."""
    return [one.status for one in answers]


def _answers(text: bytes) -> "list[Answer]":
    found: list[Answer] = []
    while text:
        head = _HEAD.match(text)
        assert head is not None, f"no answer begins here: {text[:80]!r}"
        lines = head[2].decode("latin-1").split("\r\n")[:-1]
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        text = text[head.end() :]
        # The answer to a HEAD has a length and no body.
        length = 0 if text.startswith(b"HTTP/1.1 ") else int(headers.get("content-length", "0"))
        assert len(text) >= length, "cut short"
        found.append(Answer(int(head[1]), headers, text[:length]))
        text = text[length:]
    return found
