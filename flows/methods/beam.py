"""Chunk-level beam search (Weak-to-Strong Search, arXiv 2405.19262).

CBS(W, K, L): from each of W kept hypotheses sample K chunks of L tokens, score all prefixes, keep the W best, until
all kept are complete. A finished hypothesis takes one slot and is never multiplied (the authors' code samples it
K times over).

Where chunks end as uncertainty rises, what was sampled beyond a chunk's end is kept below it: when the chunk is kept,
that is one of the K chunks from it, and so many fewer are sampled. Hypotheses of a round differ in length then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Literal

from pydantic import Field, model_validator

from flows.methods.base import Failed, Grown, MethodSettings, Unit
from flows.methods.rise import LENGTH, ChunkTokens, check_unit, most_tokens, rise
from flows.methods.tree import Node, Tree
from flows.methods.tree_search import Growth, TreeSearch, rank


class BeamConfig(MethodSettings):
    """Chunk-level beam search."""

    name: Literal["beam"] = "beam"
    width: int = Field(4, ge=1, description="W: hypotheses kept after each round.")
    children: int = Field(4, ge=1, description="K: chunks sampled from each.")
    chunk: Unit = Field("tokens", description="What a chunk is: chunk_tokens, or these at most up to a boundary.")
    chunk_tokens: ChunkTokens = Field(5, description=LENGTH)
    in_flight: int = Field(4, ge=1, description="Asks under way at once within one search.")

    @model_validator(mode="after")
    def _one_end(self) -> BeamConfig:
        check_unit(self.chunk, self.chunk_tokens)
        return self


class Beam(TreeSearch):
    """One beam search. The tree is the same whatever `in_flight`: a round is told whole before the next is asked."""

    VERSION = 3

    def __init__(self, config: BeamConfig, tree: Tree, choices: int = 1, judged: int = 0) -> None:
        super().__init__(tree, config.limits, config.in_flight, choices, judged)
        self._config = config
        self._kept: list[Node] = [tree.root]
        self._waiting: list[Growth] = []  # of this round, not asked yet
        self._round = 0
        self._failure = ""
        self._plan_round({tree.root.id})

    def change(self, config: BeamConfig) -> None:
        """What is not asked of this round yet is asked with the new K and L; the next selection keeps the new W."""
        self._change(config.limits, config.in_flight)
        self._config = config
        waiting, self._waiting = {growth.node.id for growth in self._waiting}, []
        self._plan_round(waiting)

    def _next(self) -> Growth | None:
        while not (self._waiting or self._asked or self._why):
            self._select()
        return self._waiting[0] if self._waiting else None

    def _begun(self, growth: Growth) -> None:
        if not growth.extra:
            self._waiting.pop(0)

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        self._add(growth.node, outcome.children, growth.reaches)

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        super()._failed(growth, outcome)
        self._failure = outcome.reason

    def _leaves(self) -> Sequence[Node]:
        return [leaf for kept in self._kept for leaf in _leaves_below(kept) if not (leaf.barren or leaf.complete)]

    def _least_depth(self, growth: Growth) -> int:
        return min((node.depth for node in self._kept), default=0)

    def _select(self) -> None:
        """Keep the W best of this round's children and the finished ones of earlier rounds, each once."""
        finished = [node for node in self._kept if node.complete]
        children = [child for node in self._kept for child in node.children]
        self._kept = sorted([*finished, *children], key=rank)[: self._config.width]
        if all(node.complete for node in self._kept):
            self._why = "all hypotheses complete" if self._kept else self._failure
        else:
            self._round += 1
            self._plan_round({node.id for node in self._kept})

    def _plan_round(self, wanted: Set[str]) -> None:
        for node in self._kept:
            if node.complete or node.id not in wanted:
                continue
            # The first round samples all W * K from the bare prompt.
            n = self._config.children * (self._config.width if node is self.tree.root else 1) - len(node.children)
            length = self._config.chunk_tokens
            tokens = min(most_tokens(length), self.tree.max_tokens - node.depth)
            if n > 0:
                self._waiting.append(Growth(node, n, tokens, self._round, self._config.chunk, cut=rise(length)))


def _leaves_below(node: Node) -> Iterator[Node]:
    if not node.children:
        yield node
    for child in node.children:
        yield from _leaves_below(child)
