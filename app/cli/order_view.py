"""An order as people read it: what was ordered, what became of it, and its chain of events."""

from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from app.cli.figures import milliseconds, moment
from app.cli.say import console, table

_STYLES = {
    "handled": "green",
    "due": "yellow",
    "waiting": "yellow",
    "dead": "bold red",
    "discarded": "dim",
}
_BAR = 30
_WIDE_ENOUGH = 100


def show_order(
    order: dict[str, Any], timeline: list[dict[str, Any]], chain: dict[str, Any] | None
) -> None:
    """Print an order, its timeline, and where it is known its chain as a waterfall."""
    out = console()
    out.print(Text.assemble((order["id"], "bold"), "  ", (order["status"], "bold cyan")))
    facts = {
        "customer": order["customer_id"],
        "reference": order["reference"],
        "placed": moment(order["created_at"]),
        "held until": moment(order["expires_at"]) if order["status"] == "reserved" else None,
        "cancelled": order["cancel_reason"],
        "may be": ", ".join(order["allowed_actions"]),
    }
    for name, value in facts.items():
        if value:
            out.print(f"{name:<11}{value}", soft_wrap=True)
    out.print()
    table(
        ["sku", "title", "quantity", "fulfilled", "unit_price", "total"], map(_line, order["lines"])
    )
    out.print(f"total {_money(order['total'])}", style="bold")
    for short in order["shortages"]:
        out.print(
            f"short: {short['sku']}, {short['requested']} wanted and {short['available']} there",
            style="red",
        )
    out.print("\ntimeline", style="bold")
    table(["at", "what", "status", "by", "after"], map(_happened, timeline))
    if chain is not None and chain["events"]:
        out.print("\nevents", style="bold")
        out.print(waterfall(chain["events"], wide=out.width >= _WIDE_ENOUGH))
        if chain["truncated"]:
            out.print(f"… and more: {len(chain['events'])} events are shown.", style="dim")


def waterfall(events: list[dict[str, Any]], *, wide: bool) -> Table:
    """Return events and deliveries, each as a bar from the first moment of all to the last.

    ░ is waiting, █ running; what caused an event stands above it, and less far to the right.
    """
    begin, end = _span(events)
    depths: dict[str, int] = {}
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", *(["when"] if wide else []), "at", "waited", "ran"):
        shown.add_column(name, overflow="fold", no_wrap=bool(name))
    for event in events:
        depth = depths.get(event["causation_id"] or "", -1) + 1
        depths[event["id"]] = depth
        indent = "  " * min(depth, 6)
        at = datetime.fromisoformat(event["recorded_at"])
        bar = _bar(begin, end, (at, None, None))
        shown.add_row(
            Text(f"{indent}{event['type']}"), *([bar] if wide else []), moment(event["recorded_at"])
        )
        for delivery in event["deliveries"]:
            _add_delivery(shown, delivery, event, indent, (begin, end) if wide else None)
    return shown


def _add_delivery(
    shown: Table,
    delivery: dict[str, Any],
    event: dict[str, Any],
    indent: str,
    span: tuple[datetime, datetime] | None,
) -> None:
    style = _STYLES.get(delivery["state"], "")
    cells: list[Text] = [Text(f"{indent}  → {delivery['subscriber']}: {delivery['state']}", style)]
    if span is not None:
        published = _at(event["published_at"]) or datetime.fromisoformat(event["recorded_at"])
        times = (published, _at(delivery["started_at"]), _at(delivery["finished_at"]))
        cells.append(_bar(*span, times))
    waited, ran = milliseconds(delivery["wait_ms"]), milliseconds(delivery["run_ms"])
    shown.add_row(*cells, Text(), Text(waited), Text(ran))
    for attempt in delivery["attempts"]:
        told = f"{indent}    try {attempt['attempt']} failed: {attempt['error_type']}"
        cells = [Text(f"{told}: {attempt['error']}", "red"), *([Text()] if span else [])]
        shown.add_row(*cells, Text(), Text(), Text(milliseconds(attempt["took_ms"])))


def _bar(
    begin: datetime, end: datetime, times: tuple[datetime, datetime | None, datetime | None]
) -> Text:
    """Return the part of the whole span that lies between times: from, begun, ended."""
    whole = (end - begin).total_seconds() or 1.0

    def place(at: datetime) -> int:
        return round((at - begin).total_seconds() / whole * (_BAR - 1))

    since, started, finished = times
    if started is None:
        return Text(" " * place(since)).append("◆", "cyan")
    # The clocks of relay and handler differ by a hair, and what was quick was marked afterwards.
    begun = place(min(since, started))
    bar = Text(" " * begun).append("░" * (place(started) - begun), "dim")
    return bar.append("█" * max(1, place(finished or started) - place(started)), "green")


def _span(events: list[dict[str, Any]]) -> tuple[datetime, datetime]:
    moments = [datetime.fromisoformat(event["recorded_at"]) for event in events]
    for event in events:
        known = [event["published_at"]]
        for delivery in event["deliveries"]:
            known += [delivery["started_at"], delivery["finished_at"]]
        moments += [datetime.fromisoformat(each) for each in known if each]
    return min(moments), max(moments)


def _at(iso: str | None) -> datetime | None:
    return None if iso is None else datetime.fromisoformat(iso)


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return line | {"unit_price": _money(line["unit_price"]), "total": _money(line["total"])}


def _money(money: dict[str, str]) -> str:
    return f"{money['amount']} {money['currency']}"


def _happened(step: dict[str, Any]) -> dict[str, Any]:
    before = f"{step['from_status']} → " if step["from_status"] else ""
    return {
        "at": moment(step["at"]),
        "what": step["action"],
        "status": f"{before}{step['to_status']}",
        "by": step["event_type"] or step["actor"],
        "after": milliseconds(step["latency_ms"]),
    }
