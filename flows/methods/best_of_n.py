"""Best-of-N: whole answers, the best by value; plain sampling is its case of one. (CBS(1, N, whole answer).)"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from flows.methods.base import Failed, Grown, MethodSettings
from flows.methods.limits import Limits
from flows.methods.tree import Tree
from flows.methods.tree_search import Growth, TreeSearch

_AT_ONCE = 16


class BestOfNConfig(MethodSettings):
    """N whole answers, the best by value."""

    name: Literal["best_of_n"] = "best_of_n"
    n: int | None = Field(16, ge=1, description="N: whole answers sampled; none: as many as the limits allow.")

    @model_validator(mode="after")
    def _ends(self) -> BestOfNConfig:
        if self.n is None and not self.limits.bounded:
            raise ValueError("n: set it, or limits of iterations, tokens, nodes, calls or seconds")
        return self


class BaseConfig(MethodSettings):
    """One whole answer, as the strong model gives it."""

    name: Literal["base"] = "base"


def answers(config: BaseConfig | BestOfNConfig) -> int | None:
    """N; none: as many as the limits allow."""
    return config.n if isinstance(config, BestOfNConfig) else 1


class BestOfN(TreeSearch):
    """One best-of-N search: one ask for all, or one after the other until a limit is reached."""

    VERSION = 2

    def __init__(self, n: int | None, limits: Limits, tree: Tree, choices: int = 1, judged: int = 0) -> None:
        super().__init__(tree, limits, 1, choices, judged)
        self._n = n
        self._asks = self._sampled = 0

    def change(self, config: BaseConfig | BestOfNConfig) -> None:
        self._change(config.limits)
        self._n = answers(config)

    def _next(self) -> Growth | None:
        n = _AT_ONCE if self._n is None else self._n - self._sampled
        if n <= 0:
            self._why = "all answers sampled"
            return None
        return Growth(self.tree.root, n, self.tree.max_tokens, self._asks)

    def _begun(self, growth: Growth) -> None:
        self._asks += 1
        self._sampled += growth.n

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        self._add(growth.node, outcome.children)
        if growth.node.barren:
            self._why = self._why or "nothing new comes any more"

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        super()._failed(growth, outcome)
        self._why = self._why or outcome.reason
