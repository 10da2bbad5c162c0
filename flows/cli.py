"""The command `aligntree`. Nothing heavy is imported until a verb needs it: `--help` answers at once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flows.run import Summary, Through
    from flows.search import Tally

app = typer.Typer(
    help="Align strong language models you may only call: search over their own continuations, guided by a small local "
    "weak pair, every step on record.",
    epilog="Begin with: aligntree demo",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Recipe = Annotated[str, typer.Option("--recipe", "-r", help="A built-in recipe's name (sentiment) or a YAML file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="One setting over the recipe's, such as sampling.max_tokens=64."
    ),
]
RecordOption = Annotated[
    str | None,
    typer.Option("--record", help="Database URL or SQLite path. Default: $ALIGNTREE_RECORD, else ./aligntree.db."),
]
Prefect = Annotated[
    bool | None,
    typer.Option(
        "--prefect/--no-prefect",
        help="Run as a Prefect flow. Default: where a Prefect server is configured.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="A run's id, or an unambiguous beginning or end of it. Default: the newest."),
]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["ALIGNTREE_DEBUG"] = "1"


@app.command()
def align(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="[PROMPT]...", help="Texts to continue.")] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", help='Prompts from a text file (one a line) or JSONL ({"prompt": ...}); - is stdin.'
        ),
    ] = None,
    recipe: Recipe = "sentiment",
    method: Annotated[
        str | None,
        typer.Option("--method", "-m", help="One method: base, best_of_n, beam or aligntree. Default: the recipe's."),
    ] = None,
    settings: Settings = None,
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

    config, given = load_config(recipe, settings or (), method), read_prompts(prompts or (), file)
    summary = _carry_out(
        prefect, quiet, lambda tally, through: run.align(given, config, record=record, tally=tally, through=through)
    )
    _print_answers(summary, json)
    _exit_if_failed(summary)


@app.command()
def resume(
    run: RunArgument = None,
    record: RecordOption = None,
    prefect: Prefect = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run from the record; nothing that was paid for is paid for again.

    Searches that another process holds are left to it.
    """
    from flows.run import resume as go_on

    summary = _carry_out(prefect, quiet, lambda tally, through: go_on(run, record=record, tally=tally, through=through))
    _print_answers(summary, json)
    _exit_if_failed(summary)


@app.command()
def runs(record: RecordOption = None, json: Json = False) -> None:
    """List the runs on record, newest first."""
    from flows.bench import open_record

    with open_record(record) as opened:
        rows = opened.runs()
    if json:
        from dataclasses import asdict

        _print_json([asdict(row) for row in rows])
        return
    from flows.tables import runs_table

    _print(runs_table(rows))


@app.command()
def show(
    run: RunArgument = None,
    search: Annotated[
        str | None, typer.Option("--search", help="Draw the tree of this search: its number in the run, or its id.")
    ] = None,
    depth: Annotated[int | None, typer.Option("--depth", min=1, help="Levels to draw. Default: all.")] = None,
    record: RecordOption = None,
) -> None:
    """Show a run's searches, or one search as a tree.

    Each node is a chunk with its value V (the scorer's scale), visits N and prior P; the chosen path is marked *.
    """
    from flows.bench import open_record
    from flows.show import draw, find_search, replayed
    from flows.tables import searches_table

    with open_record(record) as opened:
        row = opened.run(run)
        searches = opened.searches(row.id)
        if search is None and len(searches) > 1:
            _print(searches_table(searches))
            print(f"A tree: aligntree show {row.id} --search 1")
            return
        found = find_search(searches, search or "1")
        _print(draw(found, replayed(opened, row, found), depth))


@app.command()
def demo(record: RecordOption = None, prefect: Prefect = True, quiet: Quiet = False) -> None:
    """The main job on the built-in models: 8 openings, continued plainly (base) and by search (aligntree).

    No key, no GPU. Runs as a Prefect flow; the whole search is on record.
    """
    from importlib.resources import files

    from flows import run
    from flows.config import load_config
    from flows.tables import comparison, cost

    prompts = (files("flows") / "data" / "sentiment.txt").read_text(encoding="utf-8").splitlines()
    config = load_config("sentiment")
    summary = _carry_out(
        prefect, quiet, lambda tally, through: run.align(prompts, config, record=record, tally=tally, through=through)
    )
    _print(comparison(summary))
    print(
        "value: log-ratio of the weak pair, nats; it guides the search. "
        "gold: VADER sentiment, -1 to 1; no search sees it."
    )
    print(f"cost: {cost(summary.totals)}")
    print(f"record: {summary.record}, run {summary.run_id}")
    print(f"a tree: aligntree show {summary.run_id} --search 2")


def _carry_out(
    prefect: bool | None, quiet: bool, work: Callable[[Tally, Through], Coroutine[Any, Any, Summary]]
) -> Summary:
    """Run `work` under a progress line, through Prefect where that is wanted."""
    _quiet_libraries()
    from flows.bench import Bench
    from flows.progress import Watch
    from flows.search import Tally

    tally = Tally()
    through: Through = Bench.carry_out
    if _wants_prefect(prefect):
        from flows.flow import check_server, through_prefect

        asyncio.run(check_server())
        through = through_prefect
    try:
        with Watch(tally, quiet=quiet):
            return asyncio.run(work(tally, through))
    except KeyboardInterrupt:
        print("interrupted; what was paid for is on record, go on with: aligntree resume", file=sys.stderr)
        sys.exit(130)


def _wants_prefect(asked: bool | None) -> bool:
    """As asked; else where a Prefect server is configured (its embedded one takes seconds to start)."""
    if asked is not None:
        return asked
    if os.environ.get("PREFECT_API_URL"):
        return True
    from prefect.settings import get_current_settings

    return get_current_settings().api.url is not None


def _quiet_libraries() -> None:
    """No analytics, no calls home, no log noise of our libraries on the terminal, unless the user set otherwise."""
    for name, value in {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
        "HF_HUB_OFFLINE": "1",
        "TQDM_DISABLE": "1",  # the progress shown is ours
        "TRANSFORMERS_VERBOSITY": "error",
    }.items():
        os.environ.setdefault(name, value)


def _print_answers(summary: Summary, json: bool) -> None:
    if json:
        _print_json(summary.to_json())
        return
    from flows.tables import cost, signed

    for answer in summary.answers:
        gold = f"  gold {signed(answer.gold)}" if answer.gold is not None else ""
        note = "" if answer.complete else f"  [{answer.status}, not complete: {answer.why}]"
        print(f"{answer.prompt}{answer.text}\n  -- {answer.method}  value {signed(answer.value)}{gold}{note}")
    print(f"run {summary.run_id} in {summary.record}: {cost(summary.totals)}", file=sys.stderr)


def _exit_if_failed(summary: Summary) -> None:
    if failed := sum(answer.status == "failed" for answer in summary.answers):
        print(f"error: {failed} of {len(summary.answers)} searches brought no answer", file=sys.stderr)
        sys.exit(1)


def _print_json(value: Any) -> None:
    import json

    print(json.dumps(value, ensure_ascii=False, indent=1))


def _print(renderable: Any) -> None:
    from rich.console import Console

    console = Console()
    # What is not for a terminal is not squeezed into 80 columns.
    (console if console.is_terminal else Console(width=120)).print(renderable)


def main() -> None:
    """Run the command. Errors of the four packages are told in a line or two; exit status 2 for the user's mistakes,
    1 for the world's.
    """
    try:
        app()
    except Exception as error:
        from flows.errors import FlowError
        from providers.errors import ProviderError
        from scoring.errors import ScoringError
        from store.errors import StoreError

        if os.environ.get("ALIGNTREE_DEBUG") or not isinstance(
            error, FlowError | ProviderError | ScoringError | StoreError
        ):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
