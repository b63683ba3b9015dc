"""Rate limits: a minute's requests for each key, and headers that say how many are left."""

import httpx2
import pytest

from app.web import rate
from app.web.principal import Principal
from app.web.rate import Buckets, RateLimitedError
from tests.web.conftest import connected
from tests.web.sample import Process, problem_of, settings

ANNA = Principal(name="key_anna", scopes=frozenset())
BERT = Principal(name="key_bert", scopes=frozenset(), rate_limit=2)


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(rate, "monotonic", moved)
    return moved


def refused(buckets: Buckets, who: Principal) -> int:
    """Return the Retry-After of a request that is one too many."""
    with pytest.raises(RateLimitedError) as caught:
        buckets.spend(who)
    return int(caught.value.headers["Retry-After"])


def test_a_minutes_requests_may_come_at_once_and_then_one_by_one(clock: Clock) -> None:
    buckets = Buckets(per_minute=6)

    told = [buckets.spend(ANNA) for _ in range(6)]

    assert [one["RateLimit"] for one in told] == [
        f'"default";r={left};t=10' for left in (5, 4, 3, 2, 1, 0)
    ]
    assert {one["RateLimit-Policy"] for one in told} == {'"default";q=6;w=60'}
    assert refused(buckets, ANNA) == 10
    clock.at += 9.5
    assert refused(buckets, ANNA) == 1
    clock.at += 1
    assert buckets.spend(ANNA)["RateLimit"] == '"default";r=0;t=10'
    clock.at += 3600
    assert buckets.spend(ANNA)["RateLimit"] == '"default";r=5;t=10'


def test_whoever_waits_as_long_as_told_is_served(clock: Clock) -> None:
    for per_minute in (1, 7, 59, 61, 600, 100_000):
        buckets = Buckets(per_minute)
        for _ in range(per_minute):
            buckets.spend(ANNA)
        for _ in range(3):
            clock.at += refused(buckets, ANNA)
            buckets.spend(ANNA)
            while buckets._buckets[ANNA.name].left >= 1:
                buckets.spend(ANNA)


def test_each_has_a_bucket_of_its_own_and_a_keys_limit_wins(clock: Clock) -> None:
    buckets = Buckets(per_minute=1)

    buckets.spend(ANNA)

    assert refused(buckets, ANNA) == 60
    assert [buckets.spend(BERT)["RateLimit"] for _ in range(2)][-1] == '"default";r=0;t=30'
    assert refused(buckets, BERT) == 30
    assert clock.at == 1000


def test_without_any_limit_nothing_is_counted() -> None:
    buckets = Buckets(None)

    assert [buckets.spend(ANNA) for _ in range(1000)] == [{}] * 1000
    assert not buckets._buckets
    assert buckets.spend(BERT)


def test_no_number_of_keys_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_MOST", 10)
    buckets = Buckets(per_minute=1)

    for number in range(100):
        buckets.spend(Principal(name=f"key_{number}", scopes=frozenset()))

    assert len(buckets._buckets) == 10


async def test_over_http_the_limit_is_a_429_that_says_when(process: Process) -> None:
    process.settings = settings(rate_limit=2)
    async with connected(process) as client:
        first = await client.get("/v1/things")
        # A refusal for another reason is a request as well.
        second = await client.get("/v1/things?colour=red")
        third = await client.get("/v1/things")
        health = await client.get("/health/live")

    assert first.headers["ratelimit-policy"] == '"default";q=2;w=60'
    assert first.headers["ratelimit"].startswith('"default";r=1;t=')
    assert second.status_code == 422
    assert second.headers["ratelimit"].startswith('"default";r=0;t=')
    assert third.status_code == 429
    assert problem_of(third)["code"] == "rate_limited"
    assert problem_of(third)["retryable"] is True
    assert third.headers["ratelimit"].split(";")[1] == "r=0"
    assert third.headers.get_list("ratelimit") == [third.headers["ratelimit"]]
    assert third.headers["retry-after"] == third.headers["ratelimit"].rpartition("=")[2]
    assert health.status_code == 200
    assert "ratelimit" not in health.headers


async def test_without_a_limit_there_are_no_headers(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/things")

    assert response.status_code == 200
    assert "ratelimit" not in response.headers
    assert "ratelimit-policy" not in response.headers
