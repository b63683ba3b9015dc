"""What `doctor` makes of its rights on PostgreSQL: all that Orderly needs, and better no more."""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.finding import Finding, failed, ok, warning

# What `append-only.sql` leaves to the application; of all other tables it needs every right.
_ONLY_READ = frozenset({"alembic_version"})
_ONLY_ADDED_TO = frozenset({"operator_action", "order_timeline", "stock_movements"})
_NEVER_REMOVED = frozenset(
    {
        *("adjustments", "api_keys", "fulfillment_lines", "fulfillments", "issues", "locations"),
        *("log_head", "order_lines", "orders", "products", "receipts", "reservation_lines"),
        *("reservations", "stock_items", "stock_levels"),
    }
)

_FILE = "deploy/postgres/append-only.sql"

_TABLES = text("""
    SELECT relname, pg_has_role(relowner, 'USAGE') AS is_ours,
        has_table_privilege(oid, 'SELECT') AS "SELECT",
        has_table_privilege(oid, 'INSERT') AS "INSERT",
        has_table_privilege(oid, 'UPDATE') AS "UPDATE",
        has_table_privilege(oid, 'DELETE') AS "DELETE"
    FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
    ORDER BY relname
""")
_SCHEMA = text("""
    SELECT current_user, current_schema(),
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
""")


async def look_at_rights(session: AsyncSession) -> list[Finding]:
    """Return what is missing on the tables of a schema that is up to date, or is too much."""
    tables = (await session.execute(_TABLES)).mappings().all()
    denied = [each["relname"] for each in tables if not all(map(each.get, needed(each["relname"])))]
    if denied:
        remedy = f"Grant SELECT, INSERT, UPDATE and DELETE on every table, as {_FILE} does."
        missing = failed("privileges", f"no full rights on {', '.join(denied)}", remedy)
        return [missing, *await look_at_schema_rights(session)]
    rewritable = [
        each["relname"]
        for each in tables
        if each["relname"] in _ONLY_ADDED_TO and not each["is_ours"]
        if each["UPDATE"] or each["DELETE"]
    ]
    if rewritable:
        found = f"what is only ever added to can be rewritten: {', '.join(rewritable)}"
        return [warning("privileges", found, f"Run {_FILE} as who owns the tables.")]
    user = await session.scalar(text("SELECT current_user"))
    return [ok("privileges", f"{user} may do all that is needed")]


async def look_at_schema_rights(session: AsyncSession) -> list[Finding]:
    """Return a warning when this user could not run `migrate`."""
    user, where, may_create = (await session.execute(_SCHEMA)).one()
    if may_create:
        return []
    found = f"{user} may not create tables in the schema {where}"
    return [warning("privileges", found, "`migrate` needs that right: run it as the owner.")]


def needed(table: str) -> Collection[str]:
    """Return the rights on a table that the application cannot do without."""
    if table in _ONLY_READ:
        return ("SELECT",)
    if table in _ONLY_ADDED_TO:
        return ("SELECT", "INSERT")
    if table in _NEVER_REMOVED:
        return ("SELECT", "INSERT", "UPDATE")
    return ("SELECT", "INSERT", "UPDATE", "DELETE")
