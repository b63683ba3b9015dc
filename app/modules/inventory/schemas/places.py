"""Locations, and how SKUs are kept, over REST."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, StrictBool, StringConstraints

from app.modules.inventory.models.tables import DEFAULT_LOCATION, Location, StockItem
from app.modules.inventory.schemas.examples import MOMENT, example
from app.web.fields import Text, Wire

MOST_UNITS = 10**15
"""The most there can be anywhere: every JSON reader can tell it from its neighbours."""

LocationId = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Field(
        description="Names one location: 1 to 64 letters, digits, `.`, `_` and `-`.",
        examples=[DEFAULT_LOCATION],
    ),
]

Units = Annotated[
    int, Field(strict=True, ge=0, le=MOST_UNITS, description="Whole pieces.", examples=[5])
]

_FURTHEST = 1_000_000

_LOCATION: dict[str, Any] = {"name": "Shop in Leeds", "priority": 10, "active": True}
_ITEM: dict[str, Any] = {"safety_stock": 2, "low_stock_at": 5}


class LocationValues(Wire):
    """What a location shall be.

    Orders take their units from active locations, the lowest priority first. One that is not
    active keeps what lies there and offers none of it.
    """

    model_config = example(**_LOCATION)

    name: Annotated[str, Text(200)] | None = None
    priority: Annotated[int, Field(strict=True, ge=-_FURTHEST, le=_FURTHEST)] = 0
    active: StrictBool = True


class LocationView(BaseModel):
    """A place where stock lies."""

    model_config = example(id="leeds", **_LOCATION, created_at=MOMENT)

    id: str
    name: str | None
    priority: int
    active: bool
    created_at: datetime

    @classmethod
    def of(cls, location: Location) -> Self:
        """Show a location."""
        return cls(
            id=location.id,
            name=location.name,
            priority=location.priority,
            active=location.active,
            created_at=location.created_at,
        )


class ItemValues(Wire):
    """How a SKU shall be kept, over all locations."""

    model_config = example(**_ITEM)

    safety_stock: Annotated[Units, Field(description="Units that are never promised.")]
    low_stock_at: Annotated[
        Units, Field(description="With so many available units, or fewer, it is low.")
    ]


class ItemView(BaseModel):
    """How a SKU is kept."""

    model_config = example(sku="MUG", **_ITEM, updated_at=MOMENT)

    sku: str
    safety_stock: int
    low_stock_at: int
    updated_at: datetime

    @classmethod
    def of(cls, item: StockItem) -> Self:
        """Show how a SKU is kept."""
        return cls(
            sku=item.sku,
            safety_stock=item.safety_stock,
            low_stock_at=item.low_stock_at,
            updated_at=item.updated_at,
        )
