"""What holds for every search, whatever it is told: laws, on random trees."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from statistics import fmean
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.methods import (
    CUT,
    WSD,
    AlignTree,
    AlignTreeConfig,
    Ask,
    BaseConfig,
    BeamConfig,
    BestOfNConfig,
    Child,
    Draft,
    Estimate,
    Failed,
    Grown,
    Judge,
    Judged,
    Keep,
    Likelihood,
    Likely,
    Limits,
    Method,
    MethodConfig,
    Node,
    Outcome,
    RefineConfig,
    Rise,
    Sample,
    Tree,
    Verdict,
    WSDConfig,
    build,
    child_id,
)
from flows.methods.aligntree_config import Widening
from flows.methods.rules import BACKUPS, RULES
from flows.methods.tree_search import Growth

PROMPT, LONGEST, CHOICES = "Once", 6, 3

limits = st.builds(
    Limits,
    iterations=st.integers(1, 12),
    tokens=st.none() | st.integers(LONGEST, 60),
    nodes=st.none() | st.integers(1, 20),
    calls=st.none() | st.integers(1, 10),
    patience=st.none() | st.integers(1, 4),
)
lengths = st.integers(1, 3) | st.sampled_from([Rise(least=1, most=3, entropy=1), Rise(least=2, most=4, entropy=1)])
aligntrees = st.builds(
    AlignTreeConfig,
    limits=limits,
    children=st.none() | st.integers(1, 4),
    chunk_tokens=lengths,
    rule=st.sampled_from(sorted(RULES)),
    backup=st.sampled_from(sorted(BACKUPS)),
    complete_children=st.sampled_from(["value", "paper"]),
    top_up=st.booleans(),
    widening=st.none() | st.builds(Widening, k0=st.floats(0.5, 4), alpha=st.floats(0.1, 0.9)),
    min_max=st.booleans(),
    depth_fair=st.booleans(),
    in_flight=st.integers(1, 4),
)
drafts = st.builds(
    WSDConfig,
    switch=st.sampled_from(["likelihood", "probe", "agreement", "fixed"]),
    gamma=st.floats(0.1, 1),
    window=st.integers(1, 4),
    fixed=st.integers(1, LONGEST),
    n=st.integers(1, 4),
    limits=limits.map(lambda found: found.model_copy(update={"nodes": None})),
)
configs: st.SearchStrategy[MethodConfig] = st.one_of(
    st.builds(BaseConfig, limits=limits),
    st.builds(BestOfNConfig, n=st.none() | st.integers(1, 8), limits=limits),
    st.builds(RefineConfig, n=st.integers(1, 4), turns=st.none() | st.integers(1, 6), limits=limits),
    st.builds(
        BeamConfig,
        width=st.integers(1, 3),
        children=st.integers(1, 3),
        chunk_tokens=lengths,
        in_flight=st.integers(1, 4),
        limits=limits,
    ),
    aligntrees,
    drafts,
)
worlds: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    seed=st.integers(0, 2**32),
    ends=st.floats(0, 0.5),  # how often the model ends an answer
    fails=st.floats(0, 0.2),  # how often an ask fails
    equal=st.floats(0, 0.5),  # how often a choice repeats the one before
)


def chance(world: dict[str, Any], *what: object) -> float:
    """A number from 0 to 1 that depends on the world and on what it is of alone."""
    digest = hashlib.sha256(repr((world["seed"], what)).encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def answer(world: dict[str, Any], ask: Ask) -> Outcome:
    """What the world's models say, a function of the ask."""
    if isinstance(ask, Judge):
        said = [Verdict(node, chance(world, "judge", node)) for node in ask.candidates]
        failed = [chance(world, "fails", v.node) < world["fails"] for v in said]
        verdicts = (Verdict(v.node, None, reason="no") if f else v for v, f in zip(said, failed, strict=True))
        return Judged(tuple(verdicts), len(said))
    if not isinstance(ask, Sample):
        return draft_of(world, ask)
    of = (ask.node, ask.attempt)
    calls = math.ceil(ask.n / CHOICES)
    if chance(world, "fails", *of) < world["fails"]:
        return Failed("refused", 0, calls)
    children: dict[str, Child] = {}
    for i in range(ask.n):
        if i and chance(world, "equal", *of, i) < world["equal"]:
            continue
        ended = chance(world, "ends", *of, i) < world["ends"]
        above, left = None, max(ask.max_tokens - ended, 0)
        while ask.least and left > ask.least and chance(world, "cut", *of, i // 2, left) < 0.5:  # two begin alike
            children |= (cut := piece(world, above or ask.node, f"{ask.attempt}.{i // 2} ", CUT, ask.least, above))
            (above,), left = cut, left - ask.least
        finish = "stop" if ended else "length"
        children |= piece(world, above or ask.node, f"{ask.attempt}.{i} ", finish, left, above)
    entropy = Estimate(5 * chance(world, "entropy", *of), "top-20 midpoint")
    return Grown(tuple(children.values()), entropy, ask.n * ask.max_tokens - 1 * (ask.n > 3), calls)


def draft_of(world: dict[str, Any], ask: Draft | Likelihood | Keep) -> Outcome:
    """What the weak model writes, and how likely that is."""
    if isinstance(ask, Draft | Likelihood) and chance(world, "fails", ask) < world["fails"]:
        return Failed("refused", 0, int(isinstance(ask, Likelihood)))
    if isinstance(ask, Likelihood):
        return Likely(tuple((WORD, -chance(world, ask.node, i)) for i in range(1 + round(LONGEST * 0.7))), 1)
    if isinstance(ask, Keep):
        node = child_id(ask.node, ask.text, CUT)
        return Grown((Child(node, ask.text, CUT, ask.tokens, 1, Estimate(1, "drafted"), 0.5),), Estimate(0, "drafted"))
    sizes = [ask.window] * (ask.max_tokens // ask.window) + [ask.max_tokens % ask.window] * (
        ask.max_tokens % ask.window > 0
    )
    children, above = list[Child](), ask.node
    for number, size in enumerate(sizes, 1):
        ended = "stop" if chance(world, "ends", ask) < 0.5 else "length"
        text, finish = WORD * size, CUT if number < len(sizes) else ended
        node = child_id(above, text, finish)
        parent = None if above == ask.node else above
        children.append(Child(node, text, finish, size, 1, Estimate(1, "drafted"), 1.0, parent=parent))
        above = node
    return Grown(tuple(children), Estimate(0, "drafted"))


WORD = "word "


def piece(
    world: dict[str, Any], below: str, text: str, finish: str, tokens: int, parent: str | None
) -> dict[str, Child]:
    node = child_id(below, text, finish)
    prior, value = Estimate(chance(world, "prior", node), "logprobs"), 10 * chance(world, "value", node) - 5
    return {node: Child(node, text, finish, tokens, 1, prior, value, parent=parent)}


def search(method: Method, world: dict[str, Any], look: Callable[[list[Ask]], None] = lambda asks: None) -> Method:
    """Carry out a whole search: outcomes are told in the order asked. `look` sees each batch of asks."""
    waiting: list[Ask] = []
    while True:
        asks = method.ask()
        look(asks)
        waiting += asks
        if not waiting:
            return method
        ask = waiting.pop(0)
        method.tell(ask.number, answer(world, ask))


def fresh(config: MethodConfig, judged: int = 0) -> Method:
    return build(config, PROMPT, LONGEST, choices=CHOICES, judged=judged)


judges = st.sampled_from([0, 2, 4])
"""Candidates that a judge is asked of."""


def grown_tree(method: Method) -> list[tuple[Any, ...]]:
    return [(n.id, n.value, n.best, n.visits, n.attempts, n.open) for n in method.tree.nodes.values()]


@given(configs, worlds, judges)
@settings(max_examples=300)
def test_no_ask_goes_beyond_any_limit(config: MethodConfig, world: dict[str, Any], judged: int) -> None:
    """Even if all asks under way take all that they may: with what was taken, that is below every limit."""
    method, open_asks, tokens, calls = fresh(config, judged), list[Ask](), 0, 0
    while True:
        open_asks += method.ask()
        under_way = [ask for ask in open_asks if isinstance(ask, Sample)]
        at_the_judge = sum(len(ask.candidates) for ask in open_asks if isinstance(ask, Judge))
        if config.limits.tokens is not None:
            assert tokens + sum(ask.n * ask.max_tokens for ask in under_way) <= config.limits.tokens
        if config.limits.calls is not None:
            most = sum(math.ceil(ask.n / CHOICES) for ask in under_way) + at_the_judge
            assert calls + most <= config.limits.calls
        if config.limits.nodes is not None:
            most = sum(ask.n * math.ceil(ask.max_tokens / (ask.least or ask.max_tokens)) for ask in under_way)
            assert len(method.tree.nodes) - 1 + most <= config.limits.nodes
        if not open_asks:
            break
        ask = open_asks.pop(0)
        outcome = answer(world, ask)
        tokens, calls = tokens + getattr(outcome, "tokens", 0), calls + outcome.calls
        method.tell(ask.number, outcome)
    if isinstance(method, AlignTree):
        assert method.tree.root.visits <= (config.limits.iterations or 0)


@given(configs, worlds)
@settings(max_examples=300)
def test_a_result_is_complete_or_says_that_it_is_not(config: MethodConfig, world: dict[str, Any]) -> None:
    method = search(fresh(config), world)
    result, tree = method.result(), method.tree
    assert result.why
    if result.node is None:
        assert len(tree.nodes) == 1
        return
    node = tree.nodes[result.node]
    assert result.complete == node.complete
    assert result.complete == bool(tree.complete)
    if not world["fails"]:
        assert result.complete  # nothing stopped it: an answer was finished
    if not isinstance(method, AlignTree | WSD):
        assert result.value == max(n.value or 0 for n in (tree.complete or [node]))


class Watched(AlignTree):
    """Notes what was expanded, and holds each selection against the rule as the paper writes it."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self.expanded: list[Node] = []
        self.gains: list[float] = []

    def _grown(self, growth: Growth, outcome: Grown) -> None:
        before = set(self.tree.nodes)
        super()._grown(growth, outcome)
        if not growth.extra:
            self.expanded.append(growth.node)
            nodes = self.tree.nodes.values()
            new = [child.worth for child in nodes if child.id not in before and not child.children]
            self.gains += [max(new) - growth.node.worth] if new else []

    def _select(self) -> Node:
        leaf = super()._select()
        path = [*leaf.path()][::-1]
        for parent, chosen in zip(path, [*path[1:], None], strict=True):
            scores = {
                child.id: self.score(parent, child.best, child.prior, child.visits)
                for child in parent.children
                if self.is_open(child)
            }
            again = -math.inf  # growing the parent once more, as if it were one more child
            if parent.children and self.may_widen(parent):
                prior = fmean(child.prior for child in parent.children)
                promised = parent.worth + (fmean(self.gains) if self.gains else 0.0) * parent.span
                again = self.score(parent, promised, prior, max(parent.attempts, 1))
            if chosen is not None:
                assert chosen.id in scores
                assert scores[chosen.id] >= max([again, *scores.values()]) - 1e-9
            elif parent.children:
                assert again > max(scores.values(), default=-math.inf) - 1e-9
        return leaf

    def score(self, parent: Node, value: float, prior: float, n: int) -> float:
        c, w, big_n = self._config.exploration, self._config.entropy_weight, parent.visits
        if self._config.min_max:
            worths = [node.worth for node in self.tree.nodes.values() if node is not self.tree.root]
            spread = max(worths) - min(worths)
            value = (value - min(worths)) / spread if spread else 0.0
        if self._config.rule == "uct":
            return value + c * math.sqrt(math.log(big_n) / n)
        weight = 1 + w * parent.entropy if self._config.rule == "ea_puct" else 1
        return value + c * prior * math.sqrt(big_n) / (1 + n) * weight

    def is_open(self, node: Node) -> bool:
        """From the ground up: something at or below the node can be grown, and is not being grown."""
        if node.complete:
            return False
        here = self.may_widen(node) if node.children else not (node.busy or node.barren)
        return here or any(map(self.is_open, node.children))

    def may_widen(self, node: Node) -> bool:
        wide = self._config.widening
        more = node.attempts < (1 if wide is None else wide.k0 * node.visits**wide.alpha)
        return more and not (node.busy or node.barren)


@given(aligntrees, worlds, st.sampled_from([2, 4, 16]))
@settings(max_examples=500)
def test_selection_visits_and_returns(config: AlignTreeConfig, world: dict[str, Any], wide: int) -> None:
    """Selection maximises the rule over open children. R = backup of the children's. N = 1 + expansions in the subtree,
    its own included; of the root, expansions.
    """
    method = Watched(config, Tree(PROMPT, LONGEST), CHOICES)
    with patch("flows.methods.aligntree._WIDE", wide):  # children from which on they are ranked
        search(method, world)
    check(method, config)


@given(aligntrees, worlds, st.integers(8, 24))
@settings(max_examples=200)
def test_selection_holds_in_trees_where_most_leads_are_taken_for_granted(
    config: AlignTreeConfig, world: dict[str, Any], longest: int
) -> None:
    config = config.model_copy(update={"limits": Limits(iterations=200)})
    search(Watched(config, Tree(PROMPT, longest), CHOICES), world)


@given(aligntrees, aligntrees, worlds, st.integers(0, 8))
def test_a_fork_goes_on_from_the_same_tree_by_its_own_config(
    config: AlignTreeConfig, other: AlignTreeConfig, world: dict[str, Any], at: int
) -> None:
    method, waiting = Watched(config, Tree(PROMPT, LONGEST), CHOICES), []
    for _ in range(at):
        waiting += method.ask()
        if waiting:
            ask = waiting.pop(0)
            method.tell(ask.number, answer(world, ask))
    inherited = [(node.id, node.value, node.visits) for node in method.tree.nodes.values()]
    method.change(other)
    assert [(node.id, node.value, node.visits) for node in method.tree.nodes.values()] == inherited
    for ask in waiting:
        method.tell(ask.number, answer(world, ask))
    search(method, world)
    check(method, other)
    assert method.result().why


def check(method: Watched, config: AlignTreeConfig) -> None:
    """Of a search that has ended."""
    for node in method.tree.nodes.values():
        below = sum(node in grown.path() for grown in method.expanded)
        assert node.visits == below + (node is not method.tree.root)
        informing = [c for c in node.children if config.complete_children == "value" or not c.complete]
        assert node.best == (BACKUPS[config.backup]([c.best for c in informing]) if informing else node.worth)
        assert node.open == method.is_open(node)


@given(configs, worlds, judges)
def test_told_again_it_is_the_same_tree(config: MethodConfig, world: dict[str, Any], judged: int) -> None:
    asked: list[Ask] = []
    method = search(fresh(config, judged), world, asked.extend)
    again = fresh(config, judged)
    repeated: list[Ask] = []
    for ask in asked:
        repeated += again.ask()
        assert again.ask() == []  # asking twice asks for nothing more
        again.tell(ask.number, answer(world, ask))
        again.tell(ask.number, Failed("told a second time: the first stands"))
    repeated += again.ask()
    assert repeated == asked
    assert grown_tree(again) == grown_tree(method)
    assert again.result() == method.result()


@given(configs, worlds, st.integers(0, 8), st.booleans())
def test_a_stop_at_any_time_yields_the_best_so_far(
    config: MethodConfig, world: dict[str, Any], at: int, finish: bool
) -> None:
    method, waiting, ended_before = fresh(config), [], False
    for _ in range(at):
        waiting += method.ask()
        if waiting:
            ask = waiting.pop(0)
            method.tell(ask.number, answer(world, ask))
        ended_before = bool(method.result().why)
    method.stop("enough", finish=finish)
    for ask in waiting:
        assert not finish or method.ask() == []  # what is under way is told first
        method.tell(ask.number, answer(world, ask))
    last = method.ask()
    assert len(last) <= finish and all(isinstance(ask, Sample) and ask.n == 1 for ask in last)
    for ask in last:
        method.tell(ask.number, answer(world, ask))
    assert method.ask() == []
    result = method.result()
    assert result.why == "enough" or (ended_before and result.why)
    assert result.complete == bool(method.tree.complete)


@given(configs, worlds, judges)
def test_visits_change_on_the_paths_to_what_is_told_and_asked_alone(
    config: MethodConfig, world: dict[str, Any], judged: int
) -> None:
    """What flows.steps shows those who watch a search told again."""
    method, known, touched, waiting = fresh(config, judged), dict[str, int](), list[str](), list[Ask]()
    while True:
        asks = method.ask()
        waiting += asks
        nodes = method.tree.nodes
        paths = (step for node in (*touched, *(ask.node for ask in asks)) for step in nodes[node].path())
        known |= {step.id: step.visits for step in paths}
        assert all(node.visits == known.get(node.id, 0) for node in nodes.values())
        if not waiting:
            return
        ask = waiting.pop(0)
        outcome = answer(world, ask)
        method.tell(ask.number, outcome)
        touched = [ask.node, *(child.id for child in outcome.children)] if isinstance(outcome, Grown) else [ask.node]
