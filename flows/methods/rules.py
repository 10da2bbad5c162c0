"""The pluggable parts of a tree search, one small pure function each: exploration bonuses, and backups."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from flows.methods.tree import Node

Bonus = Callable[[float, int], float]
"""What exploration adds to a child's return, by its prior and visits."""

Rule = Callable[[Node, float, float], Bonus]
"""The bonus of a node's children, by the node, c (exploration) and w (entropy weight)."""


def ea_puct(parent: Node, exploration: float, entropy_weight: float) -> Bonus:
    """c P(s) sqrt(N(parent)) / (1 + N(s)) (1 + w H(parent)): W2S-AlignTree (arXiv 2511.11518), EA-PUCT."""
    scale = exploration * math.sqrt(parent.visits) * (1 + entropy_weight * parent.entropy)
    return lambda prior, visits: scale * prior / (1 + visits)


def puct(parent: Node, exploration: float, entropy_weight: float) -> Bonus:
    """c P(s) sqrt(N(parent)) / (1 + N(s)): EA-PUCT without entropy."""
    return ea_puct(parent, exploration, 0.0)


def uct(parent: Node, exploration: float, entropy_weight: float) -> Bonus:
    """c sqrt(ln N(parent) / N(s)): no prior, no entropy (UCB1 on trees)."""
    log = math.log(max(parent.visits, 1))
    return lambda prior, visits: exploration * math.sqrt(log / visits)


RULES: Mapping[str, Rule] = {"ea_puct": ea_puct, "puct": puct, "uct": uct}

Backup = Callable[[Sequence[float]], float]
"""A node's return, of its children's."""


def half(returns: Sequence[float]) -> float:
    """Half of the best child, half of the mean child."""
    return (max(returns) + statistics.fmean(returns)) / 2


BACKUPS: Mapping[str, Backup] = {"max": max, "mean": statistics.fmean, "half": half}
