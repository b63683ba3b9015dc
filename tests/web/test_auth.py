"""Who is served: holders of the key, or, without one, this machine alone."""

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from app.web.auth import Gate
from tests.web.conftest import connected
from tests.web.sample import Process, problem_of, settings

KEY = "a-key-of-enough-letters"
THING = {"sku": "MUG", "quantity": 1}


@pytest.fixture
def keyed(process: Process) -> httpx2.AsyncClient:
    """Connect to a server that was given KEY."""
    process.settings = settings(api_key=KEY)
    return connected(process)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def test_the_key_opens_the_api(keyed: httpx2.AsyncClient) -> None:
    response = await keyed.get("/v1/things/context", headers=bearer(KEY))

    assert response.status_code == 200
    assert response.json()["who"] == "key"


async def test_the_scheme_is_written_in_any_case(keyed: httpx2.AsyncClient) -> None:
    response = await keyed.get("/v1/things", headers={"authorization": f"bearer  {KEY}"})

    assert response.status_code == 200


async def test_without_the_key_the_reply_says_how_to_send_it(keyed: httpx2.AsyncClient) -> None:
    response = await keyed.get("/v1/things")

    assert response.status_code == 401
    assert problem_of(response)["code"] == "unauthenticated"
    assert response.headers["www-authenticate"] == 'Bearer realm="orderly"'


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer wrong",
        b"Basic " + KEY.encode(),
        KEY.encode(),
        b"Bearer \xff\xfe",
        b"Bearer " + KEY.encode() + b"x",
        b"Bearer " + KEY.encode()[:-1],
    ],
)
async def test_another_key_is_refused(keyed: httpx2.AsyncClient, value: bytes) -> None:
    response = await keyed.get("/v1/things", headers=[(b"authorization", value)])

    assert response.status_code == 401
    assert "invalid_token" in response.headers["www-authenticate"]
    assert KEY not in response.text


async def test_two_keys_are_none(keyed: httpx2.AsyncClient) -> None:
    two = [*bearer(KEY).items(), *bearer(KEY).items()]

    assert (await keyed.get("/v1/things", headers=two)).status_code == 401


async def test_a_stranger_changes_nothing(keyed: httpx2.AsyncClient) -> None:
    refused = await keyed.post("/v1/things", json=THING)
    listed = await keyed.get("/v1/things", headers=bearer(KEY))

    assert refused.status_code == 401
    assert listed.json()["items"] == []


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/docs", "/openapi.json", "/"])
async def test_health_and_the_docs_need_no_key(keyed: httpx2.AsyncClient, path: str) -> None:
    assert (await keyed.get(path)).status_code in {200, 307}


async def test_with_a_key_any_host_name_is_served(keyed: httpx2.AsyncClient) -> None:
    response = await keyed.get("/v1/things", headers=bearer(KEY) | {"host": "shop.example"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "127.0.0.1",
        "127.8.8.8:80",
        "[::1]",
        "[::1]:8000",
    ],
)
async def test_without_a_key_this_machine_is_served(client: httpx2.AsyncClient, host: str) -> None:
    response = await client.get("/v1/things/context", headers={"host": host})

    assert response.status_code == 200
    assert response.json()["who"] == "open"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8000",
        "10.0.0.1",
        "192.168.0.1",
        "[::]",
        "[",
        "localhost@evil.example",
        "evil.example#localhost",
        "",
        "\xff",
    ],
)
@pytest.mark.parametrize("path", ["/v1/things", "/docs", "/openapi.json"])
async def test_without_a_key_no_other_host_is_served(
    client: httpx2.AsyncClient, host: str, path: str
) -> None:
    response = await client.get(path, headers=[(b"host", host.encode("latin-1"))])

    assert response.status_code == 421
    assert problem_of(response)["code"] == "host_not_allowed"
    assert "APP_API_KEY" in problem_of(response)["detail"]


async def test_of_two_hosts_both_must_be_local(client: httpx2.AsyncClient) -> None:
    two = [("host", "localhost"), ("host", "evil.example")]

    assert (await client.get("/v1/things", headers=two)).status_code == 421


async def test_health_answers_whatever_name_a_probe_uses(client: httpx2.AsyncClient) -> None:
    response = await client.get("/health/ready", headers={"host": "10.1.2.3:8000"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:9999"},
        {"origin": "http://localhost"},
        {"origin": "http://localhost:8000.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://localhost:8000", "sec-fetch-site": "cross-site"},
    ],
)
async def test_another_sites_page_changes_nothing(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post("/v1/things", json=THING, headers=headers)

    assert response.status_code == 403
    assert problem_of(response)["code"] == "foreign_origin"


async def test_another_sites_page_changes_nothing_even_with_the_key(
    keyed: httpx2.AsyncClient,
) -> None:
    headers = bearer(KEY) | {"origin": "http://evil.example"}

    assert (await keyed.post("/v1/things", json=THING, headers=headers)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"},
        {"origin": "http://LOCALHOST:8000"},
        {"origin": "https://localhost", "host": "localhost"},
        {"origin": "https://localhost", "host": "localhost:443"},
        {"origin": "http://127.0.0.1", "host": "127.0.0.1:80"},
    ],
)
async def test_our_own_page_and_programs_may_change_things(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await client.post("/v1/things", json=THING, headers=headers)).status_code == 201


async def test_reading_is_not_changing(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/things", headers={"origin": "http://evil.example"})

    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("server", "served"),
    [
        *[(("127.0.0.1", 80), True), (("::1", 80), True), (("/run/orderly.sock", None), True)],
        *[(("192.0.2.1", 80), False), (("::ffff:192.0.2.1", 80), False)],
    ],
)
async def test_open_mode_serves_this_machine_only_whoever_bound_the_socket(
    server: tuple[str, int | None], *, served: bool
) -> None:
    reached: list[bool] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        reached.append(True)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        del message

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/orders",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "server": server,
    }
    await Gate(inner, None)(scope, receive, send)

    assert bool(reached) is served
