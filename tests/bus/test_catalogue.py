"""The catalogue of events: read from classes and subscribers, and from nothing else."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from app.bus.catalogue import by_context, catalogue, kinds, schema_of
from app.bus.event import Event, example
from app.bus.members import members
from app.bus.subscriber import Subscriber
from tests.bus.sample import Effects, Heard, Rang


class Part(BaseModel):
    """A part of a clock, and what it is made of."""

    name: str = Field(description="Its name.")
    teeth: int | None = Field(None, ge=4)
    parts: "list[Part]" = Field([], description="What is inside.")


class Mended(Event):
    """A clock goes again."""

    model_config = example(clock="c-1", parts=[{"name": "wheel"}], by="us")

    type: ClassVar[str] = "clocks.clock_mended.v2"
    subject_field: ClassVar[str] = "clock"
    upcasts: ClassVar[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
        "clocks.clock_mended.v1": lambda data: data
    }

    clock: str = Field(description="The clock.")
    parts: list[Part] = Field(min_length=1, description="What was put in.")
    by: Literal["us", "them"] = Field("us", description="Who did it.")


def ears(name: str, *heard: type[Event]) -> Subscriber:
    made = Subscriber(name)
    made.on(*heard)(Effects())
    return made


def test_every_class_of_event_is_known_once() -> None:
    found = list(kinds())

    assert {Rang, Heard, Mended} <= set(found)
    assert len(found) == len(set(found))


def test_a_type_has_its_subscribers_and_those_of_no_other() -> None:
    types = catalogue([Rang, Heard, Mended], [ears("b", Rang, Mended), ears("a", Rang)])

    heard = {type_: [one.subscriber for one in each.subscriptions] for type_, each in types.items()}
    assert heard == {Mended.type: ["b"], Rang.type: ["a", "b"], Heard.type: []}
    assert list(by_context(types)) == ["bells", "clocks", "ears"]


def test_a_type_tells_of_itself() -> None:
    mended = catalogue([Mended])[Mended.type]

    assert (mended.context, mended.title, mended.subject_field) == (
        "clocks",
        "Clock mended",
        "clock",
    )
    assert mended.description == "A clock goes again."
    assert mended.older_versions == ["clocks.clock_mended.v1"]
    assert mended.example is not None
    assert mended.example["data"]["parts"] == [{"name": "wheel", "teeth": None, "parts": []}]
    assert mended.example["subject"] == "c-1"
    assert catalogue([Heard])[Heard.type].example is None


def test_fields_are_told_in_words_and_a_model_inside_itself_once() -> None:
    told = [
        (one.name, one.type, one.is_required, one.meaning) for one in members(schema_of(Mended))
    ]

    assert told == [
        ("clock", "string", True, "The clock."),
        ("parts", "list of Part, 1 or more", True, "What was put in."),
        ("parts[].name", "string", True, "Its name."),
        ("parts[].teeth", "integer ≥ 4 or null", False, ""),
        ("parts[].parts", "list of Part", False, "What is inside."),
        ("by", '"us" or "them"', False, "Who did it."),
    ]


def test_the_schema_is_of_the_data_alone() -> None:
    schema = schema_of(Mended)

    assert schema["properties"].keys() == {"clock", "parts", "by"}
    assert schema["required"] == ["clock", "parts"]
    assert schema["x-subject"] == "clock"
    assert schema_of(Mended) is schema
