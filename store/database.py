"""Opening the record: engine, pragmas, schema version, and the one thread that writes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from store.errors import RecordFailed, RecordUnusable
from store.schema import metadata
from store.settings import shown

VERSION_TABLE = "aligntree_version"
"""Alembic's own table under another name: Prefect's server has an alembic_version in its database."""

T = TypeVar("T")
_READ = "aligntree_read"
_SCHEMA_LOCK = 0x616C69676E  # "align": one process makes the schema


class Database:
    """A record, open. `transact` runs a function in one transaction on the writing thread; `read` on any.

    SQLite runs with WAL, synchronous=FULL, foreign keys, a busy timeout and BEGIN IMMEDIATE: without the last, two
    processes that read, compute and write lose updates.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine = _engine(url)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="record")

    @classmethod
    def open(cls, url: URL, *, create: bool = False) -> Database:
        """Open a record of this version; `create` makes the schema where there is none. Raises RecordUnusable."""
        if url.get_backend_name() == "sqlite" and not create and not Path(url.database or "").is_file():
            raise RecordUnusable(
                "no such record",
                where=f"record {shown(url)}",
                mend="Name another with --record, or start a run with align",
            )
        database = cls(url)
        try:
            database._check_version(create)
        except DBAPIError as error:
            database.close()
            raise RecordUnusable(
                f"cannot be opened: {str(error.orig).strip().splitlines()[0]}",
                where=f"record {shown(url)}",
                mend="Check the URL, that the server runs and that the folder can be written to",
            ) from None  # the cause's text may hold the URL
        except BaseException:
            database.close()
            raise
        return database

    def _check_version(self, create: bool) -> None:
        config = _alembic()
        scripts = ScriptDirectory.from_config(config)
        known, head = {s.revision for s in scripts.walk_revisions()}, scripts.get_current_head()
        where = f"record {shown(self.url)}"
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has begun with its write lock
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))
            found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
            ours = set(metadata.tables) & set(inspect(connection).get_table_names())
            if found is None and (ours or not create):
                mend = "Name another database with --record"
                raise RecordUnusable("holds no record of aligntree", where=where, mend=mend)
            if found is None:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            elif found not in known:
                raise RecordUnusable(
                    f"its schema {found!r} is newer than this version's {head!r}",
                    where=where,
                    mend="Upgrade aligntree: pip install --upgrade aligntree",
                )

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction on the writing thread; what it raises rolls back."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self.transact_now, work)

    def transact_now(self, work: Callable[[Connection], T]) -> T:
        """The same on the calling thread."""
        with self._failures_told(), self._engine.begin() as connection:
            return work(connection)

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise RecordFailed(
                str(error.orig).strip().splitlines()[0],  # the whole would show the statement's values
                where=f"record {shown(self.url)}",
                mend="Mend the database, then: aligntree resume",
            ) from None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one consistent view, on the calling thread; writers are not held up."""
        level = {} if self._engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        connecting = self._engine.connect().execution_options
        with self._failures_told(), connecting(**{_READ: True}, **level) as connection, connection.begin():
            return work(connection)

    def close(self) -> None:
        self._writer.shutdown()
        self._engine.dispose()


def _engine(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_pragmas(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver would begin late, and deferred
    connection.execute("PRAGMA busy_timeout=30000")
    for trial in _until_unlocked():
        with trial:
            connection.execute("PRAGMA journal_mode=WAL")
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _until_unlocked() -> Retrying:
    """The switch to WAL does not heed the busy timeout when several processes open a fresh record at once."""
    locked = retry_if_exception_type(sqlite3.OperationalError)
    return Retrying(retry=locked, wait=wait_fixed(0.05), stop=stop_after_delay(10), reraise=True)


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(_READ) else "BEGIN IMMEDIATE")


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
