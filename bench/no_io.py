"""Our own `serve` with one route more, which does everything an order does but for the database.

`python -m bench.no_io serve`: the same application, middlewares, server and collector settings, the
same body and the same kind of reply, so that what is left between the two is what a durable order
costs.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Depends, FastAPI, Request, Response

from app.__main__ import main
from app.cli import serve
from app.main import create_app
from app.modules.orders.models.life import OrderStatus
from app.modules.orders.models.order import PlacedLine, PlacedOrder
from app.modules.orders.schemas.orders import NewOrder, OrderView
from app.settings import Settings
from app.web.auth import require
from app.web.conditional import etag
from bench.orders import PRICE_MINOR

PATH = "/bench/no-io"


async def answer(order: NewOrder, request: Request) -> Response:
    """Answer as if the order had been placed."""
    draft = order.draft(hold_s=900, actor=request.state.principal.name)
    now = datetime.now(UTC)
    lines = tuple(
        PlacedLine(sku=sku, title=sku, quantity=quantity, unit_price_minor=PRICE_MINOR)
        for sku, quantity in draft.quantities.items()
    )
    placed = PlacedOrder(
        id=draft.id,
        reference=draft.reference,
        customer_id=draft.customer_id,
        status=OrderStatus.PENDING,
        currency="GBP",
        total_minor=sum(line.total_minor for line in lines),
        version=1,
        created_at=now,
        updated_at=now,
        lines=lines,
    )
    headers = {"Location": f"/v1/orders/{placed.id}", "ETag": etag(placed.version)}
    return Response(
        OrderView.json_of(placed),
        HTTPStatus.CREATED,
        headers,
        "application/json",
    )


def create(settings: Settings | None = None) -> FastAPI:
    """Build the application with the route in it."""
    app = create_app(settings)
    app.post(
        PATH,
        dependencies=[Depends(require("orders:write"))],
        status_code=HTTPStatus.CREATED,
        response_model=OrderView,
    )(answer)
    return app


if __name__ == "__main__":
    serve.create_app = create  # type: ignore[attr-defined]  # serve's own name for it
    main()
