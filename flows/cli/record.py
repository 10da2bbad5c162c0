"""The verbs of the record: runs, show, export, upgrade."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import Json, RecordOption, RunArgument, print_json, print_table


def runs(record: RecordOption = None, json: Json = False) -> None:
    """List the runs on record, newest first."""
    from flows.bench import open_record

    with open_record(record) as opened:
        rows = opened.runs()
    if json:
        from dataclasses import asdict

        print_json([asdict(row) for row in rows])
        return
    from flows.tables import runs_table

    print_table(runs_table(rows))


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
    from flows.replay import replayed
    from flows.show import draw, find_search
    from flows.tables import searches_table

    with open_record(record) as opened:
        row = opened.run(run)
        searches = opened.searches(row.id)
        if search is None and len(searches) > 1:
            print_table(searches_table(searches))
            print(f"A tree: aligntree show {row.id} --search 1")
            return
        found = find_search(searches, search or "1")
        print_table(draw(found, replayed(opened, row, found), depth))


def export(
    run: RunArgument = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSONL file to write. Default: standard output.")
    ] = None,
    record: RecordOption = None,
) -> None:
    """Write a run's whole answers as JSONL, one a line: prompt, text, value, gold.

    All that the searches found, not the chosen ones alone. It is what aligntree doctor --weak reads:

    aligntree align --file held_out.txt --method best_of_n --set methods.0.n=8

    aligntree export -o held_out.jsonl
    """
    import json

    from flows.bench import open_record
    from flows.export import answers

    with open_record(record) as opened:
        lines = (json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers(opened, opened.run(run)))
        if output is None:
            sys.stdout.writelines(lines)
            return
        scratch = output.with_name(f"{output.name}.part")
        with scratch.open("w", encoding="utf-8") as file:
            count = sum(bool(file.write(line)) for line in lines)
        scratch.replace(output)
    print(f"{count} answers in {output}")


def upgrade(record: RecordOption = None) -> None:
    """Bring a record that an earlier version wrote to this version's schema, with a backup."""
    from flows.bench import record_of
    from store import upgrade_record

    done = upgrade_record(record_of(record))
    if done.backup is None:
        print(f"the schema is {done.after} already")
    else:
        print(f"schema {done.before} is {done.after} now; the record as it was: {done.backup}")
