"""A run shared by several flow runs: the first starts the others, which claim searches as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from prefect.runtime import deployment
from prefect.states import Cancelled
from pydantic import Field

from flows.errors import BadConfig

Shards = Annotated[int, Field(ge=1, description="Flow runs that share a run, the one that begins it among them.")]


async def check_shards(shards: int) -> str:
    """The name of the deployment that the other flow runs come from: the same as this flow run's. Raises BadConfig."""
    where, mend = f"shards = {shards}", "Deploy it: aligntree deploy --work-pool"
    if not deployment.name:
        raise BadConfig("this flow run is of no deployment", where=where, mend=mend)
    name = f"align/{deployment.name}"
    async with get_client() as client:
        try:
            await client.read_deployment_by_name(name)
        except ObjectNotFound:
            raise BadConfig(f"no deployment {name} to start the others from", where=where, mend=mend) from None
    return name


@asynccontextmanager
async def others(run_id: str, tries: int | None, shards: int) -> AsyncIterator[None]:
    """All but the first of so many flow runs work on the run, too, as long as the block runs. Those that no worker has
    begun by its end are taken back; those that are still at work are not waited for.
    """
    if shards == 1:
        yield
        return
    name, parameters = await check_shards(shards), {"run_id": run_id, "tries": tries}
    started = [(await arun_deployment(name, parameters=parameters, timeout=0)).id for _ in range(shards - 1)]
    try:
        yield
    finally:
        await _take_back(started)


async def _take_back(started: Sequence[UUID]) -> None:
    async with get_client() as client:
        for flow_run_id in started:
            flow_run = await client.read_flow_run(flow_run_id)
            if flow_run.state and (flow_run.state.is_scheduled() or flow_run.state.is_pending()):
                unneeded: State[None] = Cancelled(message="The run ended before a worker began this")
                await client.set_flow_run_state(flow_run_id, unneeded, force=True)
            elif flow_run.state and not flow_run.state.is_final():
                get_run_logger().info("flow run %s has not ended yet; nothing is left for it to do", flow_run.name)
