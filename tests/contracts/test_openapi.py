"""The API does not break its clients; and what generates them can read its description."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contracts.breaking import breaks
from tests.contracts.openapi import FILE, contract, document, written

HOW = "`python -m tests.contracts.openapi` writes the file anew."


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    return document()


def operations(of: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in of["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_nothing_breaks_clients_of_the_contract(now: dict[str, Any]) -> None:
    kept = json.loads(FILE.read_text())

    found = breaks(kept, contract(now))

    assert not found, "\n".join(
        ["These break clients. Mend them, or, if it is meant, say so in the changes:", *found, HOW]
    )
    assert written(contract(now)) == FILE.read_text(), f"The contract has grown. {HOW}"


Change = Callable[[dict[str, Any]], object]


def order_of(of: dict[str, Any]) -> dict[str, Any]:
    post: dict[str, Any] = of["paths"]["/v1/orders"]["post"]
    return post


def schema(of: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = of["components"]["schemas"][name]
    return found


BREAKING: list[tuple[Change, str]] = [
    (lambda of: of["paths"].pop("/v1/orders/batch"), "POST /v1/orders/batch: removed"),
    (lambda of: of["paths"]["/v1/orders"].pop("get"), "GET /v1/orders: removed"),
    (lambda of: order_of(of).update(operationId="x"), "POST /v1/orders: operationId is x"),
    (lambda of: order_of(of).update(security=[{"key": ["ops"]}]), "another scope"),
    (lambda of: order_of(of)["parameters"].pop(), "header parameter Prefer removed"),
    (
        lambda of: order_of(of)["parameters"][0].update(required=True),
        "Idempotency-Key became required",
    ),
    (
        lambda of: order_of(of)["parameters"].append(
            {"in": "query", "name": "x", "required": True, "schema": {}}
        ),
        "new required query parameter x",
    ),
    (lambda of: order_of(of)["responses"].pop("201"), "no answer 201 any more"),
    (lambda of: schema(of, "NewOrder")["properties"].pop("reference"), ".reference removed"),
    (
        lambda of: schema(of, "NewOrder")["required"].append("reference"),
        ".reference became required",
    ),
    (lambda of: schema(of, "NewOrder")["properties"]["lines"].update(maxItems=1), "maxItems is 1"),
    (lambda of: schema(of, "OrderView")["properties"].pop("lines"), ".lines removed"),
    (lambda of: schema(of, "OrderView")["required"].remove("lines"), ".lines may be missing"),
    (
        lambda of: schema(of, "OrderView")["properties"].update(version={"type": "string"}),
        "answer 201.version: string is new",
    ),
    (
        lambda of: schema(of, "NewOrder")["properties"].update(customer_id={"type": "integer"}),
        "body.customer_id: string not taken any more",
    ),
    (
        lambda of: schema(of, "Money")["properties"]["amount"].update(pattern="^x$"),
        "pattern is ^x$",
    ),
]


@pytest.mark.parametrize(("change", "told"), BREAKING, ids=[told for _, told in BREAKING])
def test_a_change_that_breaks_clients_is_named(
    now: dict[str, Any], change: Change, told: str
) -> None:
    old, new = contract(now), copy.deepcopy(contract(now))
    change(new)

    assert told in "\n".join(breaks(old, new))


ADDING: list[Change] = [
    lambda of: of["paths"].update({"/v1/new": of["paths"]["/v1/orders"]}),
    lambda of: schema(of, "NewOrder")["properties"].update(note={"type": "string"}),
    lambda of: schema(of, "OrderView")["properties"].update(note={"type": "string"}),
    lambda of: schema(of, "OrderView")["required"].append("reference"),
    lambda of: schema(of, "NewOrder")["required"].remove("customer_id"),
    lambda of: schema(of, "NewOrder")["properties"]["lines"].update(maxItems=10_000),
    lambda of: order_of(of)["parameters"].append(
        {"in": "query", "name": "x", "schema": {"type": "string"}}
    ),
    lambda of: order_of(of)["responses"].update({"202": {}}),
    lambda _: None,
]


@pytest.mark.parametrize("change", ADDING, ids=range(len(ADDING)))
def test_an_addition_breaks_nobody(now: dict[str, Any], change: Change) -> None:
    old, new = contract(now), copy.deepcopy(contract(now))
    change(new)

    assert breaks(old, new) == []


def test_it_is_openapi_to_the_letter(now: dict[str, Any]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")

    found = list(validator.OpenAPIV31SpecValidator(now).iter_errors())

    assert not found


def test_every_operation_has_a_name_of_its_own_for_generated_clients(now: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(now)]

    assert len(set(names)) == len(names) > 50
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_every_operation_says_what_it_does_and_where_it_belongs(now: dict[str, Any]) -> None:
    for where, operation in operations(now):
        assert operation["summary"], where
        assert operation["description"], where
        assert len(operation["tags"]) == 1, where


def test_every_body_has_an_example(now: dict[str, Any]) -> None:
    schemas = now["components"]["schemas"]
    for where, operation in operations(now):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            shown = content["schema"].get("anyOf", [content["schema"]])[0]
            assert schemas[shown["$ref"].rpartition("/")[2]]["examples"], where


def test_every_refusal_is_told_and_is_a_problem(now: dict[str, Any]) -> None:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for where, operation in operations(now):
        refusals = {
            status: answer
            for status, answer in operation["responses"].items()
            if status.startswith(("4", "5")) and not where.startswith("get /health/")
        }
        for status, answer in refusals.items():
            assert answer["content"] == {"application/problem+json": problem}, (where, status)
        if "security" in operation:
            assert {"401", "403", "422", "429", "500", "503"} <= refusals.keys(), where
        if "requestBody" in operation:
            assert {"400", "408", "413", "415"} <= refusals.keys(), where


def test_what_travels_is_bounded(now: dict[str, Any]) -> None:
    schemas = now["components"]["schemas"]

    assert schemas["Money"]["properties"]["amount"]["pattern"].startswith("^[0-9]")
    line = schemas["NewOrder"]["properties"]["lines"]["items"]["$ref"].rpartition("/")[2]
    sku = schemas[line]["properties"]["sku"]
    assert (sku["minLength"], sku["maxLength"]) == (1, 64)
    assert re.fullmatch(sku["pattern"], "T SHIRT é+?#")
    for unfit in ("a/b", " a", "a ", "a\nb", "a\x00", "\x85"):
        assert not re.fullmatch(sku["pattern"], unfit)
