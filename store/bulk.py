"""Rows of several tables at once, by what the driver does fastest: SQLAlchemy alone takes as long as the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, String, Table
from sqlalchemy.exc import DBAPIError

_Row = Mapping[str, Any]


def add_rows(connection: Connection, rows: Mapping[Table, Sequence[_Row]]) -> None:
    """Table by table, what is referred to first. Each row has the columns of its table's first. Raises DBAPIError."""
    dialect, driver = connection.dialect, _driver(connection)
    added = [(_added(table, tuple(of[0]), dialect), of) for table, of in rows.items()]
    try:
        if dialect.name == "postgresql":  # one way there and back for all of them
            with driver.pipeline(), driver.cursor() as cursor:
                for (statement, values), of in added:
                    cursor.execute(statement, [list(column) for column in zip(*map(values, of), strict=True)])
        else:
            for (statement, values), of in added:
                driver.executemany(statement, map(values, of))
    except dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance("INSERT", None, error, dialect.loaded_dbapi.Error, dialect=dialect) from error


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@lru_cache
def _added(table: Table, names: Sequence[str], dialect: Dialect) -> tuple[str, Callable[[_Row], Sequence[Any]]]:
    """The statement that adds rows of these columns (Postgres takes an array of each), and what makes of a row
    the values that the driver takes.
    """
    kinds = [table.c[name].type.dialect_impl(dialect) for name in names]
    if dialect.name == "postgresql":
        arrays = ", ".join(f"%b::{_array(kind, dialect)}" for kind in kinds)
        source = f"SELECT * FROM unnest({arrays})"
    else:
        source = f"VALUES ({', '.join('?' * len(names))})"
    binds = [(place, bind) for place, kind in enumerate(kinds) if (bind := kind.bind_processor(dialect)) is not None]
    taken = itemgetter(*names)

    def values(row: _Row) -> Sequence[Any]:
        found = list(taken(row))
        for place, bind in binds:
            found[place] = bind(found[place])
        return found

    return f"INSERT INTO {table.name} ({', '.join(names)}) {source}", values


def _array(kind: Any, dialect: Dialect) -> str:
    """A text is not cast to its length, which would cut it: it is refused where it does not fit."""
    return "text[]" if isinstance(kind, String) else dialect.type_compiler_instance.process(kind) + "[]"
