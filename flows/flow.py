"""The Prefect flow: one flow run is one run, one task is one search. The work is the plain functions' own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from httpx import HTTPError
from prefect import flow, tags, task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.context import TagsContext
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.settings import get_current_settings

from flows.bench import Bench, carry_out, open_bench_of
from flows.cluster import check_cluster, cluster_of, searching_on
from flows.config import RunConfig
from flows.errors import FlowError
from flows.plan import config_of
from flows.progress import run_line
from flows.publishing import publish, report_of, reports
from flows.records import open_record
from flows.run import summarize
from flows.sharding import Shards, others
from flows.share import Search
from flows.tally import Tally
from providers import STOPS_THE_RUN, CallFailed
from store import Record, SearchRow

_SHOWN_EVERY_S = 2.0
_open: ContextVar[Bench | None] = ContextVar("open_bench", default=None)
"""The bench that this process has open already, for a flow that is called rather than deployed."""


async def through_prefect(bench: Bench, run_id: str, tries: int | None = None, shards: int = 1) -> None:
    """Carry out a run as a flow run, or as so many, with the models that are open already."""
    token = _open.set(bench)
    try:
        with tags(*tags_of(bench.config)):
            await align_flow(run_id, tries, shards)
    finally:
        _open.reset(token)


class PrefectUnreachable(FlowError):
    """A Prefect server is configured and does not answer, or none is where one is needed."""


async def check_server(*, needed: bool = False) -> None:
    """Before money or rows: does the configured Prefect server answer? Where none is configured, nor `needed`, an
    embedded one is started later. A cluster needs one, and is looked for as well; so is a folder of reports.
    """
    reports()
    check_cluster()
    url, needed = get_current_settings().api.url, needed or cluster_of() is not None
    if url is None and needed:
        raise PrefectUnreachable(
            "is not set",
            where="PREFECT_API_URL",
            mend="Start a server, from an environment of its own (docs/operations.md says why), and set this to "
            "http://127.0.0.1:4200/api",
        )
    if url is None:
        return
    async with get_client() as client:
        if (failure := await client.api_healthcheck()) is not None:
            raise PrefectUnreachable(
                f"does not answer ({type(failure).__name__})",
                where=f"Prefect server {url}",
                mend="Start it" if needed else "Start it, unset PREFECT_API_URL, or use --no-prefect",
            )


def tags_of(config: RunConfig) -> list[str]:
    """What flow runs of a recipe are found by."""
    return [f"recipe:{config.name}", f"model:{config.strong.model}"]


def _name() -> str:
    """Recipe, model and run."""
    run_id = flow_run.parameters["run_id"]
    if (bench := _open.get()) is not None:
        config = bench.config
    else:
        with open_record() as record:
            config = config_of(record.run(run_id))
    return f"{config.name} {config.strong.model} {run_id}"


@flow(name="align", flow_run_name=_name, persist_result=False)
async def align_flow(run_id: str, tries: int | None = None, shards: Shards = 1) -> str:
    """Carry out (or go on with) a run on record, named by its id or an unambiguous part alone; returns the id.

    A deployed flow finds the record in ALIGNTREE_RECORD. Our run id, not Prefect's, is what resume goes by. Searches
    that were claimed as often as `tries` are left alone. Where ALIGNTREE_CLUSTER names a Dask or Ray cluster, they are
    carried out there. A deployed flow run, one on a cluster, and each of several `shards`, stays until nobody works on
    the run any more; the first of them alone publishes.
    """
    deployed = _is_deployed()
    if deployed:
        with open_record() as record:
            row = record.run(run_id)
        if not row.unfinished:  # no model needs to be loaded
            return row.id
        run_id = row.id
    another = deployed and flow_run.parent_flow_run_id is not None
    with TagsContext(current_tags=set()):  # a tag of a task costs two questions at the server, for its slots by tag
        async with _work(run_id) as work:
            work.tally.heard = get_run_logger().warning
            try:
                async with _progress(work.tally), others(run_id, tries, shards):
                    await work.carry_out(run_id, tries, stay=deployed or shards > 1 or work.elsewhere)
            finally:
                if not another:
                    await publish(summarize(work.record, run_id, work.config), await report_of(work.record, run_id))
    return run_id


def _is_deployed() -> bool:
    """Not for the flow itself to look up: a cluster is sent the flow with all that it names, and this cannot be."""
    return _open.get() is None


@dataclass(frozen=True)
class _Work:
    """A run's work as its flow run sees it: each search is a task, in this process or `elsewhere`."""

    record: Record
    config: RunConfig
    tally: Tally
    search: Search
    elsewhere: bool

    async def carry_out(self, run_id: str, tries: int | None, *, stay: bool) -> None:
        await carry_out(self.record, self.config, self.tally, run_id, self.search, tries, stay=stay)


@asynccontextmanager
async def _work(run_id: str) -> AsyncIterator[_Work]:
    """On a cluster where the environment names one: then no model needs to be open here."""
    bench, cluster = _open.get(), cluster_of()
    if cluster is None:
        async with nullcontext(bench) if bench else open_bench_of(run_id) as here:
            yield _Work(here.record, here.config, here.tally, _as_task(here), False)
        return
    check_cluster()
    with nullcontext(bench.record) if bench else open_record() as record:
        tally, config = bench.tally if bench else Tally(), config_of(record.run(run_id))
        async with searching_on(cluster, SEARCH_TASK, run_id) as on_cluster:

            async def search(search_id: str) -> str:
                status = await on_cluster(search_id)
                get_run_logger().info(_told(record.search(search_id)))
                return status

            yield _Work(record, config, tally, search, True)


def _as_task(bench: Bench) -> Search:
    @task(**SEARCH_TASK)
    async def search_task(search_id: str) -> str:
        status = await bench.search(search_id)
        get_run_logger().info(_told(bench.record.search(search_id)))
        return status

    return search_task


def _told(row: SearchRow) -> str:
    """What a search came to, for the log: its node is what aligntree explain asks for."""
    if not row.ended:
        return f"search {row.id} ({row.method}) is held by another worker"
    answer = row.answer or {}
    node = f": node {answer['node'][:8]}, value {answer['value']:+.2f}" if answer.get("node") else ""
    why = f" ({answer['why']})" if answer.get("why") else ""
    return f"search {row.id} ({row.method}) {row.status}{node}{why}"


async def _worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    """Not where every call would fail, nor where it is the user's to mend (exit status 2)."""
    failure = await state.aresult(raise_on_failure=False)
    stops = isinstance(failure, CallFailed) and failure.blame in STOPS_THE_RUN
    return not stops and getattr(failure, "exit_status", 1) != 2


SEARCH_TASK: Final[dict[str, Any]] = {
    "name": "search",
    "task_run_name": "search {search_id}",
    "retries": 2,
    "retry_delay_seconds": [2, 10],
    "retry_condition_fn": _worth_another_try,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
"""A retry goes on from the record. Results are ids and statuses: nothing to cache or keep."""


@asynccontextmanager
async def _progress(tally: Tally) -> AsyncIterator[None]:
    """The progress line as an artifact, as long as the block runs."""
    line = run_line(tally)
    artifact = await acreate_progress_artifact(0.0, key="progress", description="begun")

    async def show() -> None:
        done = 100 * tally.done / tally.searches if tally.searches else 0.0
        with suppress(HTTPError):  # what it shows is worth less than the run
            await aupdate_progress_artifact(artifact, done, line() or "begun")

    async def keep_showing() -> None:
        while True:
            await asyncio.sleep(_SHOWN_EVERY_S)
            await show()

    showing = asyncio.create_task(keep_showing())
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        await show()
