"""The flow that a schedule runs: it goes on with what was cut off, and begins what is new. It is told a config."""

from __future__ import annotations

import os
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from flows.bench import open_bench, open_bench_of
from flows.cluster import check_cluster
from flows.config import RunConfig
from flows.errors import BadConfig, FlowError, RunInterrupted
from flows.flow import through_prefect
from flows.plan import new_searches
from flows.prompts import read_prompts
from flows.publishing import reports
from flows.records import open_record
from flows.run import told_holders
from flows.sharding import Shards, check_shards
from flows.wanted import Wanted, wanted
from providers import ProviderError
from scoring import ScoringError
from store import StoreError
from store.settings import ENVIRONMENT, record_url

_OURS = (FlowError, ProviderError, ScoringError, StoreError)
_Log = Logger | LoggerAdapter[Any]

Tries = Annotated[int, Field(ge=1, description="How often a search is begun or gone on with until it is left to you.")]
Prompts = Annotated[str, Field(min_length=1, description="Prompt file, as the worker sees it; or a built-in name.")]


def _name() -> str:
    """Recipe and model."""
    given = flow_run.parameters["config"]
    config = given if isinstance(given, RunConfig) else RunConfig.model_validate(given)
    return f"{config.name} {config.strong.model}: what is new"


@flow(name="align-new", flow_run_name=_name, persist_result=False)
async def align_new(prompts: Prompts, config: RunConfig, tries: Tries = 5, shards: Shards = 1) -> list[str]:
    """Search what no run on record has searched yet, by identity: prompt, occurrence, settings, seed.

    Runs that were cut off are gone on with first, as far as nobody else works on them, and only as far as `prompts` and
    `config` still ask for one of their searches. Returns the ids of the runs that it worked on, each a flow run of its
    own, or as many as `shards`, where workers are free. The record is the one that ALIGNTREE_RECORD names; keys come
    from the environment: neither is a parameter.

    Raises RunInterrupted where one of them did not end; the next scheduled run goes on.
    """
    _check_record()
    reports()
    check_cluster()
    if shards > 1:
        await check_shards(shards)
    log, searches = get_run_logger(), new_searches(config, read_prompts((), prompts))
    with open_record(create=True) as record:
        found = wanted(record, searches, tries)
    _tell(log, found, len(searches), tries)
    runs, failures = list[str](), list[Exception]()
    for run_id in found.unfinished:
        runs.append(run_id)
        try:
            async with open_bench_of(run_id) as bench:
                await through_prefect(bench, run_id, tries, shards)
        except _OURS as failure:  # one run's trouble does not keep others from being gone on with
            failures.append(failure)
    if found.new:
        async with open_bench(config) as bench:
            begun = await bench.begin_what_is_new(searches, tries)
            if begun is not None:  # else another flow run was faster
                runs.append(begun)
                await through_prefect(bench, begun, shards=shards)
    if failures:
        raise RunInterrupted(
            f"{len(failures)} of {len(runs)} runs did not end: {failures[0]}",
            where=f"schedule of {config.name}",
            mend="The next scheduled run goes on",
        ) from failures[0]
    return runs


def _check_record() -> None:
    """A worker's folder is gone after each flow run, and a record in it."""
    given = os.environ.get(ENVIRONMENT)
    if not given:
        raise BadConfig("is not set", where=ENVIRONMENT, mend="Name the record in the worker's environment")
    url = record_url(given)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_absolute():
        raise BadConfig(f"names no absolute path: {url.database}", where=ENVIRONMENT, mend="Name the whole path")


def _tell(log: _Log, found: Wanted, asked: int, tries: int) -> None:
    log.info(
        "%d of %d searches are new; runs to go on with: %s",
        len(found.new), asked, ", ".join(found.unfinished) or "none",
    )  # fmt: skip
    for line in told_holders(found.held):
        log.info(line)
    for standing in found.given_up:
        log.warning(
            "search %s was worked on %d times and did not end: it is left to you (aligntree resume %s)",
            standing.search_id, standing.tries, standing.run_id,
        )  # fmt: skip
