"""What comes before there is a request: a head, of bounded length and in bounded time."""

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.cli.joined import JoinedProtocol

MOST_BYTES = 65_536
"""How long a request's head may be; what came in the same packet is not counted against it."""

SECONDS = 10.0
"""How long a head may take to arrive, from the connection or from its first byte."""

_TOO_LARGE = b"431 Request Header Fields Too Large"
_TOO_SLOW = b"408 Request Timeout"
_NO_TUNNEL = b"405 Method Not Allowed"


class HeadProtocol(JoinedProtocol):
    """uvicorn's protocol, where a request's head is bounded in length and in time.

    And without other protocols: a request that offers an upgrade is served as if it did not. Left
    to itself the parser takes the body of such a request for the next request on the connection.
    """

    _in_head = True
    _head_bytes = 0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a client, which has some seconds to ask for something."""
        super().connection_made(transport)
        self._late = self.loop.call_later(SECONDS, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """End with it."""
        self._on_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read requests; refuse a head that goes on for too long."""
        self._unset_keepalive_if_required()
        if self._in_head:
            self._head_bytes += len(data)
        rest: bytes | None = data
        try:
            while rest is not None and not self.transport.is_closing():
                rest = self._fed(rest)
        except httptools.HttpParserError:
            msg = "Invalid HTTP request received."
            self.logger.warning(msg)
            self.send_400_response(msg)
        if self.transport.is_closing():
            return
        if not self._in_head:
            if self.cycle.response_complete:
                # Neither a request nor a part of one that is being answered: no reason to stay.
                self._keep_alive()
        elif self._head_bytes > MOST_BYTES:
            self._refuse(_TOO_LARGE)
        elif self._late is None:
            self._late = self.loop.call_later(SECONDS, self._too_late)

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Answer the request, unless its head is to be read again without its offer."""
        self._in_head, self._head_bytes = False, 0
        if self._late is not None:
            self._on_time()
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            # Trailers go where nobody looks: behind the body they are no headers any more.
            self.headers = []

    def on_message_complete(self) -> None:
        """Let the answer know that all of the request is there."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _fed(self, data: bytes) -> bytes | None:
        """Have data parsed; return what is to be parsed next where there was an offer to upgrade.

        Raises HttpParserError.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            method = self.parser.get_method()
            if method == b"CONNECT":
                self._refuse(_NO_TUNNEL)
                return None
            line = b"%b %b HTTP/%b\r\n" % (
                method,
                self.url,
                self.parser.get_http_version().encode(),
            )
            kept = (one for one in self.headers if one[0] != b"upgrade")
            head = b"".join(b"%b: %b\r\n" % one for one in kept)
            self.parser = httptools.HttpRequestParser(self)
            return b"%b%b\r\n%b" % (line, head, data[offer.args[0] :])
        return None

    def _too_late(self) -> None:
        self._late = None
        under_way: RequestResponseCycle | None = self.cycle
        if under_way is not None and not under_way.response_complete:
            # What is on its way is another request's answer: that one first.
            self._late = self.loop.call_later(SECONDS, self._too_late)
        elif under_way is None and not self._head_bytes:
            # Nobody asked for anything, so there is nothing to answer.
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(_TOO_SLOW)

    def _keep_alive(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _on_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _refuse(self, status: bytes) -> None:
        """Answer in place of the application, and close."""
        self._on_time()
        head = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status
        self.transport.write(head)
        self.transport.close()
