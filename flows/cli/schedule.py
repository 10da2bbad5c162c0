"""The verbs that schedule: deploy, serve."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Annotated

import typer

from flows.cli import completing
from flows.cli.options import Json, RecordOption, Settings, print_json, quiet_libraries

RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="A built-in recipe's name or a YAML file.", autocompletion=completing.recipes
    ),
]
File = Annotated[
    str,
    typer.Option(
        "--file",
        "-f",
        help="Prompts: a file, which may grow, or built-in ones by name (sentiment).",
        autocompletion=completing.prompts,
    ),
]
Cron = Annotated[
    str | None,
    typer.Option("--cron", help='When to run, in UTC: "0 2 * * *" is 2:00 every day. Default: when told to.'),
]


def deploy(
    recipe: RecipeArgument,
    file: File,
    work_pool: Annotated[str, typer.Option("--work-pool", help="The Prefect work pool whose workers run it.")],
    shards: Annotated[
        int, typer.Option("--shards", min=1, help="Flow runs that share each run, on as many workers. Default: 1.")
    ] = 1,
    cron: Cron = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Make or change a scheduled deployment on a work pool.

    What is new in the file is searched each time. Runs that were cut off are gone on with. Workers find the record in
    ALIGNTREE_RECORD. Needs a Prefect server (PREFECT_API_URL).
    """
    quiet_libraries()
    from flows.config import load_config
    from flows.deploying import deploy as put
    from flows.deploying import deployment, deployment_of_runs

    config = load_config(recipe, settings or ())
    made = deployment(config, file, cron, shards)
    _check_server()
    asyncio.run(put([made, deployment_of_runs(config)], work_pool))
    if json:
        print_json({"deployment": made.full_name, "work_pool": work_pool, "cron": cron, "shards": shards})
        return
    at_once = f"at once: prefect deployment run {made.full_name!r}"
    print(f"deployed {made.full_name} to {work_pool}, {_when(cron)}; {at_once}")


def serve(
    recipe: RecipeArgument,
    file: File,
    cron: Cron = None,
    settings: Settings = None,
    record: RecordOption = None,
) -> None:
    """Do as deploy does, from this one process.

    It stays, and runs what is due. Needs a Prefect server (PREFECT_API_URL).
    """
    quiet_libraries(logs=True)
    from flows.config import load_config
    from flows.deploying import absolute_record, check_owner, deployment
    from flows.deploying import serve as stay

    made = deployment(load_config(recipe, settings or ()), file, cron)
    _check_server()
    asyncio.run(check_owner(made))
    os.environ["ALIGNTREE_RECORD"] = absolute_record(record)  # for the processes of its flow runs
    at_once = f"at once: prefect deployment run {made.full_name!r}"
    print(f"serving {made.full_name} until Ctrl-C, {_when(cron)}; {at_once}", flush=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(stay(made))


def _when(cron: str | None) -> str:
    return f"{cron!r} UTC" if cron else "without a schedule (--cron)"


def _check_server() -> None:
    from flows.flow import check_server

    asyncio.run(check_server(needed=True))
