"""Chunk-level beam search (Weak-to-Strong Search, arXiv 2405.19262), with best-of-N and plain sampling as its cases.

CBS(W, K, L): from each of W kept hypotheses sample K chunks of L tokens, score all prefixes, keep the W best, until
all kept are complete. Best-of-N is CBS(1, N, whole answer); base is CBS(1, 1, whole answer). A finished hypothesis
takes one slot and is never multiplied (the authors' code samples it K times over).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from flows.methods.base import Failed, Outcome, Result, Sample
from flows.methods.tree import Node, Tree


class BeamConfig(BaseModel):
    """Chunk-level beam search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["beam"] = "beam"
    width: int = Field(4, ge=1, description="W: hypotheses kept after each round.")
    children: int = Field(4, ge=1, description="K: chunks sampled from each.")
    chunk_tokens: int = Field(5, ge=1, description="L: strong tokens in a chunk.")
    in_flight: int = Field(4, ge=1, description="Asks under way at once within one search.")


class BestOfNConfig(BaseModel):
    """N whole answers, the best by value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["best_of_n"] = "best_of_n"
    n: int = Field(16, ge=1, description="N: whole answers sampled.")


class BaseConfig(BaseModel):
    """One whole answer, as the strong model gives it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["base"] = "base"


class Beam:
    """One beam search. The tree is the same whatever `in_flight`: a round is told whole before the next is asked."""

    VERSION = 1

    def __init__(self, config: BeamConfig, tree: Tree) -> None:
        self.tree = tree
        self._config = config
        self._kept: list[Node] = [tree.root]
        self._waiting: list[Sample] = []  # of this round, not asked yet
        self._asked: dict[int, Sample] = {}  # not told yet
        self._grown: list[Node] = []  # this round's children
        self._numbered = 0
        self._why = self._failure = ""
        self._plan_round()

    @classmethod
    def best_of_n(cls, n: int, tree: Tree) -> Beam:
        return cls(BeamConfig(width=1, children=n, chunk_tokens=tree.max_tokens, in_flight=1), tree)

    def ask(self) -> list[Sample]:
        room = self._config.in_flight - len(self._asked)
        asks, self._waiting = self._waiting[:room], self._waiting[room:]
        self._asked |= {ask.number: ask for ask in asks}
        return asks

    def tell(self, number: int, outcome: Outcome) -> None:
        ask = self._asked.pop(number)
        parent = self.tree.nodes[ask.node]
        if isinstance(outcome, Failed):
            self._failure = outcome.reason
        else:
            for told in outcome.children:
                child = Node(
                    told.id, parent, told.text, told.finish, parent.depth + told.tokens, told.value, told.prior.value
                )
                self.tree.add(parent, child)
                self._grown.append(child)
        if not self._asked and not self._waiting:
            self._select()

    def stop(self, reason: str) -> None:
        self._waiting, self._why = [], reason

    def result(self) -> Result:
        complete = self.tree.complete()
        pool: Sequence[Node] = complete or [n for n in self.tree.nodes.values() if n is not self.tree.root]
        if not pool:
            return Result(None, "", None, False, self._why)
        best = min(pool, key=_rank)
        return Result(best.id, self.tree.answer(best), best.value, bool(complete), self._why)

    def _select(self) -> None:
        """Keep the W best of this round's children and the finished ones of earlier rounds, each once."""
        finished = [node for node in self._kept if self.tree.is_complete(node)]
        self._kept = sorted([*finished, *self._grown], key=_rank)[: self._config.width]
        self._grown = []
        if self._why:
            return
        if all(self.tree.is_complete(node) for node in self._kept):
            self._why = "all hypotheses complete" if self._kept else self._failure
        else:
            self._plan_round()

    def _plan_round(self) -> None:
        for node in self._kept:
            if self.tree.is_complete(node):
                continue
            # The first round samples all W * K from the bare prompt.
            n = self._config.children * (self._config.width if node is self.tree.root else 1)
            tokens = min(self._config.chunk_tokens, self.tree.max_tokens - node.depth)
            self._waiting.append(Sample(self._numbered, node.id, n, tokens))
            self._numbered += 1


def _rank(node: Node) -> tuple[float, str]:
    """Best value first; ties by node id."""
    return -(node.value if node.value is not None else float("-inf")), node.id
