"""The verb that holds methods against each other: compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import completing
from flows.cli.align import carry_out, exit_if_failed
from flows.cli.options import Json, Prefect, Quiet, RecordOption, Settings, print_json, print_table

if TYPE_CHECKING:
    from flows.run import Summary


def compare(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A built-in recipe's name (comparison, ablation, chunks, story) or a YAML file. Default: comparison.",
            autocompletion=completing.recipes,
        ),
    ] = None,
    file: Annotated[
        str,
        typer.Option(
            "--file",
            "-f",
            help="Prompts: a file, or held_out, 100 built-in ones; - is stdin.",
            autocompletion=completing.prompts,
        ),
    ] = "held_out",
    first: Annotated[int | None, typer.Option("--first", min=1, help="Only so many of the prompts.")] = None,
    answers: Annotated[
        list[int] | None,
        typer.Option("--answers", "-n", min=1, help="Budget in whole answers; give several. Default: 16."),
    ] = None,
    settings: Settings = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            help="Go on with a comparison on record, or show it: its id, or newest.",
            autocompletion=completing.runs,
        ),
    ] = None,
    rows: Annotated[
        list[Path] | None,
        typer.Option("--rows", help="Add rows.csv of an earlier comparison; without RECIPE and --run: runs nothing."),
    ] = None,
    against: Annotated[str, typer.Option("--against", help="The method that gains are over.")] = "base",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for rows.csv and comparison.png.")] = Path(
        "comparison"
    ),
    record: RecordOption = None,
    prefect: Prefect = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare search methods at equal budgets of tokens.

    Of tokens that the strong model generates: a budget of 16 answers is 16 x sampling.max_tokens tokens for every
    method. It is a run like any other: on record, resumed by --run. Prints mean gold and its gain with 95% intervals
    (paired, by bootstrap over prompts), log-ratio, tokens, calls and seconds per search; writes a row for each search,
    and a picture.

    aligntree compare comparison --answers 8 --answers 16 --set seeds=[0,1]

    aligntree compare --rows docs/results/rows.csv --against beam
    """
    from flows import compare as comparing
    from flows.errors import BadConfig
    from flows.plots import draw
    from flows.records import open_record
    from flows.tables import lines_table

    found = [row for path in rows or () for row in comparing.read_rows(path)]
    begins = run is None and (recipe is not None or not rows)
    if not begins and (recipe or first or answers or settings):
        raise BadConfig(
            "RECIPE, --first, --answers and --set are for a comparison that begins",
            where="--run" if run else "--rows",
            mend="Leave them out",
        )

    def check(methods: Iterable[str]) -> None:
        comparing.check_against(against, [*methods, *(row.method for row in found)])

    summary: Summary | None = None
    if begins:
        plan = recipe or "comparison", settings or (), file, first, answers or [16]
        summary = _begin(*plan, record, prefect, quiet, check)
    elif run is not None:
        summary = _go_on(None if run == "newest" else run, record, prefect, quiet, check)
    if summary is not None:
        with open_record(record) as opened:
            found = [*comparing.rows_of(opened, summary), *found]
    lines = comparing.figures(found, against)
    output.mkdir(parents=True, exist_ok=True)
    comparing.write_rows(output / "rows.csv", comparing.distinct(found))
    draw(lines, comparing.distinct(found), output / "comparison.png")
    if json:
        from dataclasses import asdict

        print_json([asdict(line) for line in lines])
    else:
        print_table(lines_table(lines, against))
        told = f"run {summary.run_id} in {summary.record}; " if summary else ""
        print(f"{told}{len(comparing.distinct(found))} rows and a picture in {output}")
    if summary is not None:
        exit_if_failed(summary)


Check = Callable[[Iterable[str]], None]
"""Told what the methods are called, before anything is paid for."""


def _begin(
    recipe: str,
    settings: Sequence[str],
    file: str,
    first: int | None,
    answers: Sequence[int],
    record: str | None,
    prefect: bool | None,
    quiet: bool,
    check: Check,
) -> Summary:
    from flows import compare, run
    from flows.config import load_config
    from flows.methods import called
    from flows.prompts import read_prompts

    config = load_config(recipe, settings)
    check(called(method) for method in config.methods)
    config = compare.at_budgets(config, answers)
    prompts = read_prompts((), file)[:first]
    return carry_out(
        prefect, quiet, lambda tally, through: run.align(prompts, config, record=record, tally=tally, through=through)
    )


def _go_on(wanted: str | None, record: str | None, prefect: bool | None, quiet: bool, check: Check) -> Summary:
    from flows import compare, run
    from flows.records import open_record

    with open_record(record) as opened:
        row = opened.run(wanted)
        check(
            [compare.budget_of(search.method, row.id)[0] for search in opened.searches(row.id)]
        )  # before it is paid for
    return carry_out(
        prefect, quiet, lambda tally, through: run.resume(row.id, record=record, tally=tally, through=through)
    )
