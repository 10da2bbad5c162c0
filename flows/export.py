"""Out of the record: answers, nodes, preferences and whole runs, for other programs to read."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from flows.errors import FlowError
from flows.gold import judge
from flows.methods import Node, Tree
from flows.plan import config_of
from flows.replay import replayed
from store import Record, RunRow, SearchRow

Line = dict[str, Any]


class ExportFailed(FlowError):
    """Something that cannot be written so: a form that has no such file, a library that is not installed."""

    exit_status = 2


def answers(record: Record, run: RunRow, margin: float = 0.0) -> Iterator[Line]:
    """Every whole answer that the run's searches found, not the chosen one alone: prompt, text, whether it ended by
    itself (`complete`), the scorer's `value`, `gold` where the recipe has a judge, and the search it is of.
    """
    name = config_of(run).gold
    gold = judge(name) if name else None
    for row, tree in _trees(record, run):
        for node in tree.complete:
            text = tree.answer(node)
            line = {"prompt": row.prompt, "text": text, "complete": node.finish == "stop", "value": node.value}
            if gold:
                line["gold"] = gold(row.prompt + text)
            yield line | _of(row) | {"node": node.id}


def nodes(record: Record, run: RunRow, margin: float = 0.0) -> Iterator[Line]:
    """Every node of the trees: its chunk and the answer up to there, value and parts, prior, entropy (bits), visits."""
    for row, tree in _trees(record, run):
        for node in tree.nodes.values():
            if node.parent is not None:
                yield node_line(row, tree, node)


def node_line(row: SearchRow, tree: Tree, node: Node) -> Line:
    """A node that is not the root."""
    return _of(row) | {
        "prompt": row.prompt, "node": node.id, "parent": node.parent.id if node.parent else None, "level": node.level,
        "text": node.text, "answer": tree.answer(node), "revision": node.revision, "finish": node.finish,
        "complete": node.complete, "depth": node.depth, "value": node.value, "parts": dict(node.parts),
        "prior": node.prior, "entropy": node.entropy, "returns": node.best, "visits": node.visits,
    }  # fmt: skip


def preferences(record: Record, run: RunRow, margin: float = 1.0) -> Iterator[Line]:
    """Pairs of siblings whose values differ by `margin` at least, the best against the worst of each node's children,
    as aligntree tune reads them: a run can teach the next weak pair.
    """
    for row, tree in _trees(record, run):
        for node in tree.nodes.values():
            known = [child for child in node.children if child.value is not None]
            if len(known) < 2:
                continue
            best, worst = max(known, key=_value), min(known, key=_value)
            texts = tree.answer(best), tree.answer(worst)
            if _value(best) - _value(worst) >= max(margin, 1e-9) and all(texts) and texts[0] != texts[1]:
                yield {
                    "prompt": row.prompt, "chosen": texts[0], "rejected": texts[1],
                    "chosen_complete": best.finish == "stop", "rejected_complete": worst.finish == "stop",
                }  # fmt: skip


def alpaca_eval(record: Record, run: RunRow, margin: float = 0.0) -> Iterator[Line]:
    """The chosen answers as AlpacaEval's model outputs; the generator is the strong model and the method."""
    model = config_of(run).strong.model
    for row in record.searches(run.id):
        if row.ended and row.answer and row.answer.get("node"):
            yield {
                "dataset": run.name, "instruction": row.prompt, "output": row.answer["text"],
                "generator": f"{model} {row.method}",
            }  # fmt: skip


def whole_run(record: Record, run: RunRow, margin: float = 0.0) -> Iterator[Line]:
    """Every row of the run, and of the runs that it was forked from, for aligntree import."""
    return record.dump(run.id)


FORMS: Mapping[str, Callable[[Record, RunRow, float], Iterator[Line]]] = {
    "answers": answers, "nodes": nodes, "preferences": preferences, "alpaca_eval": alpaca_eval, "run": whole_run,
}  # fmt: skip


def write(lines: Iterable[Line], form: str, output: Path | None) -> int:
    """Write Parquet (.parquet), a JSON list (.json; AlpacaEval's form always) or JSONL, to standard output without a
    file: all or nothing. Returns how many lines. Raises ExportFailed.
    """
    suffix = output.suffix if output else ""
    if form == "run" and suffix in (".json", ".parquet"):
        raise ExportFailed(f"a run is not written as {suffix}", where=str(output), mend="Name a .jsonl file")
    as_text = _list if suffix == ".json" or form == "alpaca_eval" else _lines
    if output is None:
        return as_text(lines, sys.stdout)
    scratch = output.with_name(f"{output.name}.part")
    if suffix == ".parquet":
        count = _parquet(lines, scratch)
    else:
        with scratch.open("w", encoding="utf-8") as file:
            count = as_text(lines, file)
    scratch.replace(output)
    return count


def read_lines(file: Path) -> list[Line]:
    """What `write` wrote as JSONL. Raises ExportFailed, naming the line."""
    try:
        found = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError) as error:
        raise ExportFailed(f"cannot be read: {error}", where=str(file), mend="Give a .jsonl file of export") from None
    if not all(isinstance(line, dict) for line in found):
        raise ExportFailed("holds lines that are no objects", where=str(file), mend="Give a .jsonl file of export")
    return found


def _lines(lines: Iterable[Line], file: TextIO) -> int:
    return sum(bool(file.write(_json(line) + "\n")) for line in lines)


def _list(lines: Iterable[Line], file: TextIO) -> int:
    told = [_json(line) for line in lines]
    file.write("[" + ",\n ".join(told) + "]\n")
    return len(told)


def _json(line: Line) -> str:
    """In plain letters; with escapes where it holds half a character, which no UTF-8 can."""
    told = json.dumps(line, ensure_ascii=False)
    return told if told.isascii() or not _HALF.search(told) else json.dumps(line)


_HALF = re.compile("[\ud800-\udfff]")


def _parquet(lines: Iterable[Line], path: Path) -> int:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ExportFailed(
            "pyarrow is not installed", where=str(path), mend="pip install 'aligntree[parquet]', or name a .jsonl file"
        ) from None
    rows, tables = iter(lines), []
    while batch := [_whole(line) for line in islice(rows, 10_000)]:
        tables.append(pyarrow.Table.from_pylist(batch))
    if not tables:
        raise ExportFailed("there is nothing to write", where=str(path), mend="Let the run go on, or lower the margin")
    whole = pyarrow.concat_tables(tables, promote_options="permissive")  # a part may be in later rows only
    pyarrow.parquet.write_table(whole, path)
    return int(whole.num_rows)


def _whole(line: Line) -> Line:
    """Half a character becomes U+FFFD."""
    return {name: _HALF.sub("\ufffd", value) if isinstance(value, str) else value for name, value in line.items()}


def _trees(record: Record, run: RunRow) -> Iterator[tuple[SearchRow, Tree]]:
    for row in record.searches(run.id):
        yield row, replayed(record, run, row).tree


def _of(row: SearchRow) -> Line:
    return {"search": row.id, "method": row.method, "seed": row.seed}


def _value(node: Node) -> float:
    return node.value if node.value is not None else float("-inf")
