"""How the databases go about a statement: which index, and how many rows they look at."""

import json
import re
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database

LARGE = frozenset({"outbox", "inbox", "delivery"})


@asynccontextmanager
async def explained(database: Database, session: AsyncSession) -> AsyncIterator[list[Any]]:
    """Collect the plans of the statements run in the block; they run once more to be explained.

    SQLite's are lists of sentences, and nothing is run for them.
    """
    statements: list[tuple[str, Any]] = []
    plans: list[Any] = []

    def note(*call: Any) -> None:  # noqa: ANN401 - SQLAlchemy's hook has six arguments
        statements.append((call[2], call[3]))

    event.listen(database.writer.sync_engine, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        event.remove(database.writer.sync_engine, "before_cursor_execute", note)
    connection = await session.connection()
    words = "QUERY PLAN" if database.single_writer else "(ANALYZE, FORMAT JSON)"
    for statement, parameters in statements:
        found = await connection.exec_driver_sql(f"EXPLAIN {words} {statement}", parameters)
        if database.single_writer:
            plans.append([str(row[-1]) for row in found])
        else:
            (plan,) = found.one()
            plans.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])


def searched(plan: Any) -> Collection[str]:  # noqa: ANN401 - as `explained` collects them
    """Return the large tables that a plan goes through from end to end.

    PostgreSQL reads one that it knows to be empty that way, for good reason.
    """
    if isinstance(plan, list):
        scans = [re.match(r"SCAN (\w+)", sentence) for sentence in plan]
        return LARGE & {scan[1] for scan in scans if scan}
    return LARGE & {
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan"
        and (node["Actual Rows"] or node.get("Rows Removed by Filter"))
    }


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return every step of PostgreSQL's plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def rows_touched(plan: dict[str, Any]) -> float:
    """Return how many rows of the large tables a plan looked at, whether or not it kept them."""
    total = 0.0
    for node in nodes(plan):
        if node.get("Relation Name") in LARGE and "Scan" in node["Node Type"]:
            looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            total += looked_at * node["Actual Loops"]
    return total
