"""What inventory shows as examples is what it takes and gives."""

import inspect

import pytest
from pydantic import BaseModel

from app.modules.inventory.schemas import papers, places, stock

MODELS = [
    kind
    for room in (papers, places, stock)
    for kind in vars(room).values()
    if inspect.isclass(kind) and issubclass(kind, BaseModel) and kind.__module__ == room.__name__
]
SHOWN = [kind for kind in MODELS if kind.model_config.get("json_schema_extra")]


@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: kind.__name__)
def test_every_example_is_what_the_model_takes_and_gives(kind: type[BaseModel]) -> None:
    [example] = kind.model_json_schema()["examples"]

    model = kind.model_validate(example)

    # A view shows every member; what is sent may leave out what has a default.
    required = {name for name, field in kind.model_fields.items() if field.is_required()}
    assert required <= example.keys()
    assert model.model_dump(mode="json", exclude_unset=True) == example


def test_everything_that_is_sent_or_answered_has_an_example() -> None:
    parts = {"NewReceiptLine", "NewDelta", "NewCounted", "ReceiptLineView", "AdjustmentLineView"}
    parts |= {"ReservedLineView", "CountersView", "DriftView"}

    assert {kind.__name__ for kind in MODELS} - {kind.__name__ for kind in SHOWN} == parts
