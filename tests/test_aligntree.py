"""AlignTree against trees worked by hand: its formulas term by term, and each of its options."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from flows.methods import AlignTreeConfig, Estimate, Limits, Sample, build
from flows.methods.aligntree_config import Widening
from flows.methods.rules import BACKUPS, RULES
from tests.hand import PROMPT, ROOT, child, grown, plain, samples, texts


def test_selection_rules_term_by_term() -> None:
    # N(parent) = 9, H = 2, N = 2: c P sqrt(N(parent)) / (1 + N) = 1.5 * 0.5 * 3 / 3 = 0.75
    # 1 + w H = 1 + 0.2 * 2 = 1.4
    assert RULES["ea_puct"](9, 2.0, 1.5, 0.2)(0.5, 2) == pytest.approx(0.75 * 1.4)
    assert RULES["puct"](9, 2.0, 1.5, 0.2)(0.5, 2) == pytest.approx(0.75)
    # c sqrt(ln 9 / 2)
    assert RULES["uct"](9, 2.0, 1.5, 0.2)(0.5, 2) == pytest.approx(1.5 * 1.0481470)


def test_backups() -> None:
    assert [BACKUPS[name]([1.0, 2.0, 6.0]) for name in ("max", "mean", "half")] == [6.0, 3.0, 4.5]


def test_aligntree_by_hand() -> None:
    """Three expansions of K = 2 chunks of 1 token, answers of 2 tokens, c = 1, w = 0.5."""
    config = plain(3, exploration=1.0, entropy_weight=0.5)
    method = build(config, PROMPT, 2)
    tree = method.tree
    assert method.ask() == [Sample(0, ROOT, 2, 1)]
    a, b = child(ROOT, "a", 1.0, tokens=1, prior=0.2), child(ROOT, "b", 0.9, tokens=1, prior=0.8)
    method.tell(0, grown(a, b, entropy_bits=2.0))
    assert (tree.root.visits, tree.root.best) == (1, 1.0)
    # a: 1.0 + 1 * 0.2 * sqrt(1)/2 * (1 + 0.5*2) = 1.2;  b: 0.9 + 0.8/2 * 2 = 1.7  -> b
    assert method.ask() == [Sample(1, b.id, 2, 1)]
    ba, bb = child(b.id, "a", 0.3, tokens=1), child(b.id, "b", 0.4, tokens=1)
    method.tell(1, grown(ba, bb))
    # Backup by the maximum: R(b) = 0.4, not its own 0.9 any more; both children complete, so b is closed.
    assert (tree.nodes[b.id].best, tree.nodes[b.id].visits, tree.nodes[b.id].open) == (0.4, 2, False)
    assert (tree.root.best, tree.root.visits) == (1.0, 2)
    assert method.ask() == [Sample(2, a.id, 2, 1)]
    aa, ab = child(a.id, "a", 0.2, tokens=1), child(a.id, "b", -0.5, tokens=1)
    method.tell(2, grown(aa, ab))
    assert method.ask() == []
    # Stage 2: complete answers below the parents of the highest returns, by value.
    result = method.result()
    assert (result.answer, result.value, result.complete) == ("bb", 0.4, True)
    assert result.why == "exhausted: nothing is left to grow (3 of 3 iterations)"


def test_aligntree_re_ranks_only_below_the_parents_of_the_highest_returns() -> None:
    config = plain(2, exploration=0.0, rerank_parents=1)
    method = build(config, PROMPT, 2)
    method.ask()
    one_chunk = child(ROOT, "end", 0.5, tokens=1, finish="stop")  # one-chunk answers can win: the root is a parent too
    a = child(ROOT, "a", 1.0, tokens=1)
    method.tell(0, grown(a, one_chunk))
    (ask,) = samples(method)
    assert ask.node == a.id  # a complete child cannot be selected
    method.tell(1, grown(child(a.id, "x", 0.1, tokens=1), child(a.id, "y", 0.2, tokens=1)))
    assert method.ask() == []
    assert method.result().answer == "end"  # R(root) = 0.5 > R(a) = 0.2


def test_aligntree_finishes_the_best_leaf_when_no_answer_is_complete() -> None:
    method = build(plain(1), PROMPT, 5)
    method.ask()
    a, b = child(ROOT, "a", 1.0, tokens=1), child(ROOT, "b", 2.0, tokens=1)
    method.tell(0, grown(a, b))
    assert not method.result().complete
    assert method.ask() == [Sample(1, b.id, 1, 4)]
    method.tell(1, grown(child(b.id, " the rest", 1.5, tokens=4)))
    assert method.ask() == []
    assert method.result().answer == "b the rest"
    assert method.result().complete


def test_aligntree_ends_when_everything_is_complete() -> None:
    method = build(plain(50, chunk_tokens=8), PROMPT, 8)
    method.ask()
    method.tell(0, grown(child(ROOT, "a", 1.0, tokens=8), child(ROOT, "b", 2.0, tokens=3, finish="stop")))
    assert method.ask() == []
    assert method.result().why == "exhausted: nothing is left to grow (1 of 50 iterations)"
    assert method.result().answer == "b"


def test_complete_children_inform_the_search_or_do_not() -> None:
    """A whole answer of value 5 below a: by `value` it draws the search there, by `paper` it does not."""
    selected = {}
    for how in ("value", "paper"):
        method = build(plain(3, exploration=0.0, complete_children=how), PROMPT, 3)
        method.ask()
        a, b = child(ROOT, "a", 2.0, tokens=1), child(ROOT, "b", 1.0, tokens=1)
        method.tell(0, grown(a, b))
        method.ask()
        method.tell(1, grown(child(a.id, "c", 0.5, tokens=1), child(a.id, "d", 5.0, tokens=1, finish="stop")))
        selected[how] = texts(method, method.ask())
        assert method.tree.nodes[a.id].best == (5.0 if how == "value" else 0.5)
    assert selected == {"value": ["ac"], "paper": ["b"]}


def test_a_node_whose_children_are_all_complete_keeps_its_own_return_in_the_paper_s_way() -> None:
    method = build(plain(2, complete_children="paper"), PROMPT, 2)
    method.ask()
    a, b = child(ROOT, "a", 2.0, tokens=1), child(ROOT, "b", 1.0, tokens=1)
    method.tell(0, grown(a, b))
    method.ask()
    method.tell(1, grown(child(a.id, "c", 9.0, tokens=1), child(a.id, "d", 8.0, tokens=1)))
    assert method.tree.nodes[a.id].best == 2.0
    assert method.ask() == []
    assert method.result().answer == "ac"


def grown_at_the_root(config: AlignTreeConfig, iterations: int) -> list[int]:
    """Iterations at which the root was grown, where no chunk is better than another."""
    method, at_root = build(config, PROMPT, 9), []
    for number in range(iterations):
        (ask,) = samples(method)
        root = method.tree.root
        if ask.node == ROOT:
            at_root.append(number)
        assert ask.attempt == method.tree.nodes[ask.node].attempts - 1
        method.tell(number, grown(*(child(ask.node, f"{number}{i}", 0.0, tokens=1) for i in (0, 1))))
        assert root.attempts < root.visits**0.5 + 1
    return at_root


def test_widening_grows_a_node_again_within_its_bound_where_the_rule_says_so() -> None:
    """k0 = 1, alpha = 1/2: a second time at 2 visits, a third at 5; siblings not tried yet come first."""
    wide = {"widening": Widening(k0=1, alpha=0.5)}
    assert grown_at_the_root(plain(20, **wide), 20) == [0, 3, 10]
    assert grown_at_the_root(plain(20, exploration=0.0, **wide), 20) == [0]  # a tie is not worth widening
    assert grown_at_the_root(plain(20), 20) == [0]


def test_a_node_whose_children_disappoint_is_grown_again_and_one_whose_children_please_is_gone_on_from() -> None:
    """Growing brought +3 at the root. Below its best child, +1 is less than another growth promises; +4 is more."""
    for gain, goes_on in ((1.0, ["a"]), (4.0, ["ac"])):
        method = build(plain(9, exploration=0.0, widening=Widening()), PROMPT, 9)
        method.ask()
        a = child(ROOT, "a", 3.0, tokens=1)
        method.tell(0, grown(a, child(ROOT, "b", -9.0, tokens=1)))
        assert texts(method, method.ask()) == ["a"]
        method.tell(1, grown(child(a.id, "c", 3.0 + gain, tokens=1), child(a.id, "d", 0.0, tokens=1)))
        assert texts(method, method.ask()) == goes_on


def test_children_follow_the_limit_of_tokens() -> None:
    """Half of what is left pays for the way to the longest answer: 96 / (2 x 6) = 8, then (96 - 16) / (2 x 4) = 10."""
    config = AlignTreeConfig(limits=Limits(tokens=96), chunk_tokens=2, exploration=0.0)
    method = build(config, PROMPT, 6)
    assert [ask.n for ask in samples(method)] == [8]
    method.tell(0, grown(*(child(ROOT, f"{i}", float(i)) for i in range(8))))
    assert [ask.n for ask in samples(method)] == [10]
    assert [ask.n for ask in samples(build(AlignTreeConfig(), PROMPT, 6))] == [4]


def test_widening_goes_on_at_the_root_when_all_else_is_complete_and_ends_where_nothing_new_comes() -> None:
    method = build(plain(50, widening=Widening(k0=2, alpha=0.5), chunk_tokens=8), PROMPT, 8)
    for number in range(3):
        assert [ask.node for ask in samples(method)] == [ROOT]
        method.tell(number, grown(child(ROOT, f"a{number}", float(number), tokens=8)))
    for number in (3, 4, 5):  # once may be chance
        assert [ask.node for ask in samples(method)] == [ROOT]
        method.tell(number, grown(child(ROOT, "a0", 0.0, tokens=8)))  # merged: nothing new
    assert method.ask() == []
    assert method.result().answer == "a2"


def test_a_top_up_asks_once_for_the_chunks_that_merging_took_away() -> None:
    method = build(plain(2, children=3, top_up=True), PROMPT, 4)
    method.ask()
    method.tell(0, grown(child(ROOT, "a", 1.0, tokens=1)))
    assert method.ask() == [Sample(1, ROOT, 2, 1, attempt=1)]
    method.tell(1, grown(child(ROOT, "a", 1.0, tokens=1), child(ROOT, "b", 0.0, tokens=1)))
    assert (method.tree.root.visits, len(method.tree.root.children)) == (1, 2)
    assert texts(method, method.ask()) == ["a"]


def test_min_max_scales_returns_over_the_tree() -> None:
    """Values a thousandfold, and moved: with min_max the same nodes are selected."""

    def selected(scale: float, *, min_max: bool) -> list[str]:
        method, order = build(plain(12, min_max=min_max), PROMPT, 6), []
        for number in range(12):
            (ask,) = samples(method)
            order.append(ask.node)
            values = [((number * 7 + i * 5) % 11) * scale + 3 * scale for i in (0, 1)]
            method.tell(number, grown(*(child(ask.node, str(i), v, tokens=1) for i, v in enumerate(values))))
        return order

    assert selected(1.0, min_max=True) == selected(1024.0, min_max=True)
    assert selected(1.0, min_max=False) != selected(1 / 1024, min_max=False)


def test_depth_fair_returns_are_values_above_the_mean_of_their_level() -> None:
    method = build(plain(3, depth_fair=True), PROMPT, 9)
    method.ask()
    a, b = child(ROOT, "a", -1.0, tokens=1), child(ROOT, "b", -3.0, tokens=1)
    method.tell(0, grown(a, b))
    assert [node.best for node in method.tree.root.children] == [1.0, -1.0]
    assert texts(method, method.ask()) == ["a"]
    method.tell(1, grown(child(a.id, "c", -9.0, tokens=1), child(a.id, "d", -11.0, tokens=1)))
    assert method.tree.nodes[a.id].best == 1.0  # deeper text is lower throughout, and is not held against it


def test_the_paper_s_entropy_is_the_warped_one() -> None:
    outcome = grown(child(ROOT, "a", 0.0, tokens=1))
    outcome = replace(outcome, entropy=Estimate(3.0, "top-20 midpoint", (2.9, 3.1), 2.0))
    for how, bits in (("estimate", 3.0), ("warped", 2.0)):
        method = build(plain(2, entropy=how), PROMPT, 9)
        method.ask()
        method.tell(0, outcome)
        assert method.tree.root.entropy == bits


def test_the_paper_preset_keeps_the_paper_s_equations_and_what_is_set_wins() -> None:
    config = AlignTreeConfig.model_validate({"preset": "paper", "children": 5})
    assert (config.children, config.chunk_tokens, config.limits.iterations) == (5, 4, 100)
    assert (config.exploration, config.entropy_weight, config.rerank_parents) == (1.5, 0.2, 10)
    assert (config.rule, config.backup, config.complete_children, config.widening) == ("ea_puct", "max", "paper", None)
    assert AlignTreeConfig.model_validate(config.model_dump(mode="json")) == config


def test_a_search_without_an_end_is_refused() -> None:
    with pytest.raises(ValidationError, match="set iterations, tokens, nodes, calls or seconds"):
        AlignTreeConfig(limits=Limits(patience=3))
