"""Rows of Python values as a SELECT, with what they have in common sent once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Select, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.bus.sql import rows

Columns: TypeAlias = Mapping[str, tuple[TypeEngine[Any], Sequence[Any]]]
"""SQL type and values by column name."""


def values(
    session: AsyncSession,
    columns: Columns,
    *,
    alike: Collection[str],
) -> Select[Any]:
    """Select rows of values, in the order given, to insert from.

    Columns in alike are those that tend to hold the same value in every row of a batch: then they
    travel as that one value, because every element of an array costs about a microsecond. The
    columns come in another order, so name them by the SELECT's keys. At least one is not alike.
    """
    same = {name for name in alike if len(set(columns[name][1])) == 1}
    given = rows(session, **{name: columns[name] for name in columns if name not in same})
    constants = [
        literal(columns[name][1][0], columns[name][0]).label(name) for name in sorted(same)
    ]
    return select(*given.c, *constants)
