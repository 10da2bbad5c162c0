"""W2S-AlignTree (arXiv 2511.11518): Monte Carlo tree search with EA-PUCT, then a re-ranking of complete answers.

Selection, from the root: the child with the highest R(s) + c P(s) sqrt(N(parent)) / (1 + N(s)) (1 + w H(parent)).
Expansion: K children of L tokens. Backup along the path: N += 1, R = max over children. With N = 1 at creation, the
visits of a node are 1 + the expansions in its subtree; those of the root are the expansions. Stage 2: of the complete
answers below the M parents with the highest returns, the one of highest value.

Where the authors' code goes wrong, this does not follow it: only complete answers are re-ranked, the root's children
count, exhaustion ends the search, and when no answer is complete the best leaf is finished with one more call. Where
`complete_children` is `value`, complete children inform the search too, though they cannot be selected.

Progressive widening lets a node be grown again: a node that was grown fewer than k0 N^alpha times competes, as one more
child, with those it has: its prior is their mean, its visits the times that it was grown, and its return what another
growth promises: the node's value, and on top what growing has brought on average in this tree, from a node to its best
new child. So the search widens where a node's children disappoint, and goes down where they do not.

Where chunks end as uncertainty rises, a sample is a path of chunks. The nodes on it were not grown themselves: each may
be once, with or without widening; until then growing it promises as much less as its children are shorter.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import replace

from flows.methods.aligntree_config import AlignTreeConfig
from flows.methods.base import Failed, Grown
from flows.methods.levels import Levels
from flows.methods.ranking import Ranking
from flows.methods.rise import most_tokens, rise
from flows.methods.rules import BACKUPS, RULES, Bonus
from flows.methods.tree import CUT, Node, Tree
from flows.methods.tree_search import Growth, TreeSearch


class AlignTree(TreeSearch):
    """One AlignTree search. Asks in flight visit their path at once, which keeps further asks apart."""

    VERSION = 6

    def __init__(self, config: AlignTreeConfig, tree: Tree, choices: int = 1, judged: int = 0) -> None:
        super().__init__(tree, config.limits, config.in_flight, choices, judged)
        self._configure(config)
        self._expansions = 0
        self._top_ups: list[Growth] = []
        self._rankings: dict[str, Ranking] = {}  # of wide nodes' children
        self._levels = Levels()
        self._leaves_by_depth: list[tuple[int, str]] = []  # a heap, deepest first; what is none any more is still in it
        self._growths, self._gained = 0, 0.0  # expansions that brought something, and by how much in all
        self._gain = 0.0  # by how much on average

    def _configure(self, config: AlignTreeConfig) -> None:
        self._config = config
        self._rule, self._backup, self._widening = RULES[config.rule], BACKUPS[config.backup], config.widening

    def change(self, config: AlignTreeConfig) -> None:
        """Visits stay, and what was estimated at growth; returns, and what is open, are made anew."""
        self._change(config.limits, config.in_flight)
        self._configure(config)
        self._top_ups, self._rankings = [], {}
        for node in sorted(self.tree.nodes.values(), key=lambda node: -node.level):
            node.rest_until = -1
            self._back_up(node)

    def _next(self) -> Growth | None:
        if self._top_ups:
            return self._top_ups[0]
        root = self.tree.root
        if root.open:
            leaf = self._select()
        elif self._widening and root.children and not (self._asked or root.barren):
            leaf = root  # all else is complete
        else:
            if not self._asked:  # else an outcome may open something yet
                taken = self._meter.summary()
                self._why = "exhausted: nothing is left to grow" + (f" ({taken})" if taken else "")
            return None
        config = self._config
        n, length = config.children or self._affordable(leaf), config.chunk_tokens
        tokens, cut = min(most_tokens(length), self.tree.max_tokens - leaf.depth), rise(length)
        return Growth(leaf, n, tokens, self._expansions, config.chunk, cut=cut)

    def _affordable(self, leaf: Node) -> int:
        """K by the limit of tokens: with half of it the search gets from here to the longest answer, the other half is
        for growing again what disappoints.
        """
        most = self.limits.tokens
        if most is None:
            return _CHILDREN
        left = most - self._meter.taken.tokens - self._meter.reserved.tokens
        return max(left // (2 * (self.tree.max_tokens - leaf.depth)), _FEWEST)

    def _select(self) -> Node:
        """Follow the highest score down to an open node that has no children, or is to be widened."""
        node, c, w = self.tree.root, self._config.exploration, self._config.entropy_weight
        unit, rule, gain = self._unit(), self._rule, self._gain
        while children := node.children:
            lead = node.lead
            if (
                (lead is not None and lead.open and node.visits <= node.rest_until)
                # No bonus is below 0: most leads are ahead of what all else can come to without theirs.
                and (lead.best > node.rest and lead.best >= node.worth + gain * node.span + node.wider)
            ):
                node = lead
                continue
            bonus = rule(node.visits, node.entropy, c, w)
            if len(children) < _WIDE:
                best, highest = self._compare(node, unit, bonus)
            else:
                best, highest = self._ranking(node, unit).best(bonus, self.tree.nodes)
            if self._can_widen(node) and self._widened(node, unit, bonus) > highest:
                return node
            if best is None:  # pragma: no cover
                raise AssertionError("an open node has an open child, or can be widened")
            node = best
        return node

    def _compare(self, node: Node, unit: float, bonus: Bonus) -> tuple[Node | None, float]:
        """The open child of the highest score, ties by id, and its score. Where it led before, it is noted how high all
        else can come within the next visits, so that it need not be looked at.
        """
        best, highest = None, _NONE
        for child in node.children:
            if child.open:
                score = child.best * unit + bonus(child.prior, child.visits)
                if score > highest or (score == highest and best is not None and child.id < best.id):
                    best, highest = child, score
        if best is not None and best is node.lead and not self._config.min_max:
            node.rest_until = node.visits + len(node.children) + node.visits // 8
            most = self._rule(node.rest_until, node.entropy, self._config.exploration, self._config.entropy_weight)
            bounds = [c.best * unit + most(c.prior, c.visits) for c in node.children if c.open and c is not best]
            node.rest = max(bounds, default=_NONE)
            node.wider = _NONE
            if self._widening or not node.attempts:
                node.wider = most(node.prior_below / len(node.children), max(node.attempts, 1))
        else:
            node.lead, node.rest_until = best, -1
        return best, highest

    def promised(self, node: Node) -> float:
        """The return of growing a node again: its own, and what growing has brought on average."""
        return node.worth + self._gain * node.span

    def _widened(self, node: Node, unit: float, bonus: Bonus) -> float:
        """The score of growing a node again."""
        return self.promised(node) * unit + bonus(node.prior_below / len(node.children), max(node.attempts, 1))

    def _unit(self) -> float:
        """Of returns, in a score; where they begin moves all scores alike."""
        if not self._config.min_max:
            return 1.0
        lowest, highest = self._levels.lowest, self._levels.highest
        return 1 / (highest - lowest) if highest > lowest else 0.0

    def scores(self, node: Node) -> dict[str, float]:
        """What selection at a node compares now: the scores of its open children, and its own if it may be widened."""
        bonus = self._rule(node.visits, node.entropy, self._config.exploration, self._config.entropy_weight)
        unit = self._unit()
        found = {c.id: c.best * unit + bonus(c.prior, c.visits) for c in node.children if c.open}
        if node.children and self._can_widen(node):
            found[node.id] = self._widened(node, unit, bonus)
        return found

    def _ranking(self, node: Node, unit: float) -> Ranking:
        """As it is, or made anew: seldom enough to cost little, often enough that its bounds are tight."""
        found = self._rankings.get(node.id)
        if found is None or node.visits > found.until or found.unit != unit or found.entropy != node.entropy:
            until = node.visits + len(node.children)
            most = self._rule(until, node.entropy, self._config.exploration, self._config.entropy_weight)
            found = self._rankings[node.id] = Ranking(until, unit, node.entropy, most, node.children)
        return found

    def _rank(self, node: Node) -> None:
        """Its score may have risen."""
        parent = node.parent
        if parent is not None and node.open:
            if node is not parent.lead:
                parent.rest_until = -1
            if ranking := self._rankings.get(parent.id):
                ranking.push(node)

    def _can_widen(self, node: Node) -> bool:
        wide = self._widening
        if node.busy or node.barren:
            return False
        return node.attempts < (wide.k0 * math.pow(node.visits, wide.alpha) if wide else 1)

    def _begun(self, growth: Growth) -> None:
        if growth.extra:
            self._top_ups = [top_up for top_up in self._top_ups if top_up.node is not growth.node]
        else:
            self._expansions += 1
            node: Node | None = growth.node
            while node is not None:  # not by path(): this is done for every node above, at every ask
                node.visits += 1
                node = node.parent
        self._reopen(growth.node)

    def _reopen(self, node: Node) -> None:
        """From the node up: is something at or below it to be grown, and not being grown already?

        Above a node for which the answer stays as it was, it stays too: what is open has an open parent, and nothing
        was selected below what is not.
        """
        for step in node.path():
            if step.children:
                is_open = step.open_children > 0 or self._can_widen(step)
            else:
                is_open = not (step.busy or step.barren or step.complete)
            if is_open == step.open:
                break
            step.open = is_open
            if step.parent is not None:
                step.parent.open_children += 1 if is_open else -1
                self._rank(step)

    def _least_depth(self, growth: Growth) -> int:
        """That of the deepest leaf at which nothing is under way; without one, that of any chunk below what is."""
        under_way = [growth.node, *(begun.node for begun in self._asked.values())]
        heap, aside, found = self._leaves_by_depth, [], None
        while heap and found is None:
            node = self.tree.nodes[heap[0][1]]
            if node in under_way:
                aside.append(heapq.heappop(heap))
            elif node.children or node.barren:
                heapq.heappop(heap)
            else:
                found = node.depth
        for leaf in aside:
            heapq.heappush(heap, leaf)
        return min(node.depth for node in under_way) + 1 if found is None else found

    def _failed(self, growth: Growth, outcome: Failed) -> None:
        super()._failed(growth, outcome)
        if not growth.extra:
            for node in growth.node.path():
                node.visits -= 1
                self._rank(node)
        self._back_up(growth.node)
        for node in growth.node.path():  # fewer visits may forbid widening anywhere above
            self._reopen(node)

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        node = growth.node
        warped = outcome.entropy.warped if self._config.entropy == "warped" else None
        node.entropy = outcome.entropy.value if warped is None else warped
        node.rest_until, node.span = -1, 1.0
        new = self._add(node, outcome.children, growth.reaches)
        for child in new:
            child.visits = 1
            parent = child.parent or node
            parent.open_children += child.open
            parent.prior_below += child.prior
            if not (child.complete or self.tree.complete):
                heapq.heappush(self._leaves_by_depth, (-child.depth, child.id))
        self._levels.weigh(new, fair=self._config.depth_fair)
        if new and not growth.extra:
            self._growths += 1
            self._gained += max(child.worth for child in new if not child.children) - node.worth
            self._gain = self._gained / self._growths
        for child in new:
            self._rank(child)
        missing = growth.n - sum(child.finish != CUT for child in outcome.children)
        if self._config.top_up and node.attempts == 1 and missing > 0 and not growth.extra:
            self._top_ups.append(replace(growth, n=missing, extra=True))
        for above in dict.fromkeys([*(child.parent or node for child in reversed(new)), node]):  # the deepest first
            self._back_up(above)

    def _back_up(self, node: Node) -> None:
        """New returns from the node up, as far as they change anything; and what is open."""
        for step in node.path():
            before = step.best
            if self._config.complete_children == "value":
                returns = [child.best for child in step.children]
            else:
                returns = [child.best for child in step.children if not child.complete]
            step.best = self._backup(returns) if returns else step.worth
            if step.best == before and step is not node:
                break
            self._rank(step)
        self._reopen(node)

    def _pool(self) -> Sequence[Node]:
        """Stage 2: whole answers below the M parents of the highest returns."""
        parents = {node.parent for node in self.tree.complete if node.parent is not None}
        highest = set(sorted(parents, key=lambda p: (-p.best, p.id))[: self._config.rerank_parents])
        return [node for node in self.tree.complete if node.parent in highest]


_CHILDREN, _FEWEST = 4, 2
"""K without a limit of tokens; and the least by it."""

_NONE = float("-inf")

_WIDE = 16
"""Children from which on it pays to rank them."""
