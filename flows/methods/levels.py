"""The returns that nodes begin with."""

from __future__ import annotations

from collections.abc import Sequence

from flows.methods.tree import Node


class Levels:
    """How many nodes there are at each level and what their values sum to; the range of the returns they began with."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, float]] = {}
        self.lowest, self.highest = float("inf"), float("-inf")

    def weigh(self, new: Sequence[Node], *, fair: bool) -> None:
        """The value of each node; where it is to be `fair`, how far that is above the mean of its level so far."""
        for child in new:
            count, total = self._known.get(child.level, (0, 0.0))
            self._known[child.level] = count + 1, total + (child.value or 0.0)
        for child in new:
            count, total = self._known[child.level]
            child.worth = child.best = (child.value or 0.0) - (total / count if fair else 0.0)
            self.lowest, self.highest = min(self.lowest, child.worth), max(self.highest, child.worth)
