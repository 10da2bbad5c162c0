"""What a report tells of one search: its tree as it was told again, how that grew, and the calls that brought it."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from flows.config import RunConfig
from flows.errors import FlowError
from flows.methods import Method, Node, Tree
from flows.plan import config_of
from flows.report.overview import Data
from flows.steps import Step, steps
from store import Exchange, History, Record, RunRow, ScoreRow, SearchRow


def search_tree(record: Record, run: RunRow, row: SearchRow) -> Data:
    """Nodes in the order they were found, the root first, and the steps in which that happened.

    Of a node `step`: after how many outcomes it was there; `judge_call`: a call, and the part of it; `cut`, of a whole
    answer that a stop string ended: how many UTF-16 units of its text are the answer. Of a step `visits`: [node,
    visits] as they changed. Where the search cannot be told again `note` says why: the tree is drawn from its rows
    then, without steps and visits.
    """
    brought, growth = _brought(record, row), _Growth()
    told: list[Step] = []
    note, chosen = None, row.answer["node"] if row.answer else None
    try:
        told = steps(record, run, row, growth)
        tree = growth.method.tree
        chosen = growth.method.result().node
    except FlowError as error:
        note, tree, growth = str(error), _tree_of_rows(config_of(run), row, brought), _Growth()
    numbers = {node: number for number, node in enumerate(tree.nodes)}
    return {
        "note": note,
        "chosen": numbers.get(chosen or ""),
        "nodes": [
            _node(tree, node, numbers, brought) | {"step": growth.found.get(node.id, 0)} for node in tree.nodes.values()
        ],
        "steps": [
            vars(step) | {"node": numbers.get(step.node or "")} for step in told
        ],
        "visits": [[[numbers[node], visits] for node, visits in changed.items()] for changed in growth.changed],
    }  # fmt: skip


def search_calls(record: Record, row: SearchRow) -> Data:
    """The HTTP requests of each ask, by the `call` that nodes name; bodies are zlib in base64, as they are large."""
    found: Data = {}
    for search, _ in _lineage(record, row):
        for exchange in record.exchanges(search.id):
            found.setdefault(f"{search.id}/{exchange.key.ask}", []).append(_call(exchange))
    return found


@dataclass
class _Growth:
    """Sees a search as it is told again: when each node was found, and how visits changed from step to step."""

    found: dict[str, int] = field(default_factory=dict)
    changed: list[dict[str, int]] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def __call__(self, method: Method, touched: Iterable[str]) -> None:
        self.method, nodes = method, method.tree.nodes
        new = [*islice(reversed(nodes.values()), len(nodes) - len(self.found))]
        self.found |= {node.id: len(self.changed) for node in reversed(new)}
        paths = (step for node in touched for step in nodes[node].path())
        visits = {node.id: node.visits for node in (*new, *paths)}
        changed = {node: count for node, count in visits.items() if self.known.get(node) != count}
        self.known |= changed
        self.changed.append(changed)


@dataclass
class _Brought:
    """Where on record a node's numbers are: of the ask that brought it first, and for the entropy of the one that grew
    it last.
    """

    text: dict[str, tuple[str, str, str, int, bool]] = field(default_factory=dict)
    call: dict[str, str] = field(default_factory=dict)
    judged: dict[str, tuple[str, int]] = field(default_factory=dict)
    scores: dict[str, dict[str, ScoreRow]] = field(default_factory=dict)
    value: dict[str, ScoreRow] = field(default_factory=dict)


def _lineage(record: Record, row: SearchRow) -> list[tuple[SearchRow, int | None]]:
    """The search, and before it those that it was forked from, each with how many of its tells were inherited."""
    found: list[tuple[SearchRow, int | None]] = [(row, None)]
    while (fork := found[0][0].fork) is not None:
        found.insert(0, (record.search(fork[0]), fork[1]))
    return found


def _brought(record: Record, row: SearchRow) -> _Brought:
    found = _Brought()
    for search, until in _lineage(record, row):
        history = record.history(search.id)
        for tell in history.tells[:until]:
            if tell.kind == "grown" and tell.ask is not None:
                _look_at(found, history, search.id, tell.ask, tell.outcome)
            elif tell.kind == "judged":
                for part, (node, _) in enumerate(tell.outcome["verdicts"]):
                    found.judged[node] = f"{search.id}/{tell.ask}", part
    return found


def _look_at(found: _Brought, history: History, search: str, ask: int, outcome: Mapping[str, Any]) -> None:
    def scores(node: str) -> dict[str, ScoreRow]:
        return {score.name: score for score in history.scores.get(node, ()) if score.ask == ask}

    grown = history.asks[ask].node_id
    found.scores.setdefault(grown, {}).update((k, v) for k, v in scores(grown).items() if k == "entropy")
    for node, _ in outcome["children"]:
        if node not in found.call:
            new = history.nodes[node]
            revises = "prompt" in history.asks[ask].payload
            found.text[node] = new.parent_id, new.text, new.finish, new.tokens, revises
            found.call[node] = f"{search}/{ask}"
            told = scores(node)
            found.scores[node] = {"prior": told["prior"]}
            found.value[node] = told[outcome["scorer"]]


def _tree_of_rows(config: RunConfig, row: SearchRow, brought: _Brought) -> Tree:
    tree = Tree(row.prompt, config.sampling.max_tokens, config.sampling.stop)
    for node, (above, text, finish, tokens, revises) in brought.text.items():
        parent, value = tree.nodes[above], brought.value[node]
        depth, prior = tokens if revises else parent.depth + tokens, brought.scores[node]["prior"].value
        found = Node(node, parent, text, finish, depth, value.value, prior, value.parts, revision=revises)
        tree.add(parent, found)
    return tree


def _node(tree: Tree, node: Node, numbers: Mapping[str, int], brought: _Brought) -> Data:
    scores = brought.scores.get(node.id, {})
    whole = tree.uncut(node) if node.finish == "stop" and tree.stop else None
    answer = None if whole is None else tree.answer(node)
    return {
        "id": node.id,
        "parent": numbers[node.parent.id] if node.parent else None,
        "text": node.text,
        "revision": node.revision,
        "cut": None if answer is None or answer == whole else _units(answer),
        "finish": node.finish,
        "complete": node.complete,
        "level": node.level,
        "depth": node.depth,
        "value": node.value,
        "parts": dict(node.parts),
        "returns": node.best,
        "visits": node.visits,
        "judge": node.judge,
        "prior": _estimate(scores.get("prior")),
        "entropy": _estimate(scores.get("entropy")),
        "call": brought.call.get(node.id),
        "judge_call": brought.judged.get(node.id),
    }  # fmt: skip


def _estimate(row: ScoreRow | None) -> Data | None:
    return None if row is None else {"value": row.value, **row.parts}


def _units(text: str) -> int:
    """What JavaScript counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _call(exchange: Exchange) -> Data:
    told = vars(exchange) | vars(exchange.key)
    reply = told.pop("reply")
    del told["key"]
    if reply is not None:
        told["reply"] = {name: value for name, value in vars(reply).items() if name not in ("continuations", "body")}
        told["reply"]["body"] = base64.b64encode(zlib.compress(reply.body)).decode()
    return told
