"""Deployments of the flows: for the workers of a work pool, or served by this process alone."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from prefect import aserve
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.config import RunConfig
from flows.errors import BadConfig
from flows.flow import align_flow, tags_of
from flows.prompts import read_prompts
from flows.records import record_of
from flows.scheduled import align_new
from store.settings import record_url


def deployment(config: RunConfig, prompts: str, cron: str | None, shards: int = 1) -> RunnerDeployment:
    """Of the scheduled flow, named by the recipe; its parameters are the config and the path of the prompts.

    `cron` is in UTC; none: it runs when it is told to. Raises BadConfig, BadPrompts.
    """
    read_prompts((), prompts)
    path = Path(prompts)
    made: RunnerDeployment = align_new.to_deployment(  # type: ignore[assignment] # outside a loop it is no coroutine
        name=_checked_name(config.name),
        schedule=_schedule(cron),
        parameters={
            "prompts": str(path.absolute()) if path.exists() else prompts,
            "config": config.model_dump(mode="json"),
            "shards": shards,
        },
        tags=tags_of(config),
        description=f"{config.name} on {config.strong.model}: goes on with what was cut off, begins what is new.",
        version=version("aligntree"),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return made


def deployment_of_runs(config: RunConfig) -> RunnerDeployment:
    """Of the flow that carries out a run on record: shards are flow runs of it. Raises BadConfig."""
    made: RunnerDeployment = align_flow.to_deployment(  # type: ignore[assignment] # as above
        name=_checked_name(config.name),
        tags=tags_of(config),
        description=f"A run of {config.name} on record, by its id: starts, joins, or goes on with it.",
        version=version("aligntree"),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return made


def _schedule(cron: str | None) -> Schedule | None:
    if cron is None:
        return None
    try:
        return Cron(cron, timezone="UTC")
    except ValueError:
        mend = 'Such as --cron "0 2 * * *", 2:00 UTC every day'
        raise BadConfig("is no cron line", where=f"--cron {cron!r}", mend=mend) from None


def _checked_name(name: str) -> str:
    if found := set("/%&<>").intersection(name):
        raise BadConfig(f"holds {sorted(found)[0]!r}", where=f"name = {name}", mend="Set another: --set name=NAME")
    return name


async def deploy(made: Sequence[RunnerDeployment], work_pool: str) -> None:
    """Make them known to the Prefect server, or change them there. Raises BadConfig."""
    async with get_client() as client:
        try:
            await client.read_work_pool(work_pool)
        except ObjectNotFound:
            raise BadConfig(
                "no such work pool",
                where=f"--work-pool {work_pool}",
                mend=f"Make it: prefect work-pool create {work_pool} --type process",
            ) from None
    for one in made:
        await check_owner(one, work_pool)
    for one in made:
        await one.aapply(work_pool_name=work_pool)


async def check_owner(made: RunnerDeployment, work_pool: str | None = None) -> None:
    """A deployment is a work pool's or a serving process's: what is one's is not taken from there unasked. Raises
    BadConfig.
    """
    async with get_client() as client:
        try:
            there = await client.read_deployment_by_name(made.full_name)
        except ObjectNotFound:
            return
    if (there.work_pool_name is None) != (work_pool is None):
        owner = f"work pool {there.work_pool_name}" if there.work_pool_name else "aligntree serve"
        raise BadConfig(
            f"is a deployment of {owner} already",
            where=made.full_name,
            mend=f"Set another name, --set name=NAME, or: prefect deployment delete {made.full_name}",
        )


async def serve(made: RunnerDeployment) -> None:
    """Run its flow runs in processes of this one, one after another, until a signal ends it. What falls due until it is
    back runs then.
    """
    await aserve(made, limit=1, print_starting_message=False, pause_on_shutdown=False)


def absolute_record(record: str | None) -> str:
    """The record as a process in another folder finds it. Raises RecordUnusable."""
    url = record_url(record_of(record))
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(Path(url.database or "").absolute()))
    return url.render_as_string(hide_password=False)
