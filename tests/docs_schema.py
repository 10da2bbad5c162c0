"""docs/schema.md: the record's tables and columns, as SQLAlchemy makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table, UniqueConstraint, make_url

from store.schema import CHAINED, metadata

PAGE = Path(__file__).parent.parent / "docs" / "schema.md"

_HEAD = """# Schema

The tables of a record, column by column; [record.md](record.md) tells what their rows mean. Times are milliseconds
since 1970 by the database's clock, money is nano-dollars. A type is SQLite's, and Postgres's where that is another.
Rows of {chained} are chained: `link` is a row's place in its search's
chain, `hash` is over its content and the hash before it. The table `aligntree_version` names the schema's version.

This page is made from the code by `make docs`.
"""

_DIALECTS = [make_url(url).get_dialect()() for url in ("sqlite://", "postgresql+psycopg://")]


def page() -> str:
    chained = ", ".join(f"`{table.name}`" for table in CHAINED)
    return "\n".join([_HEAD.format(chained=chained), *(_table(table) for table in metadata.tables.values())])


def _table(table: Table) -> str:
    rows = [_row(table, column) for column in table.columns]
    return (
        "\n".join([f"## {table.name}\n", "| column | type | key | what |", "|---|---|---|---|", *rows, *_unique(table)])
        + "\n"
    )


def _row(table: Table, column: Column[Any]) -> str:
    may_be_null = ", or null" if column.nullable else ""
    return f"| `{column.name}` | {_type(column)}{may_be_null} | {_key(table, column)} | {column.doc or ''} |"


def _type(column: Column[Any]) -> str:
    told = [column.type.compile(dialect) for dialect in _DIALECTS]
    return " / ".join(dict.fromkeys(told))


def _key(table: Table, column: Column[Any]) -> str:
    of = sorted({f"`{key.column.table.name}.{key.column.name}`" for key in column.foreign_keys})
    told = ["primary"] * column.primary_key + [f"of {', '.join(of)}"] * bool(of)
    indexed = column.index or any(column.name in index.columns for index in table.indexes)
    return ", ".join(told + ["indexed"] * bool(indexed))


def _unique(table: Table) -> list[str]:
    found = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    return [f"\nUnique: {', '.join(f'`{column.name}`' for column in each.columns)}." for each in found]
