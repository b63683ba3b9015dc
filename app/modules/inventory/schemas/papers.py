"""Receipts, adjustments and counts over REST."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from app.modules.inventory.models.drafts import (
    AdjustmentDraft,
    Corrected,
    CountDraft,
    CountLine,
    DeltaLine,
    ReceiptDraft,
    Received,
)
from app.modules.inventory.models.tables import DEFAULT_LOCATION, AdjustmentKind
from app.modules.inventory.schemas.examples import MOMENT, example
from app.modules.inventory.schemas.places import MOST_UNITS, LocationId, Units
from app.web.fields import Quantity, Reference, Sku, Text, Wire

MOST_LINES = 1000
"""How many lines a receipt may have."""

MOST_CORRECTIONS = 500
"""How many lines an adjustment or a count may have."""


Actor = Annotated[
    str | None,
    Field(
        description="Whose key booked it; `key` is the server's own, `open` means there was none."
    ),
]


class NewReceiptLine(Wire):
    """Units of a SKU that came in; a SKU that comes twice is added up."""

    sku: Sku
    quantity: Quantity


class NewReceipt(Wire):
    """Goods that came in. A SKU need not be a product yet, and a location need not be active."""

    model_config = example(lines=[{"sku": "MUG", "quantity": 40}], reference="PO-7")

    lines: Annotated[list[NewReceiptLine], Field(min_length=1, max_length=MOST_LINES)]
    location: LocationId = DEFAULT_LOCATION
    reference: Reference | None = None

    def draft(self, *, actor: str) -> ReceiptDraft:
        """Return what is to be booked, under a new id; actor is who asks."""
        return ReceiptDraft(
            lines=[(line.sku, line.quantity) for line in self.lines],
            location=self.location,
            reference=self.reference,
            actor=actor,
        )


class ReceiptLineView(BaseModel):
    """Units booked, and where they lie."""

    sku: str
    location: str
    quantity: int


class ReceiptView(BaseModel):
    """A receipt as booked."""

    model_config = example(
        id="rcp_0199f2c43c7b7d0a8b0e5f1d2c3b4a59",
        reference="PO-7",
        actor="key",
        lines=[{"sku": "MUG", "location": DEFAULT_LOCATION, "quantity": 40}],
        created_at=MOMENT,
    )

    id: str
    reference: str | None
    actor: Actor
    lines: list[ReceiptLineView]
    created_at: datetime

    @classmethod
    def of(cls, receipt: Received) -> Self:
        """Show a receipt."""
        return cls(
            id=receipt.id,
            reference=receipt.reference,
            actor=receipt.actor,
            lines=[
                ReceiptLineView(sku=sku, location=receipt.location, quantity=quantity)
                for sku, quantity in receipt.units.items()
            ],
            created_at=receipt.created_at,
        )


def _some(delta: int) -> int:
    if delta == 0:
        code = "no_difference"
        raise PydanticCustomError(code, "A difference of zero changes nothing")
    return delta


Delta = Annotated[
    int,
    Field(
        strict=True,
        ge=-MOST_UNITS,
        le=MOST_UNITS,
        description="Pieces more, or with a minus sign fewer; not zero.",
        examples=[-3],
        json_schema_extra={"not": {"const": 0}},
    ),
    AfterValidator(_some),
]
Reason = Annotated[
    str, Text(200), Field(description="Why, for whoever reads it later.", examples=["breakage"])
]


class NewDelta(Wire):
    """Units more or fewer; a SKU that comes twice at a location is added up."""

    sku: Sku
    location: LocationId = DEFAULT_LOCATION
    delta: Delta


class NewAdjustment(Wire):
    """A correction by differences: booked whole, or not at all."""

    model_config = example(reason="breakage", lines=[{"sku": "MUG", "delta": -3}])

    reason: Reason
    reference: Reference | None = None
    lines: Annotated[list[NewDelta], Field(min_length=1, max_length=MOST_CORRECTIONS)]

    def draft(self, *, actor: str) -> AdjustmentDraft:
        """Return what is to be booked, under a new id; actor is who asks."""
        return AdjustmentDraft(
            lines=[
                DeltaLine(sku=line.sku, location=line.location, delta=line.delta)
                for line in self.lines
            ],
            reason=self.reason,
            reference=self.reference,
            actor=actor,
        )


class NewCounted(Wire):
    """Units counted of a SKU at a location, which a count names once."""

    sku: Sku
    location: LocationId = DEFAULT_LOCATION
    on_hand: Annotated[Units, Field(description="What was counted.", examples=[38])]
    expected_on_hand: Annotated[
        Units | None,
        Field(
            description="What the books said when the counting began: when they say something "
            "else by now, nothing is booked. null overwrites whatever they say.",
            examples=[40],
        ),
    ]


class NewCount(Wire):
    """A correction by counting: booked whole, or not at all."""

    model_config = example(
        reason="stocktaking",
        lines=[{"sku": "MUG", "on_hand": 38, "expected_on_hand": 40}],
    )

    reason: Reason
    reference: Reference | None = None
    lines: Annotated[list[NewCounted], Field(min_length=1, max_length=MOST_CORRECTIONS)]

    def draft(self, *, actor: str) -> CountDraft:
        """Return what is to be booked, under a new id; actor is who asks."""
        return CountDraft(
            lines=[
                CountLine(
                    sku=line.sku,
                    location=line.location,
                    on_hand=line.on_hand,
                    expected_on_hand=line.expected_on_hand,
                )
                for line in self.lines
            ],
            reason=self.reason,
            reference=self.reference,
            actor=actor,
        )


class AdjustmentLineView(BaseModel):
    """What changed on hand, and the counters right after it."""

    sku: str
    location: str
    delta: int
    on_hand: int
    reserved: int
    committed: int


class AdjustmentView(BaseModel):
    """An adjustment or a count as booked; `kind` tells which."""

    model_config = example(
        id="adj_0199f2c43c7b7d0a8b0e5f1d2c3b4a59",
        kind="adjust",
        reason="breakage",
        reference=None,
        actor="key",
        lines=[
            {
                "sku": "MUG",
                "location": DEFAULT_LOCATION,
                "delta": -3,
                "on_hand": 37,
                "reserved": 2,
                "committed": 2,
            }
        ],
        created_at=MOMENT,
    )

    id: str
    kind: AdjustmentKind
    reason: str
    reference: str | None
    actor: Actor
    lines: list[AdjustmentLineView]
    created_at: datetime

    @classmethod
    def of(cls, corrected: Corrected) -> Self:
        """Show an adjustment or a count."""
        return cls(
            id=corrected.id,
            kind=corrected.kind,
            reason=corrected.reason,
            reference=corrected.reference,
            actor=corrected.actor,
            lines=[
                AdjustmentLineView(
                    sku=line.sku,
                    location=line.location,
                    delta=line.delta,
                    on_hand=line.on_hand,
                    reserved=line.reserved,
                    committed=line.committed,
                )
                for line in corrected.lines
            ],
            created_at=corrected.created_at,
        )
