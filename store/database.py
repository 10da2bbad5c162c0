"""Opening the record: engine, pragmas, schema version; reading it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from store.bulk import run
from store.errors import RecordFailed, RecordUnusable
from store.schema import metadata
from store.settings import shown
from store.text import read_json
from store.version import VERSION, upgrade, version_of
from store.writer import Together, Work, Writer

if TYPE_CHECKING:
    from tenacity import Retrying

T = TypeVar("T")
_READ = "aligntree_read"
_PING_AFTER_S = 1.0
_SCHEMA_LOCK = 0x616C69676E  # "align": one process makes the schema


class Database:
    """A record, open. `transact` and `submit` write on its one writing thread; `read` reads on any.

    SQLite runs with WAL, synchronous=FULL, foreign keys, a busy timeout and BEGIN IMMEDIATE: without the last, two
    processes that read, compute and write lose updates.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine = _engine(url)
        self._writer = Writer(self.transact_now)

    @classmethod
    def open(cls, url: URL, *, create: bool = False) -> Database:
        """Open a record of this version; `create` makes the schema where there is none. Raises RecordUnusable."""
        if not create:
            _check_file(url)
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
        with self._engine.begin() as connection:
            one_at_a_time(connection, _SCHEMA_LOCK)
            if create and not set(metadata.tables) & set(inspect(connection).get_table_names()):
                upgrade(connection)
            found = version_of(connection, self.url)
            if found != VERSION:
                raise RecordUnusable(
                    f"its schema {found!r} is older than this version's {VERSION!r}",
                    where=f"record {shown(self.url)}",
                    mend="Upgrade it: aligntree upgrade --record RECORD",
                )

    def transact(self, work: Work[T], before: Sequence[Together] = ()) -> Awaitable[T]:
        """Run `work` in a transaction on the writing thread, with what others have to write: see Writer."""
        return self._writer.transact(work, before)

    def submit(self, work: Work[T], before: Sequence[Together] = (), *, awaited: bool = True) -> Future[T]:
        return self._writer.submit(work, before, awaited=awaited)

    def transact_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction on the calling thread."""
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
        """What waits is written first."""
        self._writer.close()
        self._engine.dispose()


def one_at_a_time(connection: Connection, what: int) -> None:
    """Nobody else is past this, of the same number, until this transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite has begun with its write lock
        connection.execute(text(f"SELECT pg_advisory_xact_lock({what})"))


@contextmanager
def connected(url: URL, *, foreign_keys: bool = True) -> Iterator[Connection]:
    """One transaction on an existing database, without the checks of a record. Raises RecordUnusable, DBAPIError."""
    _check_file(url)
    engine = _engine(url, foreign_keys=foreign_keys)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _check_file(url: URL) -> None:
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise RecordUnusable(
            "no such record", where=f"record {shown(url)}", mend="Name another with --record, or start a run with align"
        )


def _engine(url: URL, *, foreign_keys: bool = True) -> Engine:
    engine = create_engine(url, json_deserializer=read_json)
    if url.get_backend_name() != "sqlite":
        event.listen(engine, "connect", _in_use)
        event.listen(engine, "checkin", _in_use)
        event.listen(engine, "checkout", partial(_ping, engine.dialect))
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "begin", _sqlite_begin)
        if foreign_keys:
            event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    return engine


def _in_use(_: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["until"] = time.monotonic()


def _ping(dialect: Dialect, connection: Any, entry: ConnectionPoolEntry, _: Any) -> None:
    """Does the server still answer? As SQLAlchemy's own ping, but not for each of many commits in a row: it is asked
    where the connection was idle for long, or something came on it unasked, such as its end.
    """
    try:
        with DefaultSelector() as selector:
            selector.register(connection, EVENT_READ)
            told = selector.select(0)
        if told or time.monotonic() - entry.info["until"] > _PING_AFTER_S:
            dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error  # all are made anew


def _sqlite_pragmas(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver would begin late, and deferred
    connection.execute("PRAGMA busy_timeout=30000")
    for trial in _until_unlocked():
        with trial:
            connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=4000")  # pages, 16 MB: its default of 1,000 writes twice as often


def _until_unlocked() -> Retrying:
    """The switch to WAL does not heed the busy timeout when several processes open a fresh record at once."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed  # loads tornado where it is

    locked = retry_if_exception_type(sqlite3.OperationalError)
    return Retrying(retry=locked, wait=wait_fixed(0.05), stop=stop_after_delay(10), reraise=True)


def _sqlite_begin(connection: Connection) -> None:
    run(connection, "BEGIN" if connection.get_execution_options().get(_READ) else "BEGIN IMMEDIATE")
