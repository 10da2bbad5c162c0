"""The pluggable parts of a tree search, one small pure function each: exploration bonuses, and backups."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

Bonus = Callable[[float, int], float]
"""What exploration adds to a child's return, by its prior and visits."""

Rule = Callable[[int, float, float, float], Bonus]
"""The bonus of a node's children, by its visits and entropy (bits), c (exploration) and w (entropy weight).

It rises with the node's visits, and falls with the child's.
"""


def ea_puct(visits: int, entropy: float, exploration: float, entropy_weight: float) -> Bonus:
    """c P(s) sqrt(N(parent)) / (1 + N(s)) (1 + w H(parent)): W2S-AlignTree (arXiv 2511.11518), EA-PUCT."""
    scale = exploration * math.sqrt(visits) * (1 + entropy_weight * entropy)
    return lambda prior, below: scale * prior / (1 + below)


def puct(visits: int, entropy: float, exploration: float, entropy_weight: float) -> Bonus:
    """c P(s) sqrt(N(parent)) / (1 + N(s)): EA-PUCT without entropy."""
    return ea_puct(visits, entropy, exploration, 0.0)


def uct(visits: int, entropy: float, exploration: float, entropy_weight: float) -> Bonus:
    """c sqrt(ln N(parent) / N(s)): no prior, no entropy (UCB1 on trees)."""
    log = math.log(max(visits, 1))
    return lambda prior, below: exploration * math.sqrt(log / below)


RULES: Mapping[str, Rule] = {"ea_puct": ea_puct, "puct": puct, "uct": uct}

Backup = Callable[[Sequence[float]], float]
"""A node's return, of its children's."""


def half(returns: Sequence[float]) -> float:
    """Half of the best child, half of the mean child."""
    return (max(returns) + statistics.fmean(returns)) / 2


BACKUPS: Mapping[str, Backup] = {"max": max, "mean": statistics.fmean, "half": half}
