"""Opening the record: engine, pragmas, schema version, and the one thread that writes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from store.errors import RecordFailed, RecordUnusable
from store.schema import metadata
from store.settings import shown
from store.version import VERSION, upgrade, version_of

T = TypeVar("T")
_READ = "aligntree_read"
_TOGETHER = 64
"""Transactions in one commit, at most."""
_PATIENCE_S = 0.004
"""How long what nobody waits for waits for what does: with an instant scorer, one commit a round instead of two."""
_SCHEMA_LOCK = 0x616C69676E  # "align": one process makes the schema


class Together(ABC):
    """Work of which several are done better at once than one by one; all of one family, which shares `write`."""

    @classmethod
    @abstractmethod
    def write(cls, connection: Connection, works: Sequence[Any]) -> None:
        """Do all of these, in order. Where this raises they are done again one by one, to see which of them fails."""

    @abstractmethod
    def committed(self) -> None:
        """Told on the writing thread once it is done, before who waits for it."""

    def failed(self, error: BaseException) -> None:  # noqa: B027 - most need not know
        """Told on the writing thread where it could not be done, before anything else is."""


Work = Callable[[Connection], T] | Together


class _Job(Generic[T]):
    """Work for the writing thread, the future that awaits what it brings, and whether anybody waits for that."""

    def __init__(self, work: Work[T], awaited: bool = False) -> None:
        self.work, self.awaited = work, awaited
        self.future: Future[T] = Future()


class Database:
    """A record, open. `transact` runs a function in one transaction on the writing thread; `read` on any.

    SQLite runs with WAL, synchronous=FULL, foreign keys, a busy timeout and BEGIN IMMEDIATE: without the last, two
    processes that read, compute and write lose updates.
    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine = _engine(url)
        self._waiting: SimpleQueue[Sequence[_Job[Any]] | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name="record", daemon=True)
        self._writer.start()

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

    async def transact(self, work: Work[T], before: Sequence[Together] = ()) -> T:
        """Run `work` in a transaction on the writing thread; what it raises rolls back, and what others wrote does not.

        What waits while a commit is under way is committed together. `work` may be run again where that failed. What is
        to be done `before` goes along in the same commit, and by itself where that fails: nobody waits for it alone.
        """
        return await asyncio.wrap_future(self.submit(work, before))

    def submit(self, work: Work[T], before: Sequence[Together] = (), *, awaited: bool = True) -> Future[T]:
        """The same for callers outside an event loop, and for what is not `awaited`: it has a few milliseconds' time to
        share the commit of what follows.
        """
        job = _Job(work, awaited)
        self._waiting.put([*map(_Job[None], before), job])
        return job.future

    def transact_now(self, work: Callable[[Connection], T]) -> T:
        """The same on the calling thread."""
        with self._failures_told(), self._engine.begin() as connection:
            return work(connection)

    def _write(self) -> None:
        closing = False
        while not closing:
            jobs, closing = self._taken()
            self._commit([job for job in jobs if job.future.set_running_or_notify_cancel()])

    def _taken(self) -> tuple[list[_Job[Any]], bool]:
        """What is to be committed together, and whether it is the last."""
        jobs, patience, until = list[_Job[Any]](), None, 0.0
        while len(jobs) < _TOGETHER:
            try:
                found = self._waiting.get(timeout=patience)
            except Empty:
                break
            if found is None:
                return jobs, True
            until = until or time.monotonic() + _PATIENCE_S
            jobs += found
            patience = 0.0 if any(job.awaited for job in jobs) else max(0.0, until - time.monotonic())
        return jobs, False

    def _commit(self, jobs: Sequence[_Job[Any]]) -> None:
        """All in one transaction; each in its own where one of them fails."""
        if len(jobs) > 1:
            try:
                self._commit_all(jobs)
            except Exception:
                pass  # rolled back as a whole; whoever fails is told below, run by itself
            else:
                return
        for job in jobs:
            try:
                self._commit_all([job])
            except BaseException as error:
                if isinstance(job.work, Together):
                    job.work.failed(error)
                job.future.set_exception(error)

    def _commit_all(self, jobs: Sequence[_Job[Any]]) -> None:
        results = self.transact_now(partial(_done, [job.work for job in jobs]))
        for job in jobs:
            if isinstance(job.work, Together):
                job.work.committed()
        for job, result in zip(jobs, results, strict=True):
            job.future.set_result(result)

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
        self._waiting.put(None)
        self._writer.join()
        self._engine.dispose()


def _done(works: Sequence[Work[Any]], connection: Connection) -> list[Any]:
    """What each brings, in order. Neighbours that can be done at once are."""
    results: list[Any] = []
    for _, group in groupby(works, key=lambda work: isinstance(work, Together)):
        some = list(group)
        if isinstance(some[0], Together):
            some[0].write(connection, some)
            results += [None] * len(some)
        else:
            results += [work(connection) for work in some if not isinstance(work, Together)]
    return results


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
    engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "begin", _sqlite_begin)
        if foreign_keys:
            event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    return engine


def _sqlite_pragmas(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver would begin late, and deferred
    connection.execute("PRAGMA busy_timeout=30000")
    for trial in _until_unlocked():
        with trial:
            connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _until_unlocked() -> Retrying:
    """The switch to WAL does not heed the busy timeout when several processes open a fresh record at once."""
    locked = retry_if_exception_type(sqlite3.OperationalError)
    return Retrying(retry=locked, wait=wait_fixed(0.05), stop=stop_after_delay(10), reraise=True)


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(_READ) else "BEGIN IMMEDIATE")
