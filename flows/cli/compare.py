"""The verb that holds methods against each other: compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.align import carry_out
from flows.cli.options import Json, Prefect, Quiet, RecordOption, Settings, print_json, print_table

if TYPE_CHECKING:
    from flows.run import Summary


def compare(
    recipe: Annotated[
        str, typer.Argument(help="A built-in recipe's name (comparison, ablation) or a YAML file.")
    ] = "comparison",
    file: Annotated[
        str, typer.Option("--file", "-f", help="Prompts: a file, or held_out, 100 built-in ones; - is stdin.")
    ] = "held_out",
    first: Annotated[int | None, typer.Option("--first", min=1, help="Only so many of the prompts.")] = None,
    answers: Annotated[
        list[int] | None,
        typer.Option("--answers", "-n", min=1, help="Budget in whole answers; give several. Default: 16."),
    ] = None,
    settings: Settings = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Go on with a comparison on record, or show it: its id, or newest.")
    ] = None,
    rows: Annotated[
        list[Path] | None, typer.Option("--rows", help="Add rows.csv of an earlier comparison; alone: runs nothing.")
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
    """Compare search methods at equal budgets of generated strong tokens.

    A budget of 16 answers is 16 x sampling.max_tokens tokens for every method. It is a run like any other: on record,
    resumed by --run. Prints mean gold and its gain with 95% intervals (paired, by bootstrap over prompts), log-ratio,
    tokens, calls and seconds per search; writes a row for each search, and a picture.

    aligntree compare comparison --answers 8 --answers 16 --set seeds=[0,1]

    aligntree compare --rows docs/results/rows.csv --against beam
    """
    from flows import compare as comparing
    from flows import run as running
    from flows.bench import open_record
    from flows.config import load_config
    from flows.plots import draw
    from flows.prompts import read_prompts
    from flows.tables import lines_table

    earlier = [row for path in rows or () for row in comparing.read_rows(path)]
    summary: Summary | None = None
    if run is not None:
        named = None if run == "newest" else run
        summary = carry_out(
            prefect, quiet, lambda tally, through: running.resume(named, record=record, tally=tally, through=through)
        )
    elif not rows:
        config = comparing.at_budgets(load_config(recipe, settings or ()), answers or [16])
        prompts = read_prompts((), file)[:first]
        summary = carry_out(
            prefect,
            quiet,
            lambda tally, through: running.align(prompts, config, record=record, tally=tally, through=through),
        )
    found = earlier
    if summary is not None:
        with open_record(record) as opened:
            found = [*comparing.rows_of(opened, summary), *earlier]
    lines = comparing.figures(found, against)
    output.mkdir(parents=True, exist_ok=True)
    comparing.write_rows(output / "rows.csv", found)
    draw(lines, found, output / "comparison.png")
    if json:
        from dataclasses import asdict

        print_json([asdict(line) for line in lines])
        return
    print_table(lines_table(lines, against))
    told = f"run {summary.run_id} in {summary.record}; " if summary else ""
    print(f"{told}{len(found)} rows and a picture in {output}")
