"""The verbs of the record: runs, show, report, export, import, upgrade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import completing
from flows.cli.options import Json, RecordOption, RunArgument, print_json, print_table
from flows.listing import Order, Status


def runs(
    status: Annotated[
        Status | None, typer.Option("--status", help="Only such; resume goes on with unfinished.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="Only runs of this name.", autocompletion=completing.recipes)
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Only those whose strong model has this in its name.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", help="Only those that searched by it: its name, or label.", autocompletion=completing.methods
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only those begun since: 12h, 2d or 2026-11-20 (UTC).")
    ] = None,
    sort: Annotated[
        Order, typer.Option("--sort", help="Newest, dearest or longest first, or unfinished first.")
    ] = "when",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many at most. Default: all.")] = None,
    record: RecordOption = None,
    json: Json = False,
) -> None:
    """List the runs on record, newest first.

    aligntree runs --since 2d --status unfinished

    aligntree runs --sort cost --limit 10
    """
    from flows.listing import Wanted, list_runs, moment
    from flows.records import open_record
    from flows.tables import runs_table

    wanted = Wanted(status, recipe, model, method, moment(since) if since else None)
    with open_record(record) as opened:
        listed = list_runs(opened, wanted, sort)[:limit]
    if json:
        print_json([one.to_json() for one in listed])
        return
    print_table(runs_table(listed))


def show(
    run: RunArgument = None,
    search: Annotated[
        str | None, typer.Option("--search", help="Draw the tree of this search: its number in the run, or its id.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=1, help="Levels to draw. Default: all; of more than 2,000 nodes, 3.")
    ] = None,
    record: RecordOption = None,
    json: Json = False,
) -> None:
    """Show a run's searches, or one search as a tree.

    Each node is a chunk with its value V (the scorer's scale), visits N and prior P; the chosen path is marked *. As
    JSON a tree is the list of its nodes, as aligntree export --as nodes has them, with level and chosen.
    """
    from flows.records import open_record
    from flows.replay import replayed
    from flows.show import draw, find_search, searches_told, tree_told
    from flows.tables import searches_table

    with open_record(record) as opened:
        row = opened.run(run)
        searches = opened.searches(row.id)
        if search is None and len(searches) > 1:
            if json:
                print_json({"run": row.id, "searches": searches_told(searches)})
                return
            print_table(searches_table(searches))
            print(f"A tree: aligntree show {row.id} --search 1")
            return
        found = find_search(searches, search or "1")
        method = replayed(opened, row, found)
    if json:
        told = searches_told(searches)[found.position]
        print_json({"run": row.id, "search": told, "nodes": tree_told(found, method, depth)})
        return
    print_table(draw(found, method, depth))


def report(
    run: RunArgument = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file.")] = Path("report.html"),
    record: RecordOption = None,
    json: Json = False,
) -> None:
    """Write a run as one HTML file that works offline.

    It has figures, answers side by side, and each search's tree. A run that is not finished is told as it is now. The
    page holds prompts, answers and raw replies, but no keys.
    """
    from flows.records import open_record
    from flows.report import write_report

    with open_record(record) as opened:
        row = opened.run(run)
        size = write_report(opened, row, output)
    if json:
        print_json({"run": row.id, "file": str(output), "bytes": size})
        return
    print(f"run {row.id} in {output} ({size / 1e6:.1f} MB)")


def export(
    run: RunArgument = None,
    form: Annotated[
        str, typer.Option("--as", help="answers, nodes, preferences, alpaca_eval, or run (for aligntree import).")
    ] = "answers",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File: .jsonl, .json or .parquet. Default: JSONL to standard output."),
    ] = None,
    margin: Annotated[
        float, typer.Option("--margin", min=0, help="Of preferences: by how much values of siblings differ, at least.")
    ] = 1.0,
    record: RecordOption = None,
) -> None:
    """Write what a run found, for other programs.

    answers: all whole answers, with value and gold, as aligntree doctor --weak reads them. nodes: the trees.
    preferences: the best and the worst child of each node, as aligntree tune reads them. alpaca_eval: the chosen
    answers. run: all rows, for aligntree import.

    aligntree align --file held_out.txt --method best_of_n --set methods.0.n=8

    aligntree export -o held_out.jsonl
    """
    from flows.errors import BadConfig
    from flows.export import FORMS, write
    from flows.records import open_record

    if form not in FORMS:
        raise BadConfig(f"{form!r} is no form", where="--as", mend=f"There are {', '.join(FORMS)}")
    with open_record(record) as opened:
        count = write(FORMS[form](opened, opened.run(run), margin), form, output)
    if output is not None:
        print(f"{count} {'rows' if form == 'run' else form} in {output}")


def import_(
    file: Annotated[Path, typer.Argument(help="What aligntree export --as run wrote.")],
    record: RecordOption = None,
    json: Json = False,
) -> None:
    """Put exported runs on another record, hashes and all.

    They are audited, and nothing is written where something is amiss. Searches that had not ended can be resumed there.
    """
    from flows.export import read_lines
    from flows.records import open_record

    rows = read_lines(file)
    with open_record(record, create=True) as opened:
        new = opened.load(rows)
        shown = opened.shown
    if json:
        print_json({"record": shown, "runs": new})
        return
    for run in new:
        print(f"run {run} is in {shown} now")
    if not new:
        print(f"nothing new: its runs are in {shown} already")


def upgrade(record: RecordOption = None, json: Json = False) -> None:
    """Bring an older record to this schema, with a backup."""
    from flows.records import record_of
    from store import upgrade_record

    done = upgrade_record(record_of(record))
    if json:
        print_json({"before": done.before, "after": done.after, "backup": done.backup and str(done.backup)})
    elif done.backup is None:
        print(f"the schema is {done.after} already")
    else:
        print(f"schema {done.before} is {done.after} now; the record as it was: {done.backup}")
