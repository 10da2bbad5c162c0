"""The children of a wide node, so that the one of the highest score is found without going through all of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from flows.methods.rules import Bonus
from flows.methods.tree import Node


class Ranking:
    """Open children in a heap, each by a bound that its score does not exceed until the parent has `until` visits.

    Scores are return x `unit` + bonus. A parent's visits raise the bonus of all its children, a little each time; hence
    the bounds, by `most`, the bonus at `until` visits. A child's own visits lower its score: its bound still holds.
    Whatever raises one (a higher return, a failed ask, something opened at or below it) is told by `push`.
    """

    def __init__(self, until: int, unit: float, entropy: float, most: Bonus, children: Iterable[Node]) -> None:
        self.until, self.unit, self.entropy = until, unit, entropy
        self._most = most
        self._heap: list[tuple[float, str]] = []
        for child in children:
            child.bound = child.best * unit + most(child.prior, child.visits) if child.open else float("-inf")
            if child.open:
                self._heap.append((-child.bound, child.id))
        heapq.heapify(self._heap)

    def push(self, child: Node) -> None:
        bound = child.best * self.unit + self._most(child.prior, child.visits)
        if bound > child.bound:
            child.bound = bound
            heapq.heappush(self._heap, (-bound, child.id))

    def best(self, bonus: Bonus, nodes: Mapping[str, Node]) -> tuple[Node | None, float]:
        """The open child of the highest score at the present `bonus`, ties by id, and its score."""
        heap, unit, most = self._heap, self.unit, self._most
        found, highest, looked_at = None, float("-inf"), []
        while heap and -heap[0][0] >= highest:
            child = nodes[heapq.heappop(heap)[1]]
            if not child.open:
                child.bound = float("-inf")
                continue
            score = child.best * unit + bonus(child.prior, child.visits)
            if found is None or score > highest or (score == highest and child.id < found.id):
                found, highest = child, score
            child.bound = child.best * unit + most(child.prior, child.visits)
            looked_at.append((-child.bound, child.id))
        for entry in looked_at:
            heapq.heappush(heap, entry)
        return found, highest
