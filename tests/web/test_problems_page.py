"""Every code has a page, and every page a class: they come from the classes themselves."""

import re
from http import HTTPStatus

import httpx2
import pytest

from app import main
from app.errors import AppError
from app.web.problems_page import refusals, registry
from tests.web.sample import problem_of

OURS = [kind for kind in refusals() if kind.__module__.startswith("app.")]
PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_the_modules_refusals_are_among_them() -> None:
    assert main.ROUTERS  # imported for the classes its modules declare
    codes = {kind.code for kind in OURS}

    assert {"not_found", "order_state_conflict", "count_conflict", "overloaded"} <= codes
    assert len(OURS) > 50


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_a_refusal_says_what_it_means_and_is_at_one_with_others_of_its_code(
    kind: type[AppError],
) -> None:
    page = registry()[kind.code]

    assert (kind.status, kind.title, kind.retryable) == (page.status, page.title, page.retryable)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.code)
    assert 400 <= kind.status < 600
    assert kind.__doc__
    if kind is not AppError:
        assert kind.__doc__ != AppError.__doc__
        assert kind.remedy.endswith("."), f"{kind.__name__} does not say what to do"


def test_what_may_be_sent_again_unchanged_is_marked() -> None:
    again = {code for code, kind in registry().items() if kind.retryable}

    assert again >= {"overloaded", "unavailable", "rate_limited", "idempotency_in_flight"}
    for code, kind in registry().items():
        if kind.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
            assert code in again


async def test_the_list_and_the_pages_are_html_for_browsers(client: httpx2.AsyncClient) -> None:
    index = await client.get("/problems", headers=PAGE)
    page = await client.get("/problems/malformed_json", headers=PAGE)

    assert index.headers["content-type"] == page.headers["content-type"]
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    linked = set(re.findall(r'href="problems/(\w+)"', index.text))
    assert linked == set(registry())
    assert "RFC 8259" in page.text
    for each in (index, page):
        assert not re.search(r"<script|\ssrc=|https?://", each.text)
        assert "default-src 'none'" in each.headers["content-security-policy"]
        assert each.headers["vary"] == "Accept"


async def test_they_are_json_for_everybody_else(client: httpx2.AsyncClient) -> None:
    items = (await client.get("/problems")).json()["items"]
    page = (await client.get("/problems/rate_limited")).json()

    assert [item["code"] for item in items] == sorted(registry())
    assert page in items
    assert page["type"] == "/problems/rate_limited"
    assert page["status"] == 429
    assert page["retryable"] is True
    assert page["remedy"]


async def test_the_type_of_a_problem_leads_to_its_page(client: httpx2.AsyncClient) -> None:
    refused = problem_of(await client.get("/v1/things?colour=red"))

    page = (await client.get(refused["type"])).json()

    assert {name: refused[name] for name in ("code", "title", "status", "retryable")} == {
        name: page[name] for name in ("code", "title", "status", "retryable")
    }


async def test_an_unknown_code_is_a_404(client: httpx2.AsyncClient) -> None:
    response = await client.get("/problems/%3Cscript%3E", headers=PAGE)

    assert response.status_code == 404
    assert problem_of(response)["code"] == "not_found"
