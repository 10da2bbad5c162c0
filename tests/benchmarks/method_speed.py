"""The CPU time that the methods themselves take per node: trees grown with an instant model, without driver or record.

make bench
"""

from __future__ import annotations

import math
import sys
import time
from random import Random

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
    Outcome,
    Sample,
    build,
    child_id,
)
from tests.hand import samples

SIZES = 1_000, 10_000, 100_000
LONGEST = 512  # strong tokens in an answer: 64 levels of 8
MOST = 0.05  # milliseconds per node
ROUNDS = 3  # of which the fastest counts: what else the machine does only adds
ENTROPY = Estimate(2.0, "top-20 midpoint")


def methods(nodes: int) -> dict[str, MethodConfig]:
    limits = Limits(nodes=nodes)
    return {
        "aligntree": AlignTreeConfig(limits=limits),
        "aligntree, 8 in flight": AlignTreeConfig(limits=limits, in_flight=8),
        "aligntree paper": AlignTreeConfig.model_validate({"preset": "paper", "limits": limits}),
        "beam": BeamConfig(limits=limits, width=nodes // 4 // 64 + 1, chunk_tokens=8),
    }


def measure(config: MethodConfig) -> tuple[float, int, int]:
    """Milliseconds of the method per node (those of the model are left out), nodes, levels."""
    draw = Random(20251114)
    method = build(config, "Once", LONGEST)
    spent, began = 0.0, time.process_time()
    waiting = samples(method)
    while waiting:
        ask = waiting.pop(0)
        spent += time.process_time() - began
        outcome = instant(ask, draw, method.tree.nodes[ask.node].value or 0.0)
        began = time.process_time()
        method.tell(ask.number, outcome)
        waiting += samples(method)
    method.result()
    spent += time.process_time() - began
    nodes = len(method.tree.nodes) - 1
    return spent / nodes * 1000, nodes, max(node.level for node in method.tree.nodes.values())


def instant(ask: Sample, draw: Random, value: float) -> Outcome:
    """Chunks whose values walk at random from their parent's; one in fifty ends its answer."""
    children = []
    for i in range(ask.n):
        text, finish = f"{ask.attempt}.{i}", "stop" if draw.random() < 0.02 else "length"
        node = child_id(ask.node, text, finish)
        prior = Estimate(draw.uniform(0.05, 0.9), "logprobs")
        children.append(Child(node, text, finish, ask.max_tokens, 1, prior, value + draw.gauss(0, 1)))
    return Grown(tuple(children), ENTROPY, ask.n * ask.max_tokens, 1)


def main() -> None:
    headings = "method", "nodes", "levels", "ms per node", "us per node / (levels x log2 nodes)"
    table, most = Table(*headings, title="CPU time of the method itself"), 0.0
    for size in SIZES:
        for name, config in methods(size).items():
            milliseconds, nodes, levels = min(measure(config) for _ in range(ROUNDS))
            most = max(most, milliseconds)
            share = milliseconds * 1000 / (levels * math.log2(nodes))
            table.add_row(name, f"{nodes:,}", str(levels), f"{milliseconds:.4f}", f"{share:.4f}")
        table.add_section()
    Console().print(table)
    if most > MOST:
        sys.exit(f"{most:.4f} ms is more than {MOST} ms")


if __name__ == "__main__":
    main()
