"""Stage 2 by a judge: the best whole answers are put to it, and the one that it finds best is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from flows.methods.base import JUDGE, Judge, Judged
from flows.methods.tree import Node, Tree


class Stage2:
    """One search's last ask. `most`: candidates; 0: there is no judge, and nothing is ever asked.

    A stop before the judge was told of leaves the answer to the value, and says so.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._asked: int | None = None
        self._stopped = self._told = False
        self._outcome = "not judged"

    @property
    def kept_back(self) -> int:
        """Calls that it may yet take."""
        return 0 if self._asked is not None or self._stopped else self.most

    def ask(self, number: int, root: Node, best_first: Sequence[Node], calls: int | None) -> Judge | None:
        """Of as many of the whole answers as the `calls` left pay for (none: any); fewer than two are not judged."""
        if not self.kept_back:
            return None
        affordable = self.most if calls is None else min(self.most, calls)
        if min(len(best_first), affordable) < 2:
            lacking = "fewer than two whole answers" if len(best_first) < 2 else "limits.calls"
            self._outcome = f"not judged: {lacking}"
            return None
        self._asked = number
        return Judge(number, root.id, tuple(node.id for node in best_first[:affordable]))

    def tell(self, number: int, outcome: Judged, tree: Tree) -> None:
        if number != self._asked or self._told:
            return
        self._told = True
        judged = [(tree.nodes[v.node], v.value, v.parts) for v in outcome.verdicts if v.value is not None]
        for node, value, parts in judged:
            named = {f"{JUDGE}.{name}": part for name, part in parts.items()}
            node.parts = {**node.parts, JUDGE: value, **named}
            if len(judged) > 1:  # one alone is better than nothing that the judge knows
                node.judge = value
        self._outcome = f"the judge's best of {len(judged)}"
        if len(judged) < 2:
            self._outcome = f"not judged: {next(v.reason for v in outcome.verdicts if v.value is None)}"

    def stop(self, reason: str) -> None:
        if not (self._told or self._stopped):
            self._stopped, self._outcome = True, f"not judged: {reason}"

    def why(self, ended: str) -> str:
        """Why a search ended, and what came of its judge."""
        if not self.most:
            return ended
        told = "not judged" if self._outcome == f"not judged: {ended}" else self._outcome
        return f"{ended}; {told}" if ended else told
