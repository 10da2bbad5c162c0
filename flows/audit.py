"""Is a run on record what it says it is? Its rows, its searches told again offline, its money added up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from flows.config import RunConfig
from flows.errors import FlowError, OtherVersion
from flows.judging import verdict
from flows.methods import Judged, Method, Sample, Verdict, child_id, chunks
from flows.plan import config_of, method_config, search_key, shape_of
from flows.replay import replay, start
from flows.rows import SAMPLE, continuations_from_json, outcome_of
from scoring import read_opinion
from store import Fault, History, Record, ReplyRow, RunRow, SearchRow, Totals, fingerprint


@dataclass(frozen=True)
class Audit:
    """What an audit found. `head`: one hash over the ends of all chains; kept elsewhere, it tells later whether all was
    written anew. `totals`: what the rows add up to; none where they have faults. `not_replayed`: searches that another
    version of their method began: their chains hold, and only that version could tell them again.
    """

    run: str
    searches: int
    rows: int
    head: str
    totals: Totals | None
    faults: tuple[Fault, ...]
    not_replayed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def audit(record: Record, run_id: str) -> Audit:
    """Check chains, hashes and sums of a run's rows; replay its searches and hold trees and answers against the record.

    No model is called: it costs nothing but time. Changes nothing.
    """
    chains = record.audit(run_id)
    if chains.faults:  # replaying would tell nothing more, and may not even be possible
        return Audit(run_id, chains.searches, chains.rows, chains.head, None, chains.faults)
    run = record.run(run_id)
    config, faults, others = config_of(run), list[Fault](), list[str]()
    for row in record.searches(run_id):
        try:
            faults += [Fault(f"search {row.id}", what) for what in _of_search(record, run, config, row)]
        except OtherVersion as error:
            others.append(str(error))
    totals = record.totals(run_id)
    return Audit(run_id, chains.searches, chains.rows, chains.head, totals, tuple(faults), tuple(others))


def _of_search(record: Record, run: RunRow, config: RunConfig, row: SearchRow) -> Iterator[str]:
    try:
        shape = fingerprint(shape_of(config, method_config(config, row)))
        begun, history = start(record, config, run.finding, row), record.history(row.id)
        inherited = set(begun.method.tree.nodes)
        replay(begun.method, history, begun.open_asks)
    except OtherVersion:
        raise
    except FlowError as error:
        yield f"cannot be replayed: {error}"
        return
    method = begun.method
    if (shape, search_key(row.prompt, row.occurrence, shape, row.seed, row.fork)) != (row.config_sha256, row.key):
        yield "its identity is not that of its prompt, seed and config"
    for node in history.nodes.values():
        if node.id != child_id(node.parent_id, node.text, node.finish):
            yield f"node {node.id} is not named by its content"
    own, told = history.nodes.keys(), method.tree.nodes.keys()
    if missing := (own - told) | (told - own - inherited):
        yield f"the tree told again differs in {len(missing)} nodes, such as {min(missing)}"
    if row.ended and row.answer != method.result().to_json():
        yield f"its answer is {row.answer}, told again it is {method.result().to_json()}"
    yield from _children_of_replies(config, method, history)
    yield from _verdicts_of_replies(config, history)
    yield from _likelihoods_of_replies(history)


def _children_of_replies(config: RunConfig, method: Method, history: History) -> Iterator[str]:
    """The chunks that were told are those that the replies hold."""
    replies: dict[int, list[ReplyRow]] = {}
    for key in sorted(history.replies):
        replies.setdefault(key.ask, []).append(history.replies[key])
    for tell in history.tells:
        if tell.kind != "grown" or tell.ask is None or history.asks[tell.ask].kind != SAMPLE:
            continue
        ask = history.asks[tell.ask]
        sample = Sample(ask.number, ask.node_id, attempt=ask.attempt, **ask.payload)
        brought = [c for part in replies.get(tell.ask, ()) for c in continuations_from_json(part.continuations or ())]
        found = chunks(sample, brought, config.strong.vocabulary, sample.answer(method.tree), config.sampling.stop)
        if [[chunk.id, chunk.count] for chunk in found.chunks] != [list(pair) for pair in tell.outcome["children"]]:
            yield f"ask {tell.ask} brought other chunks than its replies hold"


def _verdicts_of_replies(config: RunConfig, history: History) -> Iterator[str]:
    """What a judge is told to have said is what its replies hold."""
    answered = {(key.ask, key.part): reply for key, reply in history.replies.items() if reply.failure is None}
    for tell in history.tells:
        outcome = outcome_of(tell, history) if tell.kind == "judged" else None
        if tell.ask is None or config.judge is None or not isinstance(outcome, Judged):
            continue
        for part, told in enumerate(outcome.verdicts):
            reply = answered.get((tell.ask, part))
            if reply is None:
                same = told.value is None
            else:
                (said,) = continuations_from_json(reply.continuations or ())
                same = _alike(told, verdict(told.node, read_opinion(said, config.judge.scale)))
            if not same:
                yield f"ask {tell.ask}: node {told.node} is not judged as its reply says"


def _likelihoods_of_replies(history: History) -> Iterator[str]:
    """How likely a draft is told to be is what its reply holds."""
    read = {key.ask: reply.continuations for key, reply in history.replies.items() if reply.failure is None}
    for tell in history.tells:
        if tell.kind == "likely" and tell.ask is not None:
            (found,) = read.get(tell.ask) or [{"tokens": []}]
            if found["tokens"] != tell.outcome["read"]:
                yield f"ask {tell.ask}: the draft is not as likely as its reply says"


def _alike(one: Verdict, other: Verdict) -> bool:
    """Up to the last digits, in which machines may differ."""
    if one.value is None or other.value is None:
        return (one.value, one.reason) == (other.value, other.reason)
    return math.isclose(one.value, other.value, rel_tol=1e-9)
