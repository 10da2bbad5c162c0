"""The verbs that search: align, resume, demo."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from signal import SIGINT
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import completing
from flows.cli.options import (
    Approximate,
    Json,
    Prefect,
    Quiet,
    Recipe,
    RecordOption,
    RunArgument,
    Settings,
    approximation,
    print_json,
    print_table,
    quiet_libraries,
)
from flows.cli.telling import tell

if TYPE_CHECKING:
    from flows.run import Summary, Through
    from flows.tally import Tally


def align(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="[PROMPT]...", help="Texts to continue.")] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            "-f",
            help='Prompts from a text file (one a line) or JSONL ({"prompt": ...}); - is stdin.',
            autocompletion=completing.prompts,
        ),
    ] = None,
    recipe: Recipe = "sentiment",
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            "-m",
            help="One method: base, best_of_n, refine, beam, aligntree or wsd. Default: the recipe's.",
            autocompletion=completing.methods,
        ),
    ] = None,
    settings: Settings = None,
    approximate: Approximate = False,
    record: RecordOption = None,
    prefect: Prefect = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for aligned continuations of prompts.

    aligntree align "The movie was" --method aligntree

    aligntree align --file prompts.jsonl --recipe mine.yaml --set sampling.max_tokens=128
    """
    from flows import run
    from flows.config import load_config
    from flows.prompts import read_prompts

    told = [*(settings or ()), *approximation(approximate)]
    config, given = load_config(recipe, told, method), read_prompts(prompts or (), file)
    summary = carry_out(
        prefect, quiet, lambda tally, through: run.align(given, config, record=record, tally=tally, through=through)
    )
    print_answers(summary, json)
    exit_if_failed(summary)


def resume(
    run: RunArgument = None,
    record: RecordOption = None,
    prefect: Prefect = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run from the record.

    Nothing that was paid for is paid for again. Searches that another process holds are left to it.
    """
    from flows.run import resume as go_on

    summary = carry_out(prefect, quiet, lambda tally, through: go_on(run, record=record, tally=tally, through=through))
    print_answers(summary, json)
    exit_if_failed(summary)


def demo(record: RecordOption = None, prefect: Prefect = True, json: Json = False, quiet: Quiet = False) -> None:
    """Do the main job on the built-in models.

    8 openings are continued plainly (base) and by search (aligntree). No key, no GPU. Runs as a Prefect flow; the whole
    search is on record.
    """
    from importlib.resources import files

    from flows import run
    from flows.config import load_config
    from flows.tables import comparison, cost

    prompts = (files("flows") / "data" / "sentiment.txt").read_text(encoding="utf-8").splitlines()
    config = load_config("sentiment")
    summary = carry_out(
        prefect, quiet, lambda tally, through: run.align(prompts, config, record=record, tally=tally, through=through)
    )
    if json:
        print_answers(summary, json)
        return
    print_table(comparison(summary))
    print(
        "value: log-ratio of the weak pair, nats; it guides the search. "
        "gold: VADER sentiment, -1 to 1; no search sees it."
    )
    print(f"cost: {cost(summary.totals)}")
    print(f"record: {summary.record}, run {summary.run_id}")
    print(f"a tree: aligntree show {summary.run_id} --search 2")


def carry_out(
    prefect: bool | None, quiet: bool, work: Callable[[Tally, Through], Coroutine[Any, Any, Summary]]
) -> Summary:
    """Run `work` under a progress line, through Prefect where that is wanted."""
    quiet_libraries()
    from flows.bench import Bench
    from flows.progress import Watch, run_line
    from flows.signals import Stopped, stopped_by_signals
    from flows.tally import Tally

    tally = Tally()
    through: Through = Bench.carry_out
    if _wants_prefect(prefect):
        from flows.flow import check_server, through_prefect

        asyncio.run(check_server())
        through = through_prefect
    try:
        with Watch(run_line(tally), quiet=quiet):
            return asyncio.run(stopped_by_signals(work(tally, through)))
    except (Stopped, KeyboardInterrupt) as stop:
        what = str(stop) or "interrupted"
        on_record = f"what was paid for is on record, go on with: aligntree resume {tally.run}"
        print(f"{what}: {on_record if tally.run else 'nothing was begun'}", file=sys.stderr)
        sys.exit(128 + getattr(stop, "signal", SIGINT))


def _wants_prefect(asked: bool | None) -> bool:
    """As asked; else where a Prefect server is configured (its embedded one takes seconds to start), or a cluster."""
    if asked is not None:
        return asked
    if os.environ.get("PREFECT_API_URL") or os.environ.get("ALIGNTREE_CLUSTER"):
        return True
    from prefect.settings import get_current_settings

    return get_current_settings().api.url is not None


def print_answers(summary: Summary, json: bool) -> None:
    for warning in summary.warnings:
        tell("warning", warning)
    if json:
        print_json(summary.to_json())
        return
    from flows.tables import cost, signed

    for answer in summary.answers:
        gold = f"  gold {signed(answer.gold)}" if answer.gold is not None else ""
        note = "" if answer.complete else f"  [{answer.status}, not complete: {answer.why}]"
        print(f"{answer.prompt}{answer.text}\n  -- {answer.method}  value {signed(answer.value)}{gold}{note}")
    print(f"run {summary.run_id} in {summary.record}: {cost(summary.totals)}", file=sys.stderr)


def exit_if_failed(summary: Summary) -> None:
    if failed := sum(answer.status == "failed" for answer in summary.answers):
        tell("error", f"{failed} of {len(summary.answers)} searches brought no answer")
        sys.exit(1)
