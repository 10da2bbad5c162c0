"""Searches on a Dask or Ray cluster: each is a Prefect task in one of its processes, told ids alone.

Such a process finds record and keys in its own environment. It opens what a run works with once, and searches as any
other worker does: by lease.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from prefect import task
from prefect.task_runners import TaskRunner
from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt

from flows.bench import Bench, open_bench_of
from flows.errors import BadConfig, FlowError
from flows.share import Search

CLUSTER: Final = "ALIGNTREE_CLUSTER"
"""The environment variable that names a cluster, as its scheduler or head tells its address."""
_RUNNERS = {"tcp": ("dask", "DaskTaskRunner"), "tls": ("dask", "DaskTaskRunner"), "ray": ("ray", "RayTaskRunner")}
_ANSWERS_WITHIN_S = 5.0
_TRIED = Retrying(
    retry=retry_if_exception_type(ConnectionError),
    stop=stop_after_attempt(3),
    before_sleep=before_sleep_log(logging.getLogger(__name__), logging.WARNING),
    reraise=True,
)
"""A Ray head forks a process for each who connects, which now and then dies as it begins (seen with Ray 2.60)."""


class ClusterUnreachable(FlowError):
    """A cluster is named and does not answer."""


def cluster_of() -> str | None:
    """The address of the cluster that the environment names. Raises BadConfig."""
    address = os.environ.get(CLUSTER)
    if address:
        _runner_class(address)
    return address or None


def check_cluster() -> None:
    """Before money or rows: is the cluster there, if one is named? Raises BadConfig, ClusterUnreachable."""
    if (address := cluster_of()) is None:
        return
    at = urlsplit(address)
    try:
        socket.create_connection((at.hostname, at.port or 0), _ANSWERS_WITHIN_S).close()
    except OSError as error:
        raise _unreachable(address, error) from None


def _runner_class(address: str) -> type[TaskRunner[Any]]:
    """Prefect's own integration for an address, by its scheme."""
    where = f"{CLUSTER}={address}"
    try:
        at = urlsplit(address)
        extra, name = _RUNNERS[at.scheme if at.hostname and at.port else ""]
    except (KeyError, ValueError):
        mend = "Such as tcp://HOST:8786 (a Dask scheduler) or ray://HOST:10001 (a Ray head)"
        raise BadConfig("is no address of a cluster", where=where, mend=mend) from None
    try:
        found: type[TaskRunner[Any]] = getattr(import_module(f"prefect_{extra}"), name)
    except ImportError as error:
        mend = f"Install it: pip install 'aligntree[{extra}]'"
        raise BadConfig(f"needs a package that is not installed ({error})", where=where, mend=mend) from None
    return found


@asynccontextmanager
async def searching_on(address: str, options: Mapping[str, Any], run_id: str) -> AsyncIterator[Search]:
    """The way to carry out a run's searches on a cluster, from within a flow run; `options` are those of a task."""
    search_task = task(**options)(search_here)
    with ExitStack() as connected:
        runner = await asyncio.to_thread(_connect, address, connected)

        async def search(search_id: str) -> str:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            future = runner.submit(search_task, {"run_id": run_id, "search_id": search_id})
            future.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
            await ended.wait()
            status: str = await asyncio.to_thread(future.result)
            return status

        yield search


def _connect(address: str, connected: ExitStack) -> TaskRunner[Any]:
    """Raises ClusterUnreachable."""

    def connect() -> TaskRunner[Any]:
        made = _runner_class(address)(address=address)  # type: ignore[call-arg] # both integrations take it
        runner: TaskRunner[Any] = connected.enter_context(made)
        getattr(runner, "client", None)  # Dask's connects when it is first asked for
        return runner

    try:
        return _TRIED(connect)
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: OSError) -> ClusterUnreachable:
    told = str(error).strip().splitlines()[-1:]
    return ClusterUnreachable(
        f"does not answer ({told[0] if told else type(error).__name__})",
        where=f"{CLUSTER}={address}",
        mend=f"Start it, or unset {CLUSTER}",
    )


def search_here(run_id: str, search_id: str) -> str:
    """One search in this process, from a thread that has nothing else to do; returns its status."""
    return asyncio.run_coroutine_threadsafe(_HERE.search(run_id, search_id), _HERE.loop()).result()


@dataclass
class _Open:
    """What is open for a run, and how many of its searches are under way."""

    bench: Bench
    closing: AsyncExitStack
    searches: int = 0


class _Here:
    """The benches of a process of a cluster, in an event loop of their own: its searches share models and batches.

    A bench stays open until a search of another run comes while none of its own is under way.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._opening: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()

    def loop(self) -> asyncio.AbstractEventLoop:
        """Started when it is first asked for."""
        with self._starting:
            if self._loop is None:
                self._loop, self._opening = asyncio.new_event_loop(), asyncio.Lock()
                threading.Thread(target=self._loop.run_forever, name="searches", daemon=True).start()
            return self._loop

    async def search(self, run_id: str, search_id: str) -> str:
        assert self._opening is not None
        async with self._opening:
            found = self._open.get(run_id) or await self._opened(run_id)
            found.searches += 1
        try:
            return await found.bench.search(search_id)
        finally:
            found.searches -= 1

    async def _opened(self, run_id: str) -> _Open:
        for other in [other for other, found in self._open.items() if not found.searches]:
            await self._open.pop(other).closing.aclose()
        async with AsyncExitStack() as entered:
            bench = await entered.enter_async_context(open_bench_of(run_id))
            self._open[run_id] = _Open(bench, entered.pop_all())
        return self._open[run_id]


_HERE = _Here()
