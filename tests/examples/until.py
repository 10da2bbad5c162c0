"""Whole answers, a few at a time, until one is good enough."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flows.methods.base import Failed, Grown, MethodSettings
from flows.methods.limits import Limits
from flows.methods.tree import Tree
from flows.methods.tree_search import Growth, TreeSearch


class UntilConfig(MethodSettings):
    """Whole answers, a few at a time, until one is worth enough."""

    name: Literal["until"] = "until"
    enough: float = Field(5.0, allow_inf_nan=False, description="The value of an answer that ends the search.")
    n: int = Field(4, ge=1, description="Answers sampled at a time.")
    limits: Limits = Field(Limits(iterations=8), description="Where each search ends at the latest.")


class Until(TreeSearch):
    """One such search."""

    VERSION = 1

    def __init__(self, config: UntilConfig, tree: Tree, choices: int = 1, judged: int = 0) -> None:
        super().__init__(tree, config.limits, 1, choices, judged)
        self._config = config
        self._asks = 0

    def change(self, config: UntilConfig) -> None:
        self._change(config.limits)
        self._config = config

    def _next(self) -> Growth | None:
        best = self.tree.best
        if best is not None and best >= self._config.enough:
            self._why = f"an answer is worth {best:.2f}"
            return None
        return Growth(self.tree.root, self._config.n, self.tree.max_tokens, self._asks)

    def _begun(self, growth: Growth) -> None:
        self._asks += 1

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        self._add(growth.node, outcome.children)
        if growth.node.barren:
            self._why = "nothing new comes any more"

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        super()._failed(growth, outcome)
        self._why = self._why or outcome.reason
