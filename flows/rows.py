"""Between methods and the record: asks, outcomes and replies to rows and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from flows.errors import RecordMismatch
from flows.methods import (
    JUDGE,
    Ask,
    Child,
    Draft,
    Estimate,
    Failed,
    Grown,
    Judge,
    Judged,
    Keep,
    Likelihood,
    Likely,
    Outcome,
    Sample,
    Verdict,
)
from providers import CallFailed, Continuation, ContinuationRequest, Reply, Token
from store import AskRow, History, NodeRow, ReplyRow, ScoreRow, TellRow


@dataclass(frozen=True)
class Told:
    """A tell with the nodes and scores that are recorded along with it."""

    tell: TellRow
    nodes: tuple[NodeRow, ...] = ()
    scores: tuple[ScoreRow, ...] = ()


def ask_row(ask: Ask) -> AskRow:
    match ask:
        case Sample():
            return AskRow(ask.number, SAMPLE, ask.node, ask.attempt, _wanted(ask))
        case Judge():
            return AskRow(ask.number, "judge", ask.node, 0, {"candidates": list(ask.candidates)})
        case Draft():
            return AskRow(ask.number, "draft", ask.node, 0, {"max_tokens": ask.max_tokens, "window": ask.window})
        case Likelihood():
            return AskRow(ask.number, "likelihood", ask.node, 0, {})
        case Keep():
            return AskRow(ask.number, "keep", ask.node, 0, {"text": ask.text, "tokens": ask.tokens})


SAMPLE = "sample"
"""The kind of ask whose children are what replies brought."""


def _wanted(ask: Sample) -> dict[str, Any]:
    """What is not usual is left out: it was not there when older searches began."""
    wanted: dict[str, Any] = {"n": ask.n, "max_tokens": ask.max_tokens, "unit": ask.unit}
    wanted |= {"cut": ask.cut} if ask.cut else {}
    wanted |= {} if ask.prompt is None else {"prompt": ask.prompt}
    return wanted | ({"least": ask.least, "entropy": ask.entropy} if ask.least else {})


def told(position: int, ask: Ask, outcome: Outcome, scorer: str, known: Set[str], seconds: float) -> Told:
    """The rows of an outcome; nodes that are `known` are not recorded again. `seconds` at work so far."""
    if isinstance(outcome, Judged):
        return _judged(position, ask.number, outcome, seconds)
    if isinstance(outcome, Likely):
        found = {"read": [list(token) for token in outcome.read], "calls": outcome.calls, "seconds": seconds}
        return Told(TellRow(position, ask.number, "likely", found))
    took = {"tokens": outcome.tokens, "calls": outcome.calls, "seconds": seconds}
    if isinstance(outcome, Failed):
        return Told(TellRow(position, ask.number, "failed", {"reason": outcome.reason, **took}))
    new = tuple(
        NodeRow(c.id, c.parent or ask.node, ask.number, c.text, c.finish, c.tokens)
        for c in outcome.children
        if c.id not in known
    )
    scores = [_estimate_row(ask, ask.node, "entropy", outcome.entropy)]
    for child in outcome.children:
        scores.append(ScoreRow(ask.number, child.id, scorer, child.value, dict(child.parts)))
        scores.append(_estimate_row(ask, child.id, "prior", child.prior))
    grown = {"scorer": scorer, "children": [[child.id, child.count] for child in outcome.children], **took}
    return Told(TellRow(position, ask.number, "grown", grown), new, tuple(scores))


def _judged(position: int, ask: int, outcome: Judged, seconds: float) -> Told:
    """What was told are the candidates, each with the reason why it was not judged, if it was not."""
    verdicts = [[verdict.node, verdict.reason] for verdict in outcome.verdicts]
    scores = [
        ScoreRow(ask, verdict.node, JUDGE, verdict.value, dict(verdict.parts))
        for verdict in outcome.verdicts
        if verdict.value is not None
    ]
    tell = TellRow(position, ask, "judged", {"verdicts": verdicts, "calls": outcome.calls, "seconds": seconds})
    return Told(tell, scores=tuple(scores))


def stopped(position: int, reason: str, finish: bool, seconds: float) -> Told:
    return Told(TellRow(position, None, "stop", {"reason": reason, "finish": finish, "seconds": seconds}))


def seconds_at_work(history: History) -> float:
    """How long a search was worked on, as of its last tell."""
    return float(history.tells[-1].outcome["seconds"]) if history.tells else 0.0


def outcome_of(tell: TellRow, history: History) -> Outcome:
    """An ask's outcome off the record. Raises RecordMismatch where something of it is missing."""
    if tell.kind == "failed":
        return Failed(tell.outcome["reason"], tell.outcome["tokens"], tell.outcome["calls"])
    if tell.ask is None:
        raise RecordMismatch(
            f"tell {tell.position} is of kind {tell.kind} and answers no ask", mend="The record was changed"
        )

    if tell.kind == "likely":
        return Likely(tuple((text, logprob) for text, logprob in tell.outcome["read"]), tell.outcome["calls"])

    def score(node: str, name: str) -> ScoreRow:
        for row in history.scores.get(node, ()):
            if row.ask == tell.ask and row.name == name:
                return row
        raise RecordMismatch(f"no {name} of node {node[:12]} as of ask {tell.ask}", mend="The record was changed")

    if tell.kind == "judged":
        verdicts = []
        for node, reason in tell.outcome["verdicts"]:
            said = score(node, JUDGE) if reason is None else None
            verdicts.append(Verdict(node, said.value, said.parts) if said else Verdict(node, None, reason=reason))
        return Judged(tuple(verdicts), tell.outcome["calls"])
    children, grown = [], history.asks[tell.ask].node_id
    for node, count in tell.outcome["children"]:
        row, value = history.nodes[node], score(node, tell.outcome["scorer"])
        prior = _estimate(score(node, "prior"))
        parent = None if row.parent_id == grown else row.parent_id
        children.append(Child(row.id, row.text, row.finish, row.tokens, count, prior, value.value, value.parts, parent))
    entropy = _estimate(score(grown, "entropy"))
    return Grown(tuple(children), entropy, tell.outcome["tokens"], tell.outcome["calls"])


def _estimate_row(ask: Ask, node: str, name: str, estimate: Estimate) -> ScoreRow:
    parts: dict[str, Any] = {"rung": estimate.rung}
    if estimate.bounds is not None:
        parts["bounds"] = list(estimate.bounds)
    if estimate.warped is not None:
        parts["warped"] = estimate.warped
    if estimate.approximate:
        parts["approximate"] = True
    return ScoreRow(ask.number, node, name, estimate.value, parts)


def _estimate(row: ScoreRow) -> Estimate:
    bounds = row.parts.get("bounds")
    return Estimate(
        row.value, row.parts["rung"], (bounds[0], bounds[1]) if bounds else None, row.parts.get("warped"),
        row.parts.get("approximate", False),
    )  # fmt: skip


def request_row(request: ContinuationRequest) -> Mapping[str, Any]:
    """All but the texts, which prompt, ask and node tell; a hash of them instead."""
    row = dict(vars(request))
    text = row.pop("prompt") + row.pop("answer") + (row.pop("draft") or "")
    row.pop("system")  # the config's
    return row | {"text_sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def failure_row(failed: CallFailed) -> ReplyRow:
    """A request that brought nothing."""
    failure = {"what": failed.what, "status": failed.status, "blame": failed.blame, "billed": failed.billed}
    return ReplyRow(None, failure, failed.body)


def reply_row(reply: Reply, *, all_tops: bool = False) -> ReplyRow:
    return ReplyRow(
        continuations=continuations_to_json(reply.continuations, all_tops=all_tops),
        failure=None,
        body=reply.body,
        input_tokens=reply.usage.input,
        cached_tokens=reply.usage.cached,
        output_tokens=reply.usage.output,
        estimated=reply.usage.estimated,
        price=reply.price,
        latency=reply.latency,
        request_id=reply.request_id,
    )


def continuations_to_json(continuations: Sequence[Continuation], *, all_tops: bool = False) -> list[dict[str, Any]]:
    """The parsed form: tokens with their log-probabilities, and the top list of the first position only, which is all
    that the prior and the entropy need; the rest is in the body. With `all_tops` those of the others too: a judge's
    score may stand anywhere. Entropies, in bits, of all positions where they were looked at: chunks end by them.
    """
    return [
        {
            "text": c.text,
            "finish": c.finish,
            "tokens": None if c.tokens is None else [[t.text, t.logprob] for t in c.tokens],
            "top": [list(pair) for pair in c.tokens[0].top] if c.tokens else [],
        }
        | ({"tops": [[list(pair) for pair in t.top] for t in (c.tokens or ())[1:]]} if all_tops else {})
        | _entropies(c.tokens or ())
        for c in continuations
    ]


def _entropies(tokens: Sequence[Token]) -> dict[str, Any]:
    if all(token.entropy is None for token in tokens):
        return {}
    return {"entropies": [token.entropy for token in tokens], "exact": all(token.exact for token in tokens)}


def continuations_from_json(rows: Sequence[Mapping[str, Any]]) -> tuple[Continuation, ...]:
    return tuple(
        Continuation(row["text"], row["finish"], None if row["tokens"] is None else _tokens(row)) for row in rows
    )


def _tokens(row: Mapping[str, Any]) -> tuple[Token, ...]:
    tops = [tuple((text, logprob) for text, logprob in top) for top in (row["top"], *row.get("tops", ()))]
    tops += [()] * (len(row["tokens"]) - len(tops))
    entropies = row.get("entropies") or [None] * len(tops)
    told = zip(row["tokens"], tops, entropies, strict=False)
    return tuple(Token(text, logprob, top, bits, row.get("exact", False)) for (text, logprob), top, bits in told)
