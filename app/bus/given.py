"""Tables made of Python values, for statements to join with."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Dialect, FromClause, column, func, select
from sqlalchemy.types import TypeEngine


def unnested(
    columns: Sequence[ColumnElement[Any]], types: Mapping[str, TypeEngine[Any]]
) -> FromClause:
    """Return PostgreSQL's table of array parameters, a column each."""
    given = [column(name, type_) for name, type_ in types.items()]
    return func.unnest(*columns).table_valued(*given).render_derived().alias()


def extracted(text_: ColumnElement[str], types: Mapping[str, TypeEngine[Any]]) -> FromClause:
    """Return SQLite's table of what `json_rows` made."""
    each = func.json_each(text_).table_valued("value")
    return (
        select(
            *(
                func.json_extract(each.c.value, f"$[{place}]", type_=type_).label(name)
                for place, (name, type_) in enumerate(types.items())
            )
        )
        .select_from(each)
        .subquery()
    )


def json_rows(dialect: Dialect, columns: Sequence[tuple[TypeEngine[Any], Sequence[Any]]]) -> str:
    """Return columns as one text of rows, their values as the dialect keeps them."""
    processors = [type_.dialect_impl(dialect).bind_processor(dialect) for type_, _ in columns]
    lists = [
        [process(value) if process else value for value in values]
        for process, (_, values) in zip(processors, columns, strict=True)
    ]
    return to_json(list(zip(*lists, strict=True))).decode()
