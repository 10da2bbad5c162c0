"""The Prefect flow: one flow run is one run, one task is one search. The work is the plain functions' own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.settings import get_current_settings

from flows.bench import Bench, Search, open_bench_of
from flows.errors import FlowError
from flows.run import Summary, summarize
from providers import STOPS_THE_RUN, CallFailed

_open: ContextVar[Bench | None] = ContextVar("open_bench", default=None)
"""The bench that this process has open already, for a flow that is called rather than deployed."""


async def through_prefect(bench: Bench, run_id: str) -> None:
    """Carry out a run as a flow run, with the models that are open already."""
    token = _open.set(bench)
    try:
        await align_flow(run_id)
    finally:
        _open.reset(token)


class PrefectUnreachable(FlowError):
    """A Prefect server is configured and does not answer."""


async def check_server() -> None:
    """Before money or rows: does the configured Prefect server answer? An embedded one is started when it is needed."""
    url = get_current_settings().api.url
    if url is None:
        return
    async with get_client() as client:
        if (failure := await client.api_healthcheck()) is not None:
            raise PrefectUnreachable(
                f"does not answer ({type(failure).__name__})",
                where=f"Prefect server {url}",
                mend="Start it, unset PREFECT_API_URL, or use --no-prefect",
            )


@flow(name="align", flow_run_name="align {run_id}", persist_result=False)
async def align_flow(run_id: str) -> str:
    """Carry out (or go on with) a run on record, named by its id alone; returns the id.

    A deployed flow finds the record in ALIGNTREE_RECORD. Our run id, not Prefect's, is what resume goes by.
    """
    async with _bench(run_id) as bench:
        bench.tally.heard = get_run_logger().warning
        try:
            await bench.carry_out(run_id, around=_as_task)
        finally:
            await publish(summarize(bench.record, run_id, bench.config))
    return run_id


@asynccontextmanager
async def _bench(run_id: str) -> AsyncIterator[Bench]:
    if (bench := _open.get()) is not None:
        yield bench
        return
    async with open_bench_of(run_id) as bench:
        yield bench


def _as_task(search: Search) -> Search:
    """A retry of the task goes on from the record. Results are ids and statuses: nothing to cache or keep."""

    @task(
        name="search",
        task_run_name="search {search_id}",
        retries=2,
        retry_delay_seconds=[2, 10],
        retry_condition_fn=_worth_another_try,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    async def search_task(search_id: str) -> str:
        return await search(search_id)

    return search_task


async def _worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    failure = await state.aresult(raise_on_failure=False)
    return not (isinstance(failure, CallFailed) and failure.blame in STOPS_THE_RUN)


@task(name="publish", cache_policy=NO_CACHE, persist_result=False)
async def publish(summary: Summary) -> None:
    """The run's answers as a table artifact, its cost as a note."""
    rows = [
        {
            "prompt": answer.prompt[:200],
            "method": answer.method,
            "status": answer.status,
            "answer": answer.text[:500],
            "value": answer.value,
            "gold": answer.gold,
        }
        for answer in summary.answers
    ]
    await acreate_table_artifact(rows, key="answers", description=f"Answers of run {summary.run_id}")
    totals = summary.totals
    note = (
        f"Run `{summary.run_id}`: {sum(a.status == 'done' for a in summary.answers)} of {len(rows)} searches done, "
        f"{totals.calls} calls, {totals.nodes} nodes, {totals.input_tokens} input tokens, "
        f"{totals.output_tokens} output tokens."
    ) + "".join(f"\n\n**Warning**: {warning}." for warning in summary.warnings)
    await acreate_markdown_artifact(note, key="cost")
