"""Events do not break their readers, old or new; and what tells of them is current."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from app.bus.catalogue import EventType, catalogue
from app.bus.event import Envelope, Event
from tests.contracts.breaking import breaks_readers
from tests.contracts.events import PAGE, contract, kept, page, types, unread, written

HOW = "`python -m tests.contracts.events` writes the files anew."
Change = Callable[[dict[str, Any]], object]
Upcast = Callable[[dict[str, Any]], dict[str, Any]]

TYPES = types()
KEPT = kept()


@pytest.mark.parametrize("type_", sorted(KEPT.keys() & TYPES.keys()))
def test_nothing_breaks_readers_of_a_contract(type_: str) -> None:
    now = contract(TYPES[type_])
    found = breaks_readers(KEPT[type_], now)

    assert not found, "\n".join(["Make it a new version, with an upcast. It breaks:", *found])
    assert written(now) == written(KEPT[type_]), f"The contract has grown. {HOW}"


def test_what_was_ever_written_can_be_read() -> None:
    assert unread(KEPT, TYPES) == []


def test_a_version_that_nobody_reads_any_more_is_named() -> None:
    class Wound(Event):
        type: ClassVar[str] = "clocks.clock_wound.v2"
        subject_field: ClassVar[str] = "clock"
        upcasts: ClassVar[Mapping[str, Upcast]] = {"clocks.clock_wound.v1": lambda data: data}

        clock: str

    known = catalogue([Wound])

    assert unread(["clocks.clock_wound.v1", "clocks.clock_wound.v2"], known) == []
    assert unread(["clocks.clock_wound.v1"], {}) == ["clocks.clock_wound.v1"]


def test_every_event_has_a_contract() -> None:
    assert TYPES.keys() <= KEPT.keys(), HOW
    assert len(TYPES) > 15


ORDER = "orders.order_created.v1"
ISSUED = "inventory.stock_issued.v1"
RELEASED = "inventory.stock_released.v1"
REJECTED = "inventory.stock_rejected.v1"
RESERVED = "orders.order_reserved.v1"


def data(of: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = of["properties"][name]
    return found


def line(of: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = of["$defs"]["OrderedLine"]
    return found


BREAKING: list[tuple[str, Change, str]] = [
    (ORDER, lambda of: of["properties"].pop("lines"), "data.lines removed"),
    (ORDER, lambda of: line(of)["properties"].pop("sku"), "data.lines[].sku removed"),
    (ORDER, lambda of: of["required"].append("confirm"), "data.confirm became required"),
    (
        ORDER,
        lambda of: (
            of["properties"].update(channel={"type": "string"}),
            of["required"].append("channel"),
        ),
        "data.channel became required",
    ),
    (ORDER, lambda of: of["required"].remove("lines"), "data.lines may be missing"),
    (
        ORDER,
        lambda of: data(of, "order_id").update(type="integer"),
        "data.order_id: string not taken any more",
    ),
    (
        ORDER,
        lambda of: of["properties"].update(
            order_id={"anyOf": [{"type": "string"}, {"type": "null"}]}
        ),
        "data.order_id: null is new",
    ),
    (
        ORDER,
        lambda of: line(of)["properties"]["quantity"].update(exclusiveMinimum=1),
        "data.lines[].quantity: exclusiveMinimum is 1",
    ),
    (
        ORDER,
        lambda of: line(of)["properties"]["quantity"].pop("exclusiveMinimum"),
        "older readers: data.lines[].quantity: exclusiveMinimum is 0",
    ),
    (ISSUED, lambda of: data(of, "lines").update(minItems=2), "data.lines: minItems is 2"),
    (
        REJECTED,
        lambda of: data(of, "shortages").pop("minItems"),
        "older readers: data.shortages: minItems is 1",
    ),
    (
        RELEASED,
        lambda of: data(of, "reason").update(enum=["cancelled"]),
        "data.reason: 'expired' not taken",
    ),
    (
        RELEASED,
        lambda of: data(of, "reason")["enum"].append("void"),
        "older readers: data.reason: 'void' not taken",
    ),
    (RESERVED, lambda of: data(of, "expires_at").pop("format"), "expires_at: format is None"),
    (ORDER, lambda of: of.update({"x-subject": "lines"}), "subject is lines"),
]


@pytest.mark.parametrize(
    ("type_", "change", "told"), BREAKING, ids=[told for _, _, told in BREAKING]
)
def test_a_change_that_breaks_readers_is_named(type_: str, change: Change, told: str) -> None:
    old = contract(TYPES[type_])
    new = copy.deepcopy(old)
    change(new)

    assert told in "\n".join(breaks_readers(old, new))


ADDING: list[Change] = [
    lambda of: of["properties"].update(channel={"type": "string", "default": "web"}),
    lambda of: line(of)["properties"].update(note={"anyOf": [{"type": "string"}]}),
    lambda of: of["$defs"].update(Note={"type": "object"}),
    lambda _: None,
]


@pytest.mark.parametrize("change", ADDING, ids=range(len(ADDING)))
def test_what_may_be_missing_may_be_added(change: Change) -> None:
    old = contract(TYPES[ORDER])
    new = copy.deepcopy(old)
    change(new)

    assert breaks_readers(old, new) == []


@pytest.mark.parametrize("one", TYPES.values(), ids=TYPES)
def test_an_example_is_whole_and_fits(one: EventType) -> None:
    (given,) = one.schema["examples"]
    example = one.example
    assert example is not None

    opened = Envelope.model_validate(example).open(one.kind)

    # Nothing of it was left out, and nothing is missing.
    assert example["data"] == given
    assert given.keys() == one.schema["properties"].keys()
    assert opened.subject == example["subject"] == given[one.subject_field]
    assert example["type"] == one.type


@pytest.mark.parametrize("one", TYPES.values(), ids=TYPES)
def test_everything_about_an_event_has_a_meaning(one: EventType) -> None:
    assert one.description.endswith(".")
    assert [member.name for member in one.members if not member.meaning] == []
    for each in one.subscriptions:
        assert each.does.endswith(".")


def test_the_page_for_people_is_current() -> None:
    assert PAGE.read_text() == page(TYPES), HOW
