"""Where one request ends and the next begins: a real process is never talked into another opinion.

Each case is followed by an honest request on the same connection. Either the first is answered as
it should be and the honest one as itself, or the first is refused and the connection closed.
"""

import httpx2
import pytest

from tests.security.conftest import KEY
from tests.security.raw import statuses, talk
from tests.system.orderly import Orderly

NEXT = (
    b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: the-next-one\r\n"
    b"Connection: close\r\n\r\n"
)
HIDDEN = (
    b"PUT /v1/products/HIDDEN HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
    + KEY.encode()
    + b"\r\n"
    b"Content-Type: application/json\r\nContent-Length: 72\r\n\r\n"
    b'{"title":"Smuggled in","unit_price":{"amount":"1.00","currency":"GBP"}} '
)
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
POST = (
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
    b"Content-Type: application/json\r\n"
)


def sized(head: bytes, body: bytes) -> bytes:
    """Return a request with a length that is right."""
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def chunked(value: bytes, body: bytes = b"2\r\n{}\r\n0\r\n\r\n", name: bytes = b"") -> bytes:
    """Return a request whose Transfer-Encoding is this."""
    return POST + (name or b"Transfer-Encoding") + b": " + value + b"\r\n\r\n" + body


# Its body is read to the end, and the next request is answered after it.
READ = {
    "a length": (sized(POST, b"{}"), 422),
    "chunks": (chunked(b"chunked"), 422),
    "a chunk with an extension": (chunked(b"chunked", b"2;a=b\r\n{}\r\n0\r\n\r\n"), 422),
    "a trailer that would be a key": (
        chunked(b"chunked", b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n"),
        422,
    ),
    "a GET with a request in its body": (sized(GET, HIDDEN), 200),
    "a HEAD with a body": (sized(GET.replace(b"GET", b"HEAD"), HIDDEN), 200),
    "a body for nobody": (sized(POST.replace(b"orders", b"nothing"), HIDDEN), 404),
    "a body of another type": (sized(POST.replace(b"/json", b"/text"), HIDDEN), 415),
    "a body without a key": (sized(POST.replace(KEY.encode(), b"none"), b"{}"), 401),
    "an expectation of another kind": (sized(POST + b"Expect: a-reply\r\n", b"{}"), 422),
    "an offer of HTTP/2": (GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
    "an offer of WebSocket": (
        GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        200,
    ),
    "an offer beside a body that is a request": (
        sized(POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", HIDDEN),
        400,
    ),
    "an offer beside chunks that are a request": (
        chunked(
            b"chunked\r\nConnection: Upgrade\r\nUpgrade: x",
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
        ),
        400,
    ),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "OPTIONS of everything": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a method nobody has": (b"PURGE / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "a fragment": (b"GET /health/live#x HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "a name that is a path": (b"GET //x.example/health/live HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "bytes that are no text": (b"GET /%00%ff%ed%a0%80 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
}

# Nothing after it on its connection is believed.
REFUSED = {
    "a length and chunks": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunks and a length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a length twice": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 200\r\n\r\n{}", 400),
    "a list of lengths": (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a length below nothing": (POST + b"Content-Length: -2\r\n\r\n{}", 400),
    "a length with a sign": (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    "a length in hex": (POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
    "a length past all numbers": (POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}", 400),
    "a length past the limit": (POST + b"Content-Length: 99999999\r\n\r\n", 413),
    "the same, and leave to send it": (
        POST + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n",
        413,
    ),
    "a chunk that is no number": (chunked(b"chunked", b"zz\r\n{}\r\n0\r\n\r\n"), 400),
    "a chunk below nothing": (chunked(b"chunked", b"-2\r\n{}\r\n0\r\n\r\n"), 400),
    "a chunk past all numbers": (chunked(b"chunked", b"f" * 20 + b"\r\n{}\r\n0\r\n\r\n"), 400),
    "a chunk longer than it says": (chunked(b"chunked", b"1\r\n{}\r\n0\r\n\r\n"), 400),
    "chunks with bare line feeds": (chunked(b"chunked", b"2\n{}\n0\n\n"), 400),
    "a coding nobody knows": (chunked(b"xchunked"), 400),
    "chunks and then none": (chunked(b"chunked, identity"), 400),
    "two codings": (chunked(b"chunked\r\nTransfer-Encoding: identity"), 400),
    "a coding behind a tabulator of another kind": (chunked(b"\x0bchunked"), 400),
    "a blank before the colon": (chunked(b"chunked", name=b"Transfer-Encoding "), 400),
    "a coding on the next line": (chunked(b"\r\n chunked"), 400),
    "a value on two lines": (GET + b"X-A: b\r\n c\r\n\r\n", 400),
    "a blank in a name": (GET + b"X A: b\r\n\r\n", 400),
    "no name": (GET + b": b\r\n\r\n", 400),
    "NUL in a value": (GET + b"X-A: b\0c\r\n\r\n", 400),
    "a bare return in a value": (GET + b"X-A: b\rc: d\r\n\r\n", 400),
    "bare line feeds": (b"GET /health/live HTTP/1.1\nHost: x\n\n", 400),
    "NUL in the path": (b"GET /health/\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no path": (b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a path without a beginning": (b"GET health/live HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a URL that is none": (b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a version to come": (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 400),
    "a tunnel": (b"CONNECT x.example:443 HTTP/1.1\r\nHost: x.example\r\n\r\n", 405),
    "a tunnel to a path": (b"CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "a long header": (GET + b"X-A: " + b"a" * 600_000 + b"\r\n\r\n", 431),
    "many headers": (GET + b"X-A: b\r\n" * 80_000 + b"\r\n", 431),
    "a long address": (b"GET /" + b"a" * 600_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    "no more than HTTP/1.0 asks for": (b"GET /health/live HTTP/1.0\r\n\r\n", 200),
    "HTTP/1.0 that would stay": (
        b"GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        200,
    ),
}


@pytest.fixture(autouse=True)
def no_blocking_calls() -> None:
    """Let tests block: the program runs in another process here."""


@pytest.mark.parametrize("case", READ)
def test_a_request_that_can_be_read_ends_where_it_says(server: Orderly, case: str) -> None:
    request, status = READ[case]
    head, separator, body = request.partition(b"\r\n\r\n")

    for packets in ([request + NEXT], [head + separator, body, NEXT]):
        answers = talk(server.url, *packets)

        assert statuses(answers) == [status, 200]
        assert answers[1].headers["x-correlation-id"] == "the-next-one"
        assert answers[0].headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_be_read_in_two_ways_ends_the_connection(server: Orderly, case: str) -> None:
    request, status = REFUSED[case]

    answers = talk(server.url, request + NEXT)

    assert statuses(answers) == [status]


def test_leave_to_send_a_body_is_given_once(server: Orderly) -> None:
    head = POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"

    answers = talk(server.url, head, b"{}" + NEXT)

    assert statuses(answers) == [100, 422, 200]


def test_a_body_that_ends_too_soon_is_nobodys_fault(server: Orderly) -> None:
    for rest in (b"zz\r\n", b"2\r\n{}\r\nzz"):
        assert statuses(talk(server.url, POST + b"Transfer-Encoding: chunked\r\n\r\n" + rest)) == [
            400
        ]


def test_an_address_with_a_host_of_its_own_is_no_way_round_ours(server: Orderly) -> None:
    answers = talk(
        server.url,
        b"GET http://x.example/v1/orders HTTP/1.1\r\nHost: x\r\n\r\n",
        NEXT,
    )

    assert statuses(answers) == [401, 200]
    assert answers[0].headers["content-type"] == "application/problem+json"


def test_what_a_proxy_says_of_somebody_is_not_believed(server: Orderly) -> None:
    forwarded = b"".join(
        b"%b: %b\r\n" % one
        for one in (
            (b"X-Forwarded-For", b"127.0.0.1"),
            (b"X-Forwarded-Host", b"evil.example"),
            (b"X-Forwarded-Proto", b"https"),
            (b"X-Forwarded-Prefix", b"//evil.example"),
            (b"Forwarded", b"for=127.0.0.1;host=evil.example;proto=https"),
            (b"X-Original-URL", b"/health/live"),
            (b"X-Rewrite-URL", b"/health/live"),
            (b"X-HTTP-Method-Override", b"GET"),
        )
    )
    for path in (b"/", b"/console", b"/console/orders?x=1", b"/v1/orders", b"/docs/assets"):
        plain, told = (
            talk(
                server.url,
                b"GET %b HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\n\r\n" % (path, more),
            )
            for more in (b"", forwarded)
        )

        assert statuses(told) == statuses(plain)
        assert told[0].headers.get("location") == plain[0].headers.get("location")
        assert b"evil.example" not in told[0].body
        assert "evil" not in str(told[0].headers)


@pytest.mark.parametrize(
    "path",
    [
        *("docs/assets/../../../app/settings.py", "docs/assets/..%2f..%2f..%2fpyproject.toml"),
        *(
            "docs/assets/%2e%2e/%2e%2e/METADATA",
            "docs/assets//etc/passwd",
            "docs/assets/%2fetc%2fpasswd",
        ),
        *(
            "docs/assets/..%5c..%5cwin.ini",
            "docs/assets/%00",
            "docs/assets/" + "a" * 5000,
            "docs/assets/",
        ),
        *("docs/../../../etc/passwd", "docs/page.css/../../auth.py", "docs/%252e%252e/auth.py"),
        *("console/static/1/../../render.py", "console/static/1/..%2frender.py"),
        *("console/static/..%2f..%2f/render.py", "console/static/1/%2e%2e%2f%2e%2e%2fsettings.py"),
        *(
            "problems/..%2f..%2fsettings.py",
            "problems/../../../../etc/passwd",
            "asyncapi/../../main.py",
        ),
        *("%2e%2e/%2e%2e/etc/passwd", "..%c0%af..%c0%afetc/passwd", "var/orderly.db", ".env"),
    ],
)
def test_no_path_leads_out_of_what_is_served(server: Orderly, path: str) -> None:
    [answer, _] = talk(server.url, f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), NEXT)

    assert answer.status == 404
    assert not any(
        word in answer.body for word in (b"root:", b"import ", b"[project]", b"Metadata")
    )


def test_nothing_was_smuggled_in_and_nothing_failed(server: Orderly) -> None:
    """Runs last: what all of them left behind."""
    headers = {"authorization": f"Bearer {KEY}"}
    log = server.log()

    assert httpx2.get(f"{server.url}/v1/products", headers=headers).json()["items"] == []
    assert '"level":"error"' not in log
    assert "Traceback" not in log
    metrics = httpx2.get(f"{server.url}/metrics", headers=headers).text
    assert not [line for line in metrics.splitlines() if 'status="5' in line]
