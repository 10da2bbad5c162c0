"""Out of a record and in again: whole runs with their hashes, nodes, preferences, outputs for AlpacaEval."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from flows import RunConfig, align, resume
from flows.audit import audit
from flows.errors import RunInterrupted
from flows.export import Line, alpaca_eval, nodes, preferences, whole_run, write
from flows.fork import fork
from flows.replay import replayed
from scoring.preferences import read_preferences
from store import BadDump, Record
from tests.conftest import Told
from tests.formula_api import Fault, FormulaAPI

METHODS = [
    {"name": "aligntree", "limits": {"iterations": 5}, "children": 3, "chunk_tokens": 4},
    {"name": "best_of_n", "n": 4},
]


async def test_a_run_carried_to_another_record_keeps_its_hashes(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    """With a prompt of half an emoji's bytes' worth of odd characters, and a fork of it along with the run it is of."""
    config = formula_config(methods=METHODS, gold="vader")
    first = await align(["The tide \x00\x1a", "é 🍲"], config, record="here.db")
    here = Record.open("here.db")
    node = next(iter(here.history(here.searches(first.run_id)[0].id).nodes))
    forked = await fork(node, ["methods.0.limits.iterations=7"], record="here.db")
    lines = [json.loads(json.dumps(line)) for line in whole_run(here, here.run(forked.run_id))]
    there = Record.open(record_url, create=True)
    assert sorted(there.load(lines)) == sorted([first.run_id, forked.run_id])
    assert there.load(lines) == []
    for run in (first.run_id, forked.run_id):
        assert audit(there, run).faults == ()
        assert audit(there, run).head == audit(here, run).head
        assert there.totals(run) == here.totals(run)
        assert [s.answer for s in there.searches(run)] == [s.answer for s in here.searches(run)]
    here.close()
    there.close()


async def test_a_run_that_was_cut_off_goes_on_where_it_was_carried_to(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    usual = api.take

    def goes_down(request: dict[str, Any]) -> Fault | None:
        fault = usual(request)
        return Fault(503) if len(api.requests) > 4 else fault

    config = formula_config(methods=METHODS, strong={"retry_for": 0})
    api.take = goes_down  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted):
        await align(["The tide", "A letter"], config, record="here.db")
    api.take = usual  # type: ignore[method-assign]
    here = Record.open("here.db")
    there = Record.open("there.db", create=True)
    there.load(whole_run(here, here.run()))
    here.close()
    assert (await resume(record="there.db")).finished
    assert audit(there, there.find()).faults == ()
    there.close()


async def test_a_dump_that_was_changed_is_refused_and_nothing_is_written(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    await align(["The tide"], formula_config(methods=METHODS), record="here.db")
    here = Record.open("here.db")
    lines = list(whole_run(here, here.run()))
    here.close()
    there = Record.open(record_url, create=True)
    at = next(i for i, line in enumerate(lines) if line["table"] == "nodes")
    for bad in (
        [*lines[:at], {**lines[at], "text": " other"}, *lines[at + 1 :]],
        [*lines[:at], *lines[at + 1 :]],
        lines[: len(lines) // 2],
        [{**lines[0], "name": "another"}, *lines[1:]],
        [{"table": "runs"}],
        [{"no": "table"}],
    ):
        with pytest.raises(BadDump):
            there.load(bad)
        assert there.runs() == []
    there.close()


async def test_preferences_are_siblings_a_margin_apart(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], aligntree: Callable[..., Told]
) -> None:
    await align(["The tide", "A letter"], formula_config(methods=METHODS), record="aligntree.db")
    record = Record.open("aligntree.db")
    values = {line["answer"]: line["value"] for line in nodes(record, record.run())}
    found = list(preferences(record, record.run(), 1.0))
    record.close()
    assert found
    assert all(values[pair["chosen"]] - values[pair["rejected"]] >= 1.0 for pair in found)
    status, out, err = await asyncio.to_thread(aligntree, "export", "--as", "preferences", "-o", "p.jsonl")
    assert status == 0, err
    assert out == f"{len(found)} preferences in p.jsonl\n"
    assert len(read_preferences(Path("p.jsonl"))) == len(found)  # as tune reads them


async def test_nodes_are_the_trees_in_parquet_too(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], aligntree: Callable[..., Told]
) -> None:
    await align(["The tide"], formula_config(methods=METHODS), record="aligntree.db")
    record = Record.open("aligntree.db")
    run = record.run()
    found = list(nodes(record, run))
    trees = [replayed(record, run, search).tree for search in record.searches(run.id)]
    assert len(found) == sum(len(tree.nodes) - 1 for tree in trees)
    assert [line["output"] for line in alpaca_eval(record, run)] == [
        (search.answer or {})["text"] for search in record.searches(run.id)
    ]
    record.close()
    assert (await asyncio.to_thread(aligntree, "export", "--as", "nodes", "-o", "n.parquet"))[0] == 0
    assert pyarrow.parquet.read_table("n.parquet").to_pylist() == found


def test_parquet_holds_what_late_rows_alone_have(tmp_path: Path) -> None:
    rows: list[Line] = [{"id": number, "parts": {"tuned": 1.0}} for number in range(10_000)]
    rows.append({"id": 10_000, "parts": {"tuned": 1.0, "judge": 7.0}})
    assert write(rows, "nodes", tmp_path / "n.parquet") == 10_001
    assert pyarrow.parquet.read_table(tmp_path / "n.parquet").to_pylist()[-1] == rows[-1]


async def test_the_commands_carry_a_run_over(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], aligntree: Callable[..., Told]
) -> None:
    summary = await align(["The tide"], formula_config(methods=METHODS), record="aligntree.db")

    async def told(*arguments: str) -> Told:
        return await asyncio.to_thread(aligntree, *arguments)

    assert (await told("export", "--as", "run", "-o", "run.jsonl"))[0] == 0
    status, out, err = await told("import", "run.jsonl", "--record", "there.db")
    assert status == 0, err
    assert summary.run_id in out
    assert "nothing new" in (await told("import", "run.jsonl", "--record", "there.db"))[1]
    assert (await told("audit", "--record", "there.db"))[0] == 0
    status, out, _ = await told("export", "--as", "alpaca_eval")
    assert [line["generator"] for line in json.loads(out)] == [
        "text-completion-openai/formula aligntree", "text-completion-openai/formula best_of_n",
    ]  # fmt: skip
    for arguments, part in (
        (("export", "--as", "pictures"), "There are answers"),
        (("export", "--as", "run", "-o", "r.parquet"), "Name a .jsonl file"),
        (("import", "none.jsonl"), "cannot be read"),
    ):
        status, _, err = await told(*arguments)
        assert status == 2 and part in err
