"""What methods make of a budget on simulated trees, whose values move as those of the built-in pair do; no model runs.

A chunk of 5 tokens moves the value by a draw around its node's own mean with its node's own standard deviation: means
are normal around -0.09 nats (a little more where the value is high already), 0.22 wide; deviations around 0.36 nats,
log-normal, 0.35 wide; those of first chunks 0.83. So it was on development prompts of the built-in models. What comes
out says which settings are worth measuring on real models, not how good they are.

python -m tests.benchmarks.simulated --answers 16
"""

from __future__ import annotations

import argparse
import math
from random import Random
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table

from flows.methods import (
    AlignTreeConfig,
    BeamConfig,
    Child,
    Estimate,
    Grown,
    Limits,
    MethodConfig,
    Node,
    Sample,
    build,
    child_id,
)
from flows.methods.aligntree_config import Widening
from tests.hand import samples

LONGEST, SEARCHES = 64, 400
ENTROPY = Estimate(3.0, "top-20 midpoint")


def methods(answers: int) -> dict[str, MethodConfig]:
    limits = Limits(tokens=answers * LONGEST)
    return {
        "beam W, 4, 5": BeamConfig(width=max(answers // 4, 1), children=4, chunk_tokens=5, limits=limits),
        "beam 2, K, 5": BeamConfig(width=2, children=max(answers // 2, 1), chunk_tokens=5, limits=limits),
        "beam 1, K, 5": BeamConfig(width=1, children=answers, chunk_tokens=5, limits=limits),
        "aligntree": AlignTreeConfig(limits=limits),
        "aligntree, c = 1.5": AlignTreeConfig(limits=limits, exploration=1.5),
        "aligntree, no widening": AlignTreeConfig(limits=limits, widening=None),
        "aligntree, K = 4": AlignTreeConfig(limits=limits, children=4),
        "aligntree, K = 4, each node grown once": AlignTreeConfig(limits=limits, children=4, widening=None),
        "aligntree, alpha = 0.7": AlignTreeConfig(limits=limits, widening=Widening(alpha=0.7)),
    }


def value(config: MethodConfig, seed: int) -> float:
    """Of the answer that one search finds, in nats."""
    method = build(config, "Once", LONGEST, choices=16)
    waiting = samples(method)
    while waiting:
        ask = waiting.pop(0)
        method.tell(ask.number, expanded(ask, method.tree.nodes[ask.node], seed))
        waiting += samples(method)
    return method.result().value or 0.0


def expanded(ask: Sample, node: Node, seed: int) -> Grown:
    """The world is drawn from seed and node, so that all methods search the same one."""
    own, draw = Random(f"{seed} {ask.node}"), Random(f"{seed} {ask.node} {ask.attempt}")
    before, share = node.value or 0.0, ask.max_tokens / 5
    mean, deviation = own.gauss(0.02 * before - 0.09, 0.22), min(0.36 * math.exp(own.gauss(0.0, 0.35)), 1.5)
    if node.parent is None:
        mean, deviation = own.gauss(0.0, 0.4), 0.83
    children = []
    for i in range(ask.n):
        text = f"{ask.attempt}.{i}"
        prior = Estimate(min(max(draw.gauss(0.3, 0.12), 0.05), 0.9), "logprobs")
        after = before + draw.gauss(mean * share, deviation * share**0.5)
        children.append(Child(child_id(ask.node, text, "length"), text, "length", ask.max_tokens, 1, prior, after))
    return Grown(tuple(children), ENTROPY, ask.n * ask.max_tokens, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=16, help="Budget in whole answers.")
    given = parser.parse_args()
    table = Table("method", "value, nats", "standard error", title=f"{given.answers} answers of {LONGEST} tokens")
    for name, config in methods(given.answers).items():
        values = [value(config, seed) for seed in range(SEARCHES)]
        table.add_row(name, f"{fmean(values):.2f}", f"{stdev(values) / SEARCHES**0.5:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
