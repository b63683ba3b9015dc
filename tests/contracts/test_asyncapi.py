"""The AsyncAPI document keeps to its specification, and to what the events are."""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from app import main
from app.bus.asyncapi import asyncapi
from app.bus.catalogue import catalogue
from app.bus.event import Event
from app.bus.subscriber import Subscriber
from tests.bus.sample import Effects
from tests.contracts.asyncapi import DOCUMENT, astray
from tests.contracts.events import types

jsonschema = pytest.importorskip("jsonschema")

TYPES = types()
INFO = {"title": "Orderly", "version": "0.1.0"}
ORDER = "orders.order_created.v1"

Document = dict[str, Any]


def described(
    of: Mapping[str, Any] = TYPES, subscribers: tuple[Subscriber, ...] = main.SUBSCRIBERS
) -> Document:
    return asyncapi(of, subscribers, info=INFO, address="events:{}".format)


def wrong(document: Document) -> list[str]:
    validator = jsonschema.Draft7Validator(DOCUMENT)
    return [error.message for error in validator.iter_errors(document)] or astray(document)


def test_it_is_asyncapi_to_the_letter() -> None:
    assert wrong(json.loads(json.dumps(described()))) == []


SPOILING: list[tuple[Callable[[Document], object], str]] = [
    (lambda of: of.update(asyncapi="2.6.0"), "'3.0.0' was expected"),
    (lambda of: of["info"].pop("version"), "'version' is a required property"),
    (lambda of: of["channels"]["orders"].update(publish={}), "'publish' does not match"),
    (lambda of: of["operations"]["orders.publish"].update(action="publish"), "'publish' is not"),
    (lambda of: of["operations"]["orders.publish"].pop("channel"), "'channel' is a required"),
    (
        lambda of: of["operations"]["orders.publish"]["messages"].append(
            {"$ref": f"#/components/messages/{ORDER}"}
        ),
        "is not of its channel",
    ),
    (lambda of: of["components"]["messages"].pop(ORDER), f"messages/{ORDER} leads nowhere"),
    (lambda of: of["components"]["schemas"].pop("CloudEvent"), "CloudEvent leads nowhere"),
    (lambda of: of["components"]["messages"].update({"a b": {}}), "'a b' does not match"),
    (
        lambda of: of["components"]["schemas"][f"{ORDER}.data"].update(type="text"),
        "'text' is not valid",
    ),
    (
        lambda of: of["components"]["correlationIds"]["chain"].update(location="data"),
        "'data' does not match",
    ),
    (lambda of: of["channels"]["orders"].update(address="events:inventory"), "one address"),
]


@pytest.mark.parametrize(("spoil", "told"), SPOILING, ids=[told for _, told in SPOILING])
def test_what_is_not_asyncapi_is_noticed(spoil: Callable[[Document], object], told: str) -> None:
    document = copy.deepcopy(described())
    spoil(document)

    assert told in "\n".join(wrong(document))


def test_every_event_is_sent_by_its_context_and_received_by_who_hears_it() -> None:
    document = described()

    sent, received = set(), set()
    for operation in document["operations"].values():
        found = {message["$ref"].rpartition("/")[2] for message in operation["messages"]}
        if operation["action"] == "send":
            sent |= found
        else:
            received |= {(operation["x-subscriber"], type_) for type_ in found}

    assert sent == TYPES.keys() == document["components"]["messages"].keys()
    assert received == {
        (subscriber.name, type_) for subscriber in main.SUBSCRIBERS for type_ in subscriber.handlers
    }


@pytest.mark.parametrize("type_", TYPES)
def test_an_example_fits_the_schema_of_its_message_and_no_other(type_: str) -> None:
    document = described()
    message = document["components"]["messages"][type_]
    (example,) = message["examples"]

    def fits(payload: object, of: str) -> bool:
        schema = {"$ref": f"#/components/schemas/{of}", "components": document["components"]}
        return bool(jsonschema.Draft7Validator(schema).is_valid(payload))

    assert message["payload"] == {"$ref": f"#/components/schemas/{type_}"}
    assert [one for one in TYPES if fits(example["payload"], one)] == [type_]
    for name in ("id", "source", "specversion", "data"):
        less = {key: value for key, value in example["payload"].items() if key != name}
        assert not fits(less, type_)


def test_older_versions_are_messages_of_the_same_stream() -> None:
    class Chimed(Event):
        """A clock told the hour."""

        type: ClassVar[str] = "clocks.clock_chimed.v2"
        subject_field: ClassVar[str] = "clock"
        upcasts: ClassVar[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
            "clocks.clock_chimed.v1": lambda data: data
        }

        clock: str

    keeper = Subscriber("keeper")
    keeper.on(Chimed)(Effects())
    document = described(catalogue([Chimed], [keeper]), (keeper,))

    assert wrong(document) == []
    both = {"clocks.clock_chimed.v1", "clocks.clock_chimed.v2"}
    assert document["channels"]["clocks"]["messages"].keys() == both
    assert document["operations"]["keeper.receive.clocks"]["x-handlers"].keys() == both
    (sent,) = document["operations"]["clocks.publish"]["messages"]
    assert sent["$ref"].endswith(".v2")
    old = document["components"]["messages"]["clocks.clock_chimed.v1"]
    assert "clocks.clock_chimed.v2" in old["description"]
    assert "examples" not in document["components"]["messages"]["clocks.clock_chimed.v2"]
