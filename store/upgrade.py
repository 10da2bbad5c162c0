"""Bringing a record of an earlier version to this one's schema, with a backup beside it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from store.database import connected
from store.errors import RecordFailed, RecordUnusable
from store.schema import metadata, now, searches
from store.settings import record_url, shown
from store.version import VERSION, upgrade, version_of


@dataclass(frozen=True)
class Upgrade:
    """The schema before and after, and where the backup is; none where nothing had to be done."""

    before: str
    after: str
    backup: str | None


def upgrade_record(record: str) -> Upgrade:
    """Raises RecordUnusable: no record, of a newer version, or worked on just now; RecordFailed, with nothing changed.

    The backup of an SQLite file is a copy beside it; of a Postgres database a schema of its own with all tables.
    """
    url = record_url(record)
    try:
        with connected(url, foreign_keys=False) as connection:  # SQLite rewrites tables that others point to
            before = version_of(connection, url)
            if before == VERSION:
                return Upgrade(before, VERSION, None)
            _check_idle(connection, url)
            backup = _back_up(connection, url, before)
            upgrade(connection)
            return Upgrade(before, VERSION, backup)
    except DBAPIError as error:
        raise RecordFailed(
            f"the upgrade failed, and nothing was changed: {str(error.orig).strip().splitlines()[0]}",
            where=f"record {shown(url)}",
            mend="Mend the database, and upgrade again",
        ) from None


def _check_idle(connection: Connection, url: URL) -> None:
    busy = select(func.count()).where(searches.c.status == "running", searches.c.expires > now())
    if count := connection.execute(busy).scalar_one():
        raise RecordUnusable(
            f"{count} searches are being worked on", where=f"record {shown(url)}", mend="Stop their runs, and upgrade"
        )


def _back_up(connection: Connection, url: URL, before: str) -> str:
    if connection.dialect.name == "sqlite":
        file = Path(f"{url.database}.{before}")
        if file.exists():
            raise RecordUnusable("a backup is there already", where=f"file {file}", mend="Move it away, and upgrade")
        with closing(sqlite3.connect(str(url.database))) as source, closing(sqlite3.connect(str(file))) as target:
            source.backup(target)  # as committed: the upgrade's own transaction has written nothing yet
        return str(file)
    schema = f"aligntree_{before}"
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    for table in sorted(set(metadata.tables) & set(inspect(connection).get_table_names())):
        connection.execute(text(f"CREATE TABLE {schema}.{table} AS TABLE {table}"))
    return f"schema {schema}"
