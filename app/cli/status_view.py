"""The flow as a picture in the terminal: what comes in, what waits, who handles it."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.cli.figures import age, count, moment, rate, spark

_NARROW = 90
_BAR_WIDTH = 40
_NO_BEAT_S = 5.0
_MIB = 1024**2


def picture(flow: dict[str, Any], url: str, width: int) -> RenderableType:
    """Return the flow of GET /v1/ops/flow for a terminal so many columns wide."""
    parts: list[RenderableType] = [_head(flow, url)]
    parts += [Text(f"! {each}", "yellow") for each in flow["warnings"]]
    parts += [Text(), _intake(flow), _outbox(flow), Text()]
    parts += [_streams(flow["streams"]), Text(), _subscribers(flow["subscribers"], width), Text()]
    parts.append(_loops(flow["loops"]))
    return Group(*parts)


def _head(flow: dict[str, Any], url: str) -> Text:
    database, engine = flow["database"], flow["engine"]
    facts = f"{database['kind']} {database['version']}"
    if engine is not None:
        facts += f" · {engine['kind'] or 'engine'} {engine['version'] or ''}"
        if engine["used_memory_bytes"] is not None:
            facts += f" {engine['used_memory_bytes'] / _MIB:.1f} MiB"
    return Text.assemble(("Orderly ", "bold"), f"{url}  {moment(flow['at'])}  ", (facts, "dim"))


def _intake(flow: dict[str, Any]) -> Text:
    return Text.assemble(
        ("recorded  ", "bold"),
        f"{rate(flow['intake']['recorded_per_s']):>9}  ",
        (spark([one["recorded_per_s"] for one in flow["history"]], _BAR_WIDTH), "cyan"),
    )


def _outbox(flow: dict[str, Any]) -> Text:
    box = flow["outbox"]
    waiting = count(box["unpublished"], capped=box["unpublished_capped"])
    oldest = f", the oldest for {age(box['oldest_age_s'])}" if box["oldest_age_s"] else ""
    return Text.assemble(
        ("published ", "bold"),
        f"{rate(box['published_per_s']):>9}  ",
        (spark([one["published_per_s"] for one in flow["history"]], _BAR_WIDTH), "cyan"),
        (f"  {waiting} wait in the outbox{oldest}", "yellow" if box["unpublished"] else "dim"),
    )


def _streams(streams: Sequence[dict[str, Any]]) -> Table:
    shown = _table("stream", "length", "added", "full")
    for one in streams:
        full = f"{one['length'] / one['cap']:.0%}"
        shown.add_row(
            one["context"],
            count(one["length"]),
            rate(one["added_per_s"]),
            Text(f"{full} FULL", "bold red") if one["paused"] else full,
        )
    return shown


def _subscribers(subscribers: Sequence[dict[str, Any]], width: int) -> Table:
    more = ["pending", "oldest", "critical time"] if width >= _NARROW else []
    shown = _table("subscriber", "handled", "lag", *more, "due", "dead", "state")
    for one in subscribers:
        held = [count(one["pending"]), age(one["oldest_age_s"]), age(one["critical_time_s"])]
        dead = count(one["dead"], capped=one["dead_capped"])
        shown.add_row(
            one["name"],
            rate(one["handled_per_s"]),
            count(one["lag"]),
            *(held if more else ()),
            count(one["due"], capped=one["due_capped"]),
            Text(dead, "bold red" if one["dead"] else ""),
            state_of(one),
        )
    return shown


def state_of(subscriber: dict[str, Any]) -> Text:
    """Return whether a subscriber goes on, stands still, or waits for something."""
    if subscriber["paused"]:
        paused = subscriber["paused"]
        return Text(f"paused by {paused['who']}: {paused['reason']}", "yellow")
    if subscriber["held_back"]:
        return Text(subscriber["held_back"], "yellow")
    return Text("reads", "green") if subscriber["last_read_s"] is not None else Text("nobody reads")


def _loops(loops: Sequence[dict[str, Any]]) -> Text:
    running = sum(one["state"] == "running" for one in loops)
    shown = Text.assemble(("loops  ", "bold"), f"{running} of {len(loops)} running")
    for one in loops:
        if one["state"] != "running":
            why = f": {one['trouble']}" if one["trouble"] else ""
            long = one["beat_age_s"] >= _NO_BEAT_S
            beat = f", no beat for {age(one['beat_age_s'])}" if long else ""
            shown.append(f"\n  {one['name']} {one['state']}{why}{beat}", "yellow")
    return shown


def _table(first: str, *columns: str) -> Table:
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column(first)
    for column in columns:
        last = column == "state"
        shown.add_column(column, justify="left" if last else "right", overflow="fold")
    return shown
