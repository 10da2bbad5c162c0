"""Many rows into a table at once: by COPY on Postgres, where INSERT sends each row by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table, insert
from sqlalchemy.exc import DBAPIError

Bind = Callable[[Any], Any] | None


def add_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each of the `rows` has the columns of the first. Raises DBAPIError."""
    dialect = connection.dialect
    if dialect.name != "postgresql":
        connection.execute(_insert(table), rows)
        return
    names = tuple(rows[0])
    statement, binds = f"COPY {table.name} ({', '.join(names)}) FROM STDIN", _binds(table, names, dialect)
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            for row in rows:
                values = ((row[name], bind) for name, bind in zip(names, binds, strict=True))
                copy.write_row([value if bind is None else bind(value) for value, bind in values])
    except dialect.loaded_dbapi.Error as error:
        told = DBAPIError.instance(statement, None, error, dialect.loaded_dbapi.Error, dialect=dialect)
        raise told from error
    finally:
        cursor.close()


@lru_cache
def _insert(table: Table) -> Insert:
    """Built once: SQLAlchemy takes longer to build one than SQLite to run it."""
    return insert(table)


@lru_cache
def _binds(table: Table, names: Sequence[str], dialect: Dialect) -> list[Bind]:
    """What turns the values of each column into what the driver takes."""
    types = (table.c[name].type.dialect_impl(dialect) for name in names)
    return [kind.bind_processor(dialect) for kind in types]
