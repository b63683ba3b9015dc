"""What an operator works at: orders, stock, dead letters and what was started, by address."""

from starlette.routing import Route

from app.console import actions, chains, dead_letters, inventory, letter, order, orders
from app.console.asking import back
from app.console.live import Fragments

LIVE: dict[str, Fragments] = {
    "action": actions.live,
    "dead-letters": dead_letters.live,
    "order": order.live,
    "orders": orders.live,
}
"""What live pages send again, by the name in `/console/live/{page}`."""

ROUTES = (
    Route("/console/orders", orders.orders),
    Route("/console/orders/{order_id}", order.order),
    Route("/console/orders/{order_id}/{command}", order.command, methods=["POST"]),
    Route("/console/chains/{correlation_id:path}", chains.chain),
    Route("/console/inventory", inventory.inventory),
    Route("/console/inventory/{sku}", inventory.item),
    Route("/console/inventory/{sku}/{form}", inventory.book, methods=["POST"]),
    Route("/console/dead-letters", dead_letters.dead_letters),
    Route("/console/dead-letters/redrive", dead_letters.redrive, methods=["POST"]),
    Route("/console/dead-letters/{subscriber}/{event_id}", letter.letter),
    Route("/console/dead-letters/{subscriber}/{event_id}/run", letter.run, methods=["POST"]),
    Route(
        "/console/dead-letters/{subscriber}/{event_id}/discard", letter.discard, methods=["POST"]
    ),
    *(
        Route(path, back)
        for path in (
            "/console/orders/{order_id}/{command}",
            "/console/inventory/{sku}/{form}",
            "/console/dead-letters/redrive",
            "/console/dead-letters/{subscriber}/{event_id}/run",
            "/console/dead-letters/{subscriber}/{event_id}/discard",
        )
    ),
    Route("/console/actions/{action_id}", actions.action),
)
