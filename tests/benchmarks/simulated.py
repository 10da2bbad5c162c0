"""What methods make of a budget on simulated trees, whose values move as those of the built-in pair do; no model runs.

A chunk of 8 tokens moves the value by a draw around -0.17 nats (a little more where the value is high already) with a
standard deviation of 0.62, 1.0 for the first: as on development prompts of the built-in models. What comes out says
which settings are worth measuring on real models, not how good they are.

python -m tests.benchmarks.simulated --answers 16
"""

from __future__ import annotations

import argparse
from random import Random
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table

from flows.methods import (
    AlignTreeConfig,
    BeamConfig,
    BestOfNConfig,
    Child,
    Estimate,
    Grown,
    Limits,
    MethodConfig,
    Sample,
    build,
    child_id,
)
from flows.methods.aligntree_config import Widening

LONGEST, SEARCHES = 64, 600
ENTROPY = Estimate(3.0, "top-20 midpoint")


def methods(answers: int) -> dict[str, MethodConfig]:
    limits = Limits(tokens=answers * LONGEST)
    return {
        "best_of_n": BestOfNConfig(n=None, limits=limits),
        "beam W, 4, 5": BeamConfig(width=max(answers // 4, 1), children=4, chunk_tokens=5, limits=limits),
        "beam 1, K, 5": BeamConfig(width=1, children=answers, chunk_tokens=5, limits=limits),
        "aligntree": AlignTreeConfig(limits=limits),
        "aligntree, c = 1.5": AlignTreeConfig(limits=limits, exploration=1.5),
        "aligntree, no widening": AlignTreeConfig(limits=limits, widening=None),
        "aligntree, K = 4": AlignTreeConfig(limits=limits, children=4),
        "aligntree, K = 4, each node grown once": AlignTreeConfig(limits=limits, children=4, widening=None),
        "aligntree, alpha = 0.7": AlignTreeConfig(limits=limits, widening=Widening(alpha=0.7)),
        "aligntree, L = 8": AlignTreeConfig(limits=limits, chunk_tokens=8),
    }


def value(config: MethodConfig, seed: int) -> float:
    """Of the answer that one search finds, in nats."""
    draw = Random(seed)
    method = build(config, "Once", LONGEST, choices=16)
    waiting = method.ask()
    while waiting:
        ask = waiting.pop(0)
        method.tell(ask.number, expanded(ask, draw, method.tree.nodes[ask.node].value or 0.0))
        waiting += method.ask()
    return method.result().value or 0.0


def expanded(ask: Sample, draw: Random, before: float) -> Grown:
    share = ask.max_tokens / 8
    mean, deviation = (0.045 * before - 0.17) * share, (0.62 if before else 1.0) * share**0.5
    children = []
    for i in range(ask.n):
        text = f"{ask.attempt}.{i}"
        prior = Estimate(min(max(draw.gauss(0.3, 0.12), 0.05), 0.9), "logprobs")
        node = child_id(ask.node, text, "length")
        children.append(Child(node, text, "length", ask.max_tokens, 1, prior, before + draw.gauss(mean, deviation)))
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
