"""Events and their envelope."""

import json
from datetime import UTC

import pytest

from app.bus.event import Context, Envelope, Event, child_traceparent, current_context
from tests.bus.sample import Heard, Rang

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_two_events_never_share_an_id_or_a_clock_reading_made_at_import() -> None:
    first, second = Rang(bell="a"), Rang(bell="a")

    assert first.id != second.id
    assert first.time <= second.time
    assert first.time.tzinfo is UTC


def test_later_ids_sort_after_earlier_ones() -> None:
    ids = [Rang(bell="a").id for _ in range(1000)]

    assert sorted(ids) == ids


@pytest.mark.parametrize(
    "wire_type", ["BellRang", "bells.rang", "bells.rang.v0", "bells.rang.v1.x"]
)
def test_a_type_that_is_not_context_fact_version_is_refused(wire_type: str) -> None:
    with pytest.raises(TypeError, match="must look like"):
        type("Bad", (Event,), {"type": wire_type, "subject_field": "id", "__annotations__": {}})


def test_a_subject_that_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match="subject_field"):
        type("Bad", (Event,), {"type": "a.b.v1", "subject_field": "nothing"})


def test_an_envelope_is_a_cloudevent_and_gives_back_the_event_it_was_given() -> None:
    event = Rang(bell="big-ben", volume=11)

    wire = Envelope.seal(event).to_json()
    opened = Envelope.model_validate_json(wire).open(Rang)

    attributes = json.loads(wire)
    assert opened == event
    assert opened.model_dump() == event.model_dump()
    assert attributes["specversion"] == "1.0"
    assert attributes["type"] == "bells.bell_rang.v1"
    assert attributes["source"] == "/bells"
    assert attributes["subject"] == attributes["partitionkey"] == "big-ben"
    assert attributes["data"] == {"bell": "big-ben", "volume": 11}
    assert "causationid" not in attributes


def test_attributes_of_a_newer_publisher_are_ignored() -> None:
    wire = json.loads(Envelope.seal(Rang(bell="a")).to_json())
    wire |= {"tenantid": "t-1"}
    wire["data"] |= {"pitch": "high"}

    opened = Envelope.model_validate(wire).open(Rang)

    assert opened.bell == "a"


def test_an_event_belongs_to_the_work_it_was_published_in() -> None:
    work = Context(correlation_id="req-1", traceparent=TRACE)
    token = current_context.set(work)

    envelope = Envelope.seal(Rang(bell="a"))
    current_context.reset(token)

    assert envelope.correlationid == "req-1"
    assert envelope.traceparent == TRACE
    assert envelope.causationid is None


def test_a_consequence_keeps_the_correlation_and_names_its_cause() -> None:
    token = current_context.set(Context(correlation_id="req-1", traceparent=TRACE))
    sent = Envelope.seal(Rang(bell="a"))
    current_context.reset(token)
    cause = sent.open(Rang)

    effect = Envelope.seal(Heard(bell="a").caused_by(cause))

    assert effect.correlationid == "req-1"
    assert effect.causationid == cause.id
    assert effect.traceparent is not None
    assert effect.traceparent.split("-")[1] == TRACE.split("-")[1]
    assert effect.traceparent != TRACE


def test_log_fields_name_the_event_its_subject_and_its_chain() -> None:
    cause = Rang(bell="a")
    effect = Heard(bell="a").caused_by(cause)

    assert effect.log_fields["bell"] == "a"
    assert effect.log_fields["event_id"] == str(effect.id)
    assert effect.log_fields["correlation_id"] == str(cause.id)
    assert len(effect.log_fields["trace_id"]) == 32


@pytest.mark.parametrize(
    "parent", [None, "", "00-zz-11-01", "00-" + "0" * 32 + "-b7ad6b7169203331-01", TRACE + "-x"]
)
def test_a_malformed_traceparent_starts_a_new_trace(parent: str | None) -> None:
    child = child_traceparent(parent)

    version, trace_id, span_id, flags = child.split("-")
    assert (version, len(trace_id), len(span_id), flags) == ("00", 32, 16, "01")
    assert trace_id not in (parent or "-")
