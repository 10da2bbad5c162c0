"""W2S-AlignTree (arXiv 2511.11518): Monte Carlo tree search with EA-PUCT, then a re-ranking of complete answers.

Selection, from the root: the child with the highest R(s) + c P(s) sqrt(N(parent)) / (1 + N(s)) (1 + w H(parent)).
Expansion: K children of L tokens. Backup along the path: N += 1, R = max over children. With N = 1 at creation, the
visits of a node are 1 + the expansions in its subtree; those of the root are the expansions. Stage 2: of the complete
answers below the M parents with the highest returns, the one of highest value.

Where the authors' code goes wrong, this does not follow it: complete children have a value though they cannot be
selected, only complete answers are re-ranked, the root's children count, exhaustion ends the search, and when no
answer is complete the best leaf is finished with one more call.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from flows.methods.base import Child, Failed, Outcome, Result, Sample
from flows.methods.tree import Node, Tree


class AlignTreeConfig(BaseModel):
    """Monte Carlo tree search with entropy-aware PUCT."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["aligntree"] = "aligntree"
    iterations: int = Field(16, ge=1, description="m: expansions.")
    children: int = Field(4, ge=1, description="K: chunks sampled at each expansion.")
    chunk_tokens: int = Field(8, ge=1, description="L: strong tokens in a chunk.")
    exploration: float = Field(1.5, ge=0, description="c: weight of the exploration term.")
    entropy_weight: float = Field(0.2, ge=0, description="w: how much the parent's entropy (bits) raises exploration.")
    rerank_parents: int = Field(10, ge=1, description="M: parents whose complete children are re-ranked at the end.")
    in_flight: int = Field(1, ge=1, description="Asks under way at once within one search; 1 is the sequential search.")


def ea_puct(node: Node, exploration: float, entropy_weight: float) -> float:
    """The selection score of a child (W2S-AlignTree, EA-PUCT), in the scorer's unit."""
    parent = node.parent
    if parent is None:
        raise ValueError("the root is not selected among siblings")
    bonus = exploration * node.prior * math.sqrt(parent.visits) / (1 + node.visits)
    return node.best + bonus * (1 + entropy_weight * parent.entropy)


class AlignTree:
    """One AlignTree search. Asks in flight visit their path at once, which keeps further asks apart."""

    VERSION = 1

    def __init__(self, config: AlignTreeConfig, tree: Tree) -> None:
        self.tree = tree
        self._config = config
        self._asked: dict[int, Sample] = {}
        self._numbered = 0
        self._finishing = self._stopped = False
        self._why = ""

    def ask(self) -> list[Sample]:
        asks = []
        while len(self._asked) < self._config.in_flight and (ask := self._next()) is not None:
            self._asked[ask.number] = ask
            asks.append(ask)
        return asks

    def _next(self) -> Sample | None:
        if self._why:
            return self._finish() if not self._asked else None
        if self._numbered >= self._config.iterations:
            self._why = "iterations done" if not self._asked else ""
            return self._finish() if self._why else None
        leaf = self._select()
        if leaf is None:
            if not self._asked:  # else an outcome may open something yet
                self._why = f"exhausted after {self._numbered} of {self._config.iterations} iterations"
            return self._finish() if self._why else None
        return self._sample(
            leaf, self._config.children, min(self._config.chunk_tokens, self.tree.max_tokens - leaf.depth)
        )

    def _select(self) -> Node | None:
        """Follow the highest score down to a node without children; None while every open one is under way."""
        node = self.tree.root
        if not self._open(node):
            return None
        while node.children:
            node = min(
                (child for child in node.children if self._open(child)),
                key=lambda child: (-ea_puct(child, self._config.exploration, self._config.entropy_weight), child.id),
            )
        return node

    def _open(self, node: Node) -> bool:
        """Something at or below the node can be grown, and is not being grown already."""
        if node.closed or self.tree.is_complete(node):
            return False
        if not node.children:
            return all(ask.node != node.id for ask in self._asked.values())
        return any(map(self._open, node.children)) if self._asked else True

    def _sample(self, node: Node, n: int, max_tokens: int) -> Sample:
        ask = Sample(self._numbered, node.id, n, max_tokens, node.attempts)
        self._numbered += 1
        node.attempts += 1
        for step in node.path():
            step.visits += 1
        return ask

    def _finish(self) -> Sample | None:
        """When no answer is complete, finish the best leaf with one more call (once, and not after a stop)."""
        if self._finishing or self._stopped or self.tree.complete():
            return None
        leaves = [node for node in self.tree.nodes.values() if not node.children and not node.closed]
        if not leaves:
            return None
        self._finishing = True
        best = min(leaves, key=_rank)
        return self._sample(best, 1, self.tree.max_tokens - best.depth)

    def tell(self, number: int, outcome: Outcome) -> None:
        ask = self._asked.pop(number)
        node = self.tree.nodes[ask.node]
        if isinstance(outcome, Failed):
            for step in node.path():
                step.visits -= 1
            node.closed = True
            if not self.tree.root.children:
                self._why = outcome.reason
        else:
            node.entropy = outcome.entropy.value
            for told in outcome.children:
                self.tree.add(node, self._child(node, told))
        self._back_up(node)

    def _child(self, parent: Node, told: Child) -> Node:
        return Node(
            told.id,
            parent,
            told.text,
            told.finish,
            parent.depth + told.tokens,
            value=told.value,
            prior=told.prior.value,
            best=told.value,
            visits=1,
        )

    def _back_up(self, node: Node) -> None:
        for step in node.path():
            if step.children:
                step.best = max(child.best for child in step.children)
                step.closed = all(child.closed or self.tree.is_complete(child) for child in step.children)

    def stop(self, reason: str) -> None:
        self._stopped, self._why = True, reason

    def result(self) -> Result:
        """Stage 2 over complete answers; the best leaf, said to be incomplete, where there is none."""
        complete = self.tree.complete()
        if complete:
            parents = {node.parent for node in complete if node.parent is not None}
            highest = sorted(parents, key=lambda p: (-p.best, p.id))[: self._config.rerank_parents]
            pool = [node for node in complete if node.parent in highest]
        else:
            pool = [n for n in self.tree.nodes.values() if not n.children and n is not self.tree.root]
        if not pool:
            return Result(None, "", None, False, self._why)
        best = min(pool, key=_rank)
        return Result(best.id, self.tree.answer(best), best.value, bool(complete), self._why)


def _rank(node: Node) -> tuple[float, str]:
    """Best value first; ties by node id."""
    return -(node.value if node.value is not None else float("-inf")), node.id
