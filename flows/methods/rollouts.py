"""AlignTree where only whole answers can be had: a tree of rollouts.

An endpoint that cannot continue a text gives whole answers alone. They are cut into chunks, equal beginnings are
merged, and every prefix has its value: the tree is there to be looked at, but no node of it except the root can be
grown. So there is nothing to select; what is chosen is the best whole answer, as in best-of-N.
"""

from __future__ import annotations

from flows.methods.aligntree_config import AlignTreeConfig
from flows.methods.base import Failed, Grown
from flows.methods.limits import NOTHING, Cost
from flows.methods.tree import Tree
from flows.methods.tree_search import Growth, TreeSearch

_AT_ONCE = 4


class Rollouts(TreeSearch):
    """One such search. A node's visits are the answers that lead through it, its return the best value of these."""

    def __init__(self, config: AlignTreeConfig, tree: Tree, choices: int = 1, judged: int = 0) -> None:
        super().__init__(tree, config.limits, config.in_flight, choices, judged)
        self._config = config
        self._asks = 0

    def change(self, config: AlignTreeConfig) -> None:
        self._change(config.limits, config.in_flight)
        self._config = config

    def _next(self) -> Growth | None:
        config, root = self._config, self.tree.root
        n = config.children or _AT_ONCE
        return Growth(root, n, self.tree.max_tokens, self._asks, config.chunk, cut=config.chunk_tokens)

    def _begun(self, growth: Growth) -> None:
        self._asks += 1

    def _reserve(self, growth: Growth) -> Cost:
        return NOTHING

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        for node in self._add(growth.node, outcome.children, growth.reaches):
            node.worth = node.best = node.value or 0.0
        for child in reversed(outcome.children):  # those below before those above
            node = self.tree.nodes[child.id]
            node.visits += child.count
            node.best = max((below.best for below in node.children), default=node.worth)
        root = growth.node
        root.visits += sum(child.count for child in outcome.children if child.parent is None)
        root.best = max(child.best for child in root.children)
        if root.barren:
            self._why = self._why or "nothing new comes any more"

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        super()._failed(growth, outcome)
        self._why = self._why or outcome.reason
