"""The one thread that writes: what several callers have to write goes into one commit."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")
_TOGETHER = 64
"""Transactions in one commit, at most."""
_PATIENCE_S = 0.004
"""How long what nobody waits for waits for what does: with an instant scorer, one commit a round instead of two."""


class Together(ABC):
    """Work of which several are done better at once than one by one; all of one family, which shares `write`."""

    @classmethod
    @abstractmethod
    def begin(cls, connection: Connection) -> Any:
        """First in the transaction. While the database is asked, those go on whom the last commit woke: what they bring
        comes along.
        """

    @classmethod
    @abstractmethod
    def write(cls, connection: Connection, works: Sequence[Any], begun: Any) -> None:
        """Do all of these, in order, with what `begin` brought. Where this raises they are done again one by one, to
        see which of them fails.
        """

    @abstractmethod
    def committed(self) -> None:
        """Told on the writing thread once it is done, before who waits for it."""

    def failed(self, error: BaseException) -> None:  # noqa: B027 - most need not know
        """Told on the writing thread where it could not be done, before anything else is."""


Work = Callable[[Connection], T] | Together


class _Job(Generic[T]):
    """Work for the writing thread, and who waits for what it brings: anybody, or somebody on an event loop."""

    def __init__(self, work: Work[T], awaited: bool = False, waiter: asyncio.Future[T] | None = None) -> None:
        self.work, self.awaited, self.waiter = work, awaited, waiter
        self.future: Future[T] = Future()


class Writer:
    """Runs what it is given in transactions, on a thread of its own. `transact_now` runs a function in one."""

    def __init__(self, transact_now: Callable[[Callable[[Connection], list[Any]]], list[Any]]) -> None:
        self._transact_now = transact_now
        self._waiting: SimpleQueue[Sequence[_Job[Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._write, name="record", daemon=True)
        self._thread.start()

    async def transact(self, work: Work[T], before: Sequence[Together] = ()) -> T:
        """Run `work` in a transaction on the writing thread; what it raises rolls back, and what others wrote does not.

        What waits while a commit is under way is committed together. `work` may be run again where that failed. What is
        to be done `before` goes along in the same commit, and by itself where that fails: nobody waits for it alone.
        """
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = _Job(work, awaited=True, waiter=waiter)
        self._waiting.put([*map(_Job[None], before), job])
        try:
            return await waiter
        except asyncio.CancelledError:
            job.future.cancel()
            raise

    def submit(self, work: Work[T], before: Sequence[Together] = (), *, awaited: bool = True) -> Future[T]:
        """The same for callers outside an event loop, and for what is not `awaited`: it has a few milliseconds' time to
        share the commit of what follows.
        """
        job = _Job(work, awaited)
        self._waiting.put([*map(_Job[None], before), job])
        return job.future

    def _write(self) -> None:
        closing = False
        while not closing:
            jobs, closing = self._taken()
            self._commit(_running(jobs))

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

    def _arrived(self, most: int) -> list[_Job[Any]]:
        """What came meanwhile."""
        jobs = list[_Job[Any]]()
        while len(jobs) < most:
            try:
                found = self._waiting.get_nowait()
            except Empty:
                break
            if found is None:
                self._waiting.put(None)  # after this commit
                break
            jobs += found
        return _running(jobs)

    def _commit(self, jobs: list[_Job[Any]]) -> None:
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
                _wake([job])

    def _commit_all(self, jobs: list[_Job[Any]]) -> None:
        """In one transaction. To several, what comes as it begins is added; one alone, as after a failure, stays so."""
        results = self._transact_now(partial(self._done, jobs))
        for job in jobs:
            if isinstance(job.work, Together):
                job.work.committed()
        for job, result in zip(jobs, results, strict=True):
            job.future.set_result(result)
        _wake(jobs)

    def _done(self, jobs: list[_Job[Any]], connection: Connection) -> list[Any]:
        """What each brings, in order. Neighbours that can be done at once are."""
        begun, results = None, list[Any]()
        if (family := next((job.work for job in jobs if isinstance(job.work, Together)), None)) is not None:
            begun = family.begin(connection)
            jobs += self._arrived(_TOGETHER - len(jobs)) if len(jobs) > 1 else ()
        for _, group in groupby((job.work for job in jobs), key=lambda work: isinstance(work, Together)):
            some = list(group)
            if isinstance(some[0], Together):
                some[0].write(connection, some, begun)
                results += [None] * len(some)
            else:
                results += [work(connection) for work in some if not isinstance(work, Together)]
        return results

    def close(self) -> None:
        """What waits is written first."""
        self._waiting.put(None)
        self._thread.join()


def _running(jobs: Sequence[_Job[Any]]) -> list[_Job[Any]]:
    """Those that nobody has called off."""
    return [job for job in jobs if job.future.set_running_or_notify_cancel()]


def _wake(jobs: Sequence[_Job[Any]]) -> None:
    """Tell those who wait on an event loop, all of one loop at once: each call from another thread costs a switch."""
    waiting: dict[asyncio.AbstractEventLoop, list[_Job[Any]]] = {}
    for job in jobs:
        if job.waiter is not None:
            waiting.setdefault(job.waiter.get_loop(), []).append(job)
    for loop, some in waiting.items():
        with suppress(RuntimeError):  # closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, some)


def _tell(jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        if job.waiter is None or job.waiter.done():
            continue
        if (error := job.future.exception()) is not None:
            job.waiter.set_exception(error)
        else:
            job.waiter.set_result(job.future.result())
