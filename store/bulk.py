"""Statements that go to the database together, by what its driver does fastest: SQLAlchemy alone takes as long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, String, Table
from sqlalchemy.exc import DBAPIError

_Row = Mapping[str, Any]


def execute(connection: Connection, statement: str, kinds: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Returns the driver's cursor. In the statement, {rows} is a table of these rows, whose columns are called column1,
    column2 and so on, and have these SQL types. Raises DBAPIError.
    """
    with _told_as_sqlalchemy(connection):
        if connection.dialect.name == "postgresql":
            names = ", ".join(f"column{number + 1}" for number in range(len(kinds)))
            source = f"unnest({', '.join(f'%b::{kind}[]' for kind in kinds)}) AS rows({names})"
            columns = [list(of) for of in zip(*rows, strict=True)]
            return _driver(connection).execute(statement.format(rows=source), columns, binary=True)
        marks = f"({', '.join('?' * len(kinds))})"
        source = f"(VALUES {', '.join([marks] * len(rows))}) AS rows"
        return _driver(connection).execute(statement.format(rows=source), [value for row in rows for value in row])


def run(connection: Connection, statement: str) -> Any:
    """Returns the driver's cursor. Raises DBAPIError."""
    with _told_as_sqlalchemy(connection):
        return _driver(connection).execute(statement)


def add_rows(connection: Connection, rows: Mapping[Table, Sequence[_Row]]) -> None:
    """Table by table, what is referred to first. Each row has the columns of its table's first. Raises DBAPIError."""
    for table, of in rows.items():
        names = tuple(of[0])
        kinds, values = _columns(table, names, connection.dialect)
        into = f"INSERT INTO {table.name} ({', '.join(names)})"
        if connection.dialect.name == "postgresql":
            execute(connection, f"{into} SELECT * FROM {{rows}}", kinds, list(map(values, of)))
        else:
            with _told_as_sqlalchemy(connection):
                marks = ", ".join("?" * len(names))
                _driver(connection).executemany(f"{into} VALUES ({marks})", map(values, of))


@contextmanager
def at_once(connection: Connection) -> Iterator[None]:
    """What is executed here takes one way there and back on Postgres: what it brings is known at the end, where it also
    raises DBAPIError.
    """
    postgres = connection.dialect.name == "postgresql"
    with _told_as_sqlalchemy(connection), _driver(connection).pipeline() if postgres else nullcontext():
        yield


@contextmanager
def _told_as_sqlalchemy(connection: Connection) -> Iterator[None]:
    base = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        if connection.dialect.is_disconnect(error, _driver(connection), None):
            connection.invalidate(error)  # else the failing rollback would be told instead
        raise DBAPIError.instance("", None, error, base, dialect=connection.dialect) from error


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@lru_cache
def _columns(
    table: Table, names: Sequence[str], dialect: Dialect
) -> tuple[Sequence[str], Callable[[_Row], Sequence[Any]]]:
    """The SQL types of columns, and what makes of a row the values that the driver takes."""
    kinds = [table.c[name].type.dialect_impl(dialect) for name in names]
    binds = [(place, bind) for place, kind in enumerate(kinds) if (bind := kind.bind_processor(dialect)) is not None]
    taken = itemgetter(*names)

    def values(row: _Row) -> Sequence[Any]:
        found = list(taken(row))
        for place, bind in binds:
            found[place] = bind(found[place])
        return found

    return [_kind(kind, dialect) for kind in kinds], values


def _kind(kind: Any, dialect: Dialect) -> str:
    """A text is not cast to its length, which would cut it: it is refused where it does not fit."""
    return "text" if isinstance(kind, String) else dialect.type_compiler_instance.process(kind)
