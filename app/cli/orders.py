"""`orders`: find orders, and tell of one what became of it, over REST."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from app.cli.ask import HERE, ApiKey, Limit, Url, ask, asked, given
from app.cli.figures import moment
from app.cli.order_view import show_order
from app.cli.say import AsJson, as_json, document, page

orders = typer.Typer(help="Find orders, and see what became of one.")


@orders.command("list")
def list_(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    status: Annotated[
        str | None, typer.Option(help="Such as pending, confirmed or rejected.")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="Of this customer.")] = None,
    reference: Annotated[str | None, typer.Option(help="The one with this reference.")] = None,
    sku: Annotated[str | None, typer.Option(help="With a line of this SKU.")] = None,
    since: Annotated[str | None, typer.Option(help="Placed at this time (RFC 3339) or on.")] = None,
    until: Annotated[str | None, typer.Option(help="Placed before this time.")] = None,
    limit: Limit = 50,
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,  # noqa: ARG001 - remembered where it is read
) -> None:
    """List orders, the newest first.

    Example: `orders list --status rejected --sku MUG`
    """
    filters = given(
        status=status,
        customer_id=customer,
        reference=reference,
        sku=sku,
        created_from=since,
        created_to=until,
        limit=limit,
    )
    body = ask(url, api_key, "GET", "/v1/orders", params=filters)
    if not as_json():
        body["items"] = [_row(order) for order in body["items"]]
    page(body, ["id", "status", "customer", "reference", "total", "placed"], "There are none.")


@orders.command()
def show(
    order_id: Annotated[str, typer.Argument(help="The order's id.")],
    url: Url = HERE,
    api_key: ApiKey = None,
    as_json_: AsJson = False,
) -> None:
    """Show an order: lines, money, status, timeline, and its events with who handled them when.

    The events need a key with the scope ops:read; without it, they are left out.

    Example: `orders show ord_…`
    """
    path = f"/v1/orders/{quote(order_id, safe='')}"
    order = ask(url, api_key, "GET", path)
    timeline = ask(url, api_key, "GET", f"{path}/timeline", params={"limit": 200})
    answer = asked(url, api_key, "GET", "/v1/ops/chains", params={"subject": order["id"]})
    chain = answer.body if answer.ok else None
    if as_json_:
        document({"order": order, "timeline": timeline["items"], "chain": chain})
        return
    show_order(order, timeline["items"], chain)
    if chain is None:
        typer.echo(f"The events are left out: {answer.detail or answer.code}", err=True)


def _row(order: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": order["id"],
        "status": order["status"],
        "customer": order["customer_id"],
        "reference": order["reference"],
        "total": f"{order['total']['amount']} {order['total']['currency']}",
        "placed": moment(order["created_at"]),
    }
