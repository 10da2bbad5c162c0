"""What an API may withhold, climbed down rung by rung: a chunk's prior and a node's next-token entropy.

Each estimate says its rung, so that the record shows what a search was really guided by.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from flows.methods.base import Estimate
from providers import Continuation, Token


def prior(merged: Sequence[Continuation], drawn: int, distinct: int) -> Estimate:
    """P of a chunk: the geometric mean of its tokens' probabilities (W2S-AlignTree, eq. of EA-PUCT's prior).

    Without logprobs the frequency of the chunk among the `drawn` choices, where any repeat; else uniform, for
    `weak_prior` to better. `merged` are the equal choices that this chunk stands for.
    """
    tokens = merged[0].tokens
    if tokens:
        return Estimate(math.exp(sum(t.logprob for t in tokens) / len(tokens)), "logprobs")
    if distinct < drawn:
        return Estimate(len(merged) / drawn, "frequency")
    return Estimate(1 / drawn, "uniform")


def weak_prior(uniform: Estimate, parent: Mapping[str, float], child: Mapping[str, float]) -> Estimate:
    """In place of a uniform prior: the geometric mean of the chunk's token probabilities under the weak reference
    model, from the parts of the values of the answer before the chunk and with it; else `uniform`.
    """
    if "reference" not in child or "tokens" not in child:
        return uniform
    tokens = max(child["tokens"] - parent.get("tokens", 0), 1)  # one token may have swallowed two
    return Estimate(math.exp(min((child["reference"] - parent.get("reference", 0)) / tokens, 0)), "weak")


def entropy(continuations: Sequence[Continuation], vocabulary: int, temperature: float = 1.0) -> Estimate:
    """Entropy (bits) of the next token at the grown node: the median over the samples' first positions, which all share
    one distribution; 0 where no top list came back. `vocabulary`: tokens the strong model knows, for the upper bound.
    Exact where a model on this machine tells it.
    """
    for first in (c.tokens[0] for c in continuations if c.tokens):
        if first.exact and first.entropy is not None:
            warped = warped_entropy([p for _, p in first.top], temperature) if first.top else None
            return Estimate(first.entropy, "exact", (first.entropy, first.entropy), warped)
    tops = [[p for _, p in c.tokens[0].top] for c in continuations if c.tokens and c.tokens[0].top]
    found = [(e, top) for top in tops if (e := entropy_of_top(top, vocabulary)).bounds is not None]
    if not found:
        return Estimate(0.0, "none")
    value = statistics.median(e.value for e, _ in found)
    lower = statistics.median(e.bounds[0] for e, _ in found if e.bounds)
    upper = statistics.median(e.bounds[1] for e, _ in found if e.bounds)
    warped = statistics.median(warped_entropy(top, temperature) for _, top in found)
    return Estimate(value, found[0][0].rung, (lower, upper), warped)


def with_entropies(continuations: Sequence[Continuation], vocabulary: int) -> tuple[Continuation, ...]:
    """Each token with the entropy of its position, to 0.0001 bit; of one without a top list it is not known."""
    return tuple(
        c if c.tokens is None else replace(c, tokens=tuple(_with_entropy(token, vocabulary) for token in c.tokens))
        for c in continuations
    )


def _with_entropy(token: Token, vocabulary: int) -> Token:
    found = entropy_of_top([p for _, p in token.top], vocabulary)
    return token if token.exact or found.bounds is None else replace(token, entropy=round(found.value, 4))


def warped_entropy(logprobs: Sequence[float], temperature: float) -> float:
    """Entropy (bits) as the paper's code has it: of the shown tokens alone, after temperature. Not an estimate of the
    model's own: with 20 shown it falls 0.26 bit short of the paper's top 50
    """
    if temperature <= 0:
        return 0.0
    highest = max(logprobs)
    weights = [math.exp((p - highest) / temperature) for p in logprobs]
    total = sum(weights)
    return -sum(w / total * math.log2(w / total) for w in weights if w > 0)


def entropy_of_top(logprobs: Sequence[float], vocabulary: int) -> Estimate:
    """Entropy (bits) from the k largest log-probabilities (nats), bounded by the tail that was not shown.

    H_k of the shown; the unseen mass r spread evenly over the unseen tokens is the most, packed as tightly as p_k
    allows the least. Ten or more shown: midpoint of the bounds; fewer: a geometric tail.
    """
    # Some servers write -9999 for "never": no probability, and no evidence of how small the smallest is.
    shown = sorted((p for p in map(math.exp, logprobs) if p > 0), reverse=True)
    if not shown:
        return Estimate(0.0, "none")
    k, last = len(shown), shown[-1]
    known = -sum(p * math.log(p) for p in shown)
    rest = min(max(1 - sum(shown), 0.0), 1.0)
    if rest == 0:
        return _bits(known, f"top-{k}", known, known)
    unseen = max(vocabulary - k, 1)
    upper = known + rest * math.log(unseen / rest)
    full = math.floor(rest / last)
    over = rest - full * last
    lower = known - full * last * math.log(last) - (over * math.log(over) if over > 0 else 0.0)
    upper = max(upper, lower)
    if k >= 10:
        return _bits((lower + upper) / 2, f"top-{k} midpoint", lower, upper)
    tail = -rest * math.log(last) + rest * (rest + last) / last * math.log((rest + last) / rest)
    # The geometric tail is rest/last tokens long in the mean; bounds hold whatever the tail.
    return _bits(min(max(known + tail, lower), upper), f"top-{k} geometric", lower, upper)


def _bits(nats: float, rung: str, lower: float, upper: float) -> Estimate:
    to_bits = 1 / math.log(2)
    return Estimate(nats * to_bits, rung, (lower * to_bits, upper * to_bits))
