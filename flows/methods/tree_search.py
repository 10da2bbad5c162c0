"""What all methods share: numbered asks, limits, stops, and finishing an answer where there is no whole one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flows.methods.base import Ask, Child, Failed, Grown, Judge, Judged, Likely, Outcome, Result, Sample, Unit
from flows.methods.limits import NOTHING, Cost, Limits, Meter
from flows.methods.rise import Rise, most_tokens
from flows.methods.stage2 import Stage2
from flows.methods.tree import CUT, Node, Tree


@dataclass(frozen=True)
class Growth:
    """A node that a method wants to grow by `n` chunks; `extra`: along with an iteration that was counted already.

    `cut`: by `n` longer texts instead, each cut into chunks of so many tokens at most, or where uncertainty rises.
    `prompt`: by `n` revisions of its answer, which this asks for.
    """

    node: Node
    n: int
    max_tokens: int
    iteration: int
    unit: Unit = "tokens"
    extra: bool = False
    cut: int | Rise = 0
    prompt: str | None = None

    @property
    def reaches(self) -> int | None:
        """Depth of what is cut off by length; none: each text is one chunk."""
        return self.node.depth + self.max_tokens if self.cut else None

    @property
    def size(self) -> tuple[int, int, int]:
        """Choices; the most tokens, and the most nodes, of each."""
        if not self.cut:
            return self.n, self.max_tokens, 1
        least = self.cut.least if isinstance(self.cut, Rise) else self.cut
        return self.n, self.max_tokens, math.ceil(self.max_tokens / (least if self.unit == "tokens" else 1))


class TreeSearch(ABC):
    """One search. A method says what to grow next (`_next`) and what it makes of the outcome (`_grown`, `_failed`).

    Before each ask its worst case is held against the limits, and that of a call that finishes an answer is kept back
    until there is a whole answer, or this ask is sure to bring one. `choices`: those that one request brings. `judged`:
    whole answers that a judge is asked of at the end, whose calls are kept back; 0: there is none.
    """

    def __init__(self, tree: Tree, limits: Limits, in_flight: int, choices: int, judged: int = 0) -> None:
        self.tree, self.limits = tree, limits
        self._in_flight = in_flight
        self._meter = Meter(limits, choices)
        self._asked: dict[int, Growth] = {}  # not told yet, in the order asked
        self._numbered = 0
        self._why = ""  # set: nothing more is grown
        self._may_finish = True
        self._finishing: int | None = None  # the ask that is to finish an answer
        self._stage2 = Stage2(judged)

    @abstractmethod
    def _next(self) -> Growth | None:
        """What to grow next, the same until it is begun; None: wait for what is under way, or `_why` is set."""

    @abstractmethod
    def _grown(self, growth: Growth, outcome: Grown) -> None:
        """Children to be added to the tree."""

    @abstractmethod
    def _begun(self, growth: Growth) -> None:
        """An ask goes out."""

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        """An ask brought nothing; what was grown so is not tried again."""
        growth.node.barren = True

    def _pool(self) -> Sequence[Node]:
        """Whole answers to choose from."""
        return self.tree.complete

    def _leaves(self) -> Sequence[Node]:
        """Where an answer can be finished."""
        return [n for n in self.tree.nodes.values() if not n.children and not n.barren and not n.complete]

    def _least_depth(self, growth: Growth) -> int:
        """Tokens down to some leaf at least, whatever comes of this growth and of those under way."""
        return 0

    @property
    def kept_for_judge(self) -> int:
        """Calls that no other ask may take: but for the one that finishes the only answer, which nothing is beside."""
        return self._stage2.kept_back if self._finishing is None else 0

    def ask(self) -> list[Ask]:
        asks: list[Ask] = []
        while len(self._asked) < self._in_flight and (ask := self._ask()) is not None:
            asks.append(ask)
        return asks

    def _ask(self) -> Ask | None:
        growth = self._next() if not self._why else None
        if growth is not None:
            reserve = self._reserve(growth) + Cost(0, 0, self._stage2.kept_back)
            n = self._meter.room(growth.iteration, *growth.size, reserve)
            if n == growth.n or (n and not self._asked):
                return self._send(replace(growth, n=n))
            if self._asked:  # which may take less than its worst case
                return None
            self._why = self._meter.why
        return (self._finish() or self._judge()) if self._why and not self._asked else None

    def _add(self, parent: Node, children: Sequence[Child], reaches: int | None = None) -> list[Node]:
        """The nodes that are new to the tree. Where none is, time and again, the parent is not grown any more.

        `reaches`: how deep a text that was cut into chunks ends by length, whatever tokens equal beginnings were made
        of before.
        """
        new = []
        for told in children:
            if told.id not in self.tree.nodes:
                above = parent if told.parent is None else self.tree.nodes[told.parent]
                depth = self._depth(above, told)
                if reaches is not None and told.finish != "stop":
                    depth = min(depth, reaches - 1) if told.finish == CUT else reaches
                node = Node(told.id, above, told.text, told.finish, depth, told.value, told.prior.value, told.parts)
                if reaches is not None and told.finish == CUT:
                    node.span = (reaches - depth) / (reaches - parent.depth)
                self.tree.add(above, node)
                new.append(node)
        parent.fruitless = 0 if new else parent.fruitless + 1
        parent.barren = parent.fruitless >= _FRUITLESS
        return new

    def _depth(self, above: Node, told: Child) -> int:
        """Tokens of the answer up to a new child's end."""
        return above.depth + told.tokens

    def _reserve(self, growth: Growth) -> Cost:
        tree = self.tree
        if tree.complete or (growth.unit == "tokens" and growth.node.depth + growth.max_tokens >= tree.max_tokens):
            return NOTHING
        return Cost(tree.max_tokens - self._least_depth(growth), 1, 1)

    def _finish(self) -> Sample | None:
        """When no answer is whole, finish the best leaf that can still be paid for; another one where that fails."""
        if not self._may_finish or self.tree.complete:
            return None
        most = self.tree.max_tokens
        leaves = [leaf for leaf in self._leaves() if self._meter.affords(1, most - leaf.depth)]
        if not leaves:
            return None
        self._may_finish, self._finishing = False, self._numbered
        best = min(leaves, key=rank)
        return self._send(Growth(best, 1, most - best.depth, 0, extra=True))

    def _judge(self) -> Judge | None:
        """At the end, of those that would be chosen from."""
        best_first = sorted(self._pool(), key=rank)
        ask = self._stage2.ask(self._numbered, self.tree.root, best_first, self._meter.calls_left())
        self._numbered += ask is not None
        return ask

    def _send(self, growth: Growth) -> Sample:
        node, cut = growth.node, growth.cut
        least, entropy = (cut.least, cut.entropy) if isinstance(cut, Rise) else (0, 0.0)
        ask = Sample(
            self._numbered, node.id, growth.n, growth.max_tokens, node.attempts, growth.unit, most_tokens(cut), least,
            entropy, growth.prompt,
        )  # fmt: skip
        self._numbered += 1
        node.attempts += 1
        node.busy = True
        self._asked[ask.number] = growth
        self._meter.reserved += self._meter.cost(*growth.size)
        self._begun(growth)
        return ask

    def tell(self, number: int, outcome: Outcome) -> None:
        if isinstance(outcome, Judged):
            self._stage2.tell(number, outcome, self.tree)
            return
        growth = self._asked.pop(number, None)
        if growth is None or isinstance(outcome, Likely):  # told already, or of no growth
            return
        growth.node.busy = False
        before, count = self.tree.best, len(self.tree.nodes)
        if isinstance(outcome, Failed):
            self._failed(growth, outcome)
            self._may_finish = self._may_finish or number == self._finishing
            if not self.tree.root.children:
                self._why = self._why or outcome.reason
        else:
            self._grown(growth, outcome)
        took = Cost(outcome.tokens, len(self.tree.nodes) - count, outcome.calls)
        worst = self._meter.cost(*growth.size)
        self._meter.told(growth.iteration, worst, took, better=before != self.tree.best)

    def stop(self, reason: str, *, finish: bool = False) -> None:
        self._why = self._why or reason
        self._may_finish = self._may_finish and finish
        self._finishing = self._finishing if finish else None
        self._stage2.stop(reason)

    def _change(self, limits: Limits, in_flight: int = 1) -> None:
        """Under other limits; whatever ended the search before does so no more."""
        self.limits, self._in_flight = limits, in_flight
        self._meter.change(limits)
        self._why, self._may_finish, self._finishing = "", True, None
        self._stage2 = Stage2(self._stage2.most)

    def result(self) -> Result:
        """The best whole answer; the best text so far, said to be incomplete, where there is none."""
        pool = self._pool() or [n for n in self.tree.nodes.values() if not n.children and n is not self.tree.root]
        why = self._stage2.why(self._why)
        if not pool:
            return Result(None, "", None, False, why)
        best = min(pool, key=_by_judge)
        return Result(best.id, self.tree.answer(best), best.value, best.complete, why, best.judge)


_FRUITLESS = 3
"""Asks in a row that bring nothing new, after which a node is not grown again."""


def _by_judge(node: Node) -> tuple[float, float, str]:
    """Best to the judge first, and then by value; those that it did not judge come last."""
    return -(node.judge if node.judge is not None else float("-inf")), *rank(node)


def rank(node: Node) -> tuple[float, str]:
    """Best value first; ties by node id."""
    return -(node.value if node.value is not None else float("-inf")), node.id
