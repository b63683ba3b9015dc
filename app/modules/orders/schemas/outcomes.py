"""What became of the orders of a batch, over REST."""

from pydantic import BaseModel

from app.modules.orders.schemas.orders import OrderView
from app.web.problem import Problem


class OutcomeView(BaseModel):
    """What became of one order of a batch: 201 and the order, or another status and why."""

    status: int
    order: OrderView | None = None
    problem: Problem | None = None


class OutcomesView(BaseModel):
    """What became of the orders of a batch, one by one, in the order they were sent."""

    results: list[OutcomeView]
