"""The verbs that ask a run on record: audit, replay, explain, diff, rerank, fork."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flows.cli import completing
from flows.cli.align import carry_out, exit_if_failed, print_answers
from flows.cli.options import Json, Prefect, Quiet, RecordOption, RunArgument, Settings, print_json, print_table

Node = Annotated[str, typer.Argument(help="A node: the beginning of its id, as aligntree show prints it.")]
OfRun = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="A run's id, or a beginning or end of it. Default: the newest.",
        autocompletion=completing.runs,
    ),
]


def audit(run: RunArgument = None, record: RecordOption = None, json: Json = False) -> None:
    """Check that a run on record is what it says it is.

    It calls no model and changes nothing. Hash chains, node names, config hashes and counters; each search is told
    again offline, and its tree and answer are held against the record. Exit status 1 where something is not as it was
    written. The head that it prints is of the whole run: kept elsewhere, it shows later whether everything was written
    anew.
    """
    from flows.audit import audit as check
    from flows.records import open_record
    from flows.tables import cost

    with open_record(record) as opened:
        found = check(opened, opened.find(run))
    if json:
        print_json(found.to_json())
    else:
        for fault in found.faults:
            print(f"fault: {fault}")
        for other in found.not_replayed:
            print(f"not told again: {other}")
        told = f"{len(found.faults)} faults" if found.faults else "as it was written, and told again the same"
        if found.not_replayed:
            told += f", but for {len(found.not_replayed)} not told again"
        print(f"run {found.run}: {found.searches} searches, {found.rows} rows: {told}")
        if found.totals:
            print(f"cost: {cost(found.totals)}")
        print(f"head: {found.head}")
    if found.faults:
        sys.exit(1)


def replay(
    run: RunArgument = None,
    search: Annotated[str, typer.Option("--search", help="The search: its number in the run, or its id.")] = "1",
    record: RecordOption = None,
    json: Json = False,
) -> None:
    """Tell a search its record again, step by step.

    It calls no model and changes nothing. Each step is an outcome that the method was told: the node that was grown,
    what that brought, the best whole answer by then. What the method asks for is held against the record at each step.
    """
    from dataclasses import asdict

    from flows.records import open_record
    from flows.show import find_search
    from flows.steps import steps
    from flows.tables import steps_table

    with open_record(record) as opened:
        row = opened.run(run)
        found = find_search(opened.searches(row.id), search)
        told = steps(opened, row, found)
    if json:
        print_json([asdict(step) for step in told])
    else:
        print_table(steps_table(told))
        print(f"search {found.id}, {found.method}, {found.status}")


def explain(node: Node, run: OfRun = None, record: RecordOption = None, json: Json = False) -> None:
    """Tell why a node was grown.

    It shows what could be chosen at each level above the node, as it stood at that moment. Replays the search offline.
    V is the value, R the return, P the prior, N the visits; the highest score was chosen. A child without a score was
    complete, or all below it was.
    """
    from dataclasses import asdict

    from flows.explain import explain as why
    from flows.records import open_record
    from flows.tables import explanation_tables

    with open_record(record) as opened:
        found = why(opened, opened.run(run), node)
    if json:
        print_json(asdict(found))
        return
    for table in explanation_tables(found):
        print_table(table)
    if found.root:
        print(f"node {found.node[:12]} is the prompt of search {found.search}: it begins there; above is the end")
        return
    told = "it was never chosen; above is the end" if found.after is None else f"chosen after {found.after} outcomes"
    if found.finishing:
        told += ", as the best leaf by V, to finish an answer"
    print(f"node {found.node[:12]} of search {found.search}: {told}")


def diff(
    one: Annotated[str, typer.Argument(help="A run.", autocompletion=completing.runs)],
    other: Annotated[str, typer.Argument(help="Another run on the same record.", autocompletion=completing.runs)],
    record: RecordOption = None,
    json: Json = False,
) -> None:
    """Tell where two runs part.

    Search by search, the first step that differs. Exit status 1 where one does.
    """
    from dataclasses import asdict

    from flows.diff import diff as compare
    from flows.records import open_record
    from flows.tables import diff_table

    with open_record(record) as opened:
        found = compare(opened, opened.run(one), opened.run(other))
    if json:
        print_json([asdict(parting) for parting in found])
    else:
        print_table(diff_table(found))
    if any(parting.step is not None for parting in found):
        sys.exit(1)


def rerank(run: RunArgument = None, settings: Settings = None, record: RecordOption = None, json: Json = False) -> None:
    """Tell which answers other weights would have chosen.

    It takes the whole answers on record, and calls no model. What is not set counts as it did in the run.

    aligntree rerank --set weights.reference=-0.5

    aligntree rerank --set per_token=true
    """
    from dataclasses import asdict

    from flows.config import load_settings
    from flows.plan import config_of
    from flows.records import open_record
    from flows.rerank import RerankSettings, as_searched
    from flows.rerank import rerank as again
    from flows.tables import rerank_table

    with open_record(record) as opened:
        row = opened.run(run)
        weighed = load_settings(RerankSettings, settings or (), **as_searched(config_of(row)))
        found = again(opened, row, weighed)
    if json:
        print_json([asdict(line) for line in found])
    else:
        print_table(rerank_table(found))


def fork(
    node: Node,
    settings: Settings = None,
    run: OfRun = None,
    record: RecordOption = None,
    prefect: Prefect = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on from a node under other settings, as a new run.

    What led there is not paid for again. The search's method is methods.0:

    aligntree fork 3f2a90c1 --set methods.0.exploration=3 --set methods.0.limits.iterations=32
    """
    from flows.fork import fork as go_on

    summary = carry_out(
        prefect, quiet,
        lambda tally, through: go_on(node, settings or (), run, record=record, tally=tally, through=through),
    )  # fmt: skip
    print_answers(summary, json)
    exit_if_failed(summary)
