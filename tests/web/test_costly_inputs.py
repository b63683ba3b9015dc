"""Inputs that are small to send and would be dear to read: whoever sends them waits, alone."""

import time

import pytest
from fastapi import Request
from pydantic import ValidationError

from app.modules.orders.models.money import exponent
from app.modules.orders.schemas.products import Money
from app.web.waiting import Preference, preference
from tests.web.conftest import connected
from tests.web.sample import Process, problem_of, settings

JSON = {"content-type": "application/json"}
AT_ONCE_S = 3.0
"""Each took minutes or hours."""


async def test_a_hundred_thousand_names_are_looked_through_once(process: Process) -> None:
    names = ",".join(f'"{number:x}":0' for number in range(70_000))
    began = time.perf_counter()

    # A body is read before the key is looked at: this is what a stranger could do.
    process.settings = settings(api_key="k" * 20)
    async with connected(process) as stranger:
        response = await stranger.post(
            "/v1/things", content=f'{{{names},"last":0,"last":0}}', headers=JSON
        )

    assert (response.status_code, problem_of(response)["code"]) == (400, "malformed_json")
    assert "'last' is named twice" in problem_of(response)["detail"]
    assert time.perf_counter() - began < AT_ONCE_S


@pytest.mark.parametrize("prefer", [f'a={" " * 20_000}""x', f'{"a= " * 6_000}"" x'])
def test_a_preference_of_blanks_is_passed_over(prefer: str) -> None:
    began = time.perf_counter()

    found = preference(Request({"type": "http", "headers": [(b"prefer", prefer.encode())]}))

    assert found == Preference()
    assert time.perf_counter() - began < AT_ONCE_S


def test_currencies_that_are_none_are_not_remembered_for_ever() -> None:
    for number in range(1000):
        with pytest.raises(ValidationError):
            Money(amount="1", currency=f"{number:03}")

    assert exponent.cache_info().currsize < 1000
    assert exponent("GBP") == 2
