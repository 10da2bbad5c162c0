"""How values move in trees on record: what simulated trees are made by, and what prior and entropy tell of it.

aligntree export --as nodes -o nodes.jsonl
python -m tests.benchmarks.spread nodes.jsonl
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

LEVELS = ((0, 1), (1, 3), (3, 6), (6, 10), (10, 99))


@dataclass(frozen=True)
class Family:
    """The children of a node: by how much each is worth more than the node (nats)."""

    level: int
    entropy: float
    gains: list[float]
    priors: list[float]


def families(nodes: Sequence[dict[str, Any]]) -> list[Family]:
    """Of nodes that have two children or more."""
    known = {(node["search"], node["node"]): node for node in nodes}
    below = defaultdict[tuple[str, str], list[dict[str, Any]]](list)
    for node in nodes:
        below[node["search"], node["parent"]].append(node)
    found = []
    for key, children in below.items():
        parent = known.get(key, {"level": 0, "value": 0.0, "entropy": 0.0})
        if len(children) > 1:
            gains = [child["value"] - parent["value"] for child in children]
            found.append(Family(parent["level"], parent["entropy"], gains, [child["prior"] for child in children]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", type=Path, help="What aligntree export --as nodes wrote.")
    lines = parser.parse_args().nodes.read_text(encoding="utf-8").splitlines()
    found = families([json.loads(line) for line in lines])
    table = Table("level", "nodes grown", "mean gain", "within a node", "between nodes", title="gains of chunks, nats")
    for low, high in LEVELS:
        some = [family for family in found if low <= family.level < high]
        if len(some) > 1:
            counts = [len(family.gains) for family in some]
            means, variances = zip(*((fmean(f.gains), float(np.var(f.gains, ddof=1))) for f in some), strict=True)
            within = float(np.average(variances, weights=[n - 1 for n in counts]))
            between = max(float(np.var(means)) - fmean(v / n for v, n in zip(variances, counts, strict=True)), 0.0)
            average = float(np.average(means, weights=counts))
            figures = (f"{average:+.2f}", f"{math.sqrt(within):.2f}", f"{math.sqrt(between):.2f}")
            table.add_row(f"{low}-{high - 1}", str(len(some)), *figures)
    Console().print(table)
    deep = [family for family in found if family.level]
    logs = [np.log(family.priors) for family in deep]
    apart = np.concatenate([log - log.mean() for log in logs])
    gains = np.concatenate([np.array(family.gains) - fmean(family.gains) for family in deep])
    print(f"log prior and gain, within a node: correlation {np.corrcoef(apart, gains)[0, 1]:+.2f}")
    known = [family for family in deep if family.entropy > 0]
    if len(known) > 1:
        spread = [float(np.std(family.gains, ddof=1)) for family in known]
        told = np.corrcoef([family.entropy for family in known], spread)[0, 1]
        print(f"a node's entropy and the spread of its gains: correlation {told:+.2f}")


if __name__ == "__main__":
    main()
