"""The four methods against trees worked by hand, and the formulas term by term."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.methods import (
    AlignTree,
    AlignTreeConfig,
    BaseConfig,
    BeamConfig,
    BestOfNConfig,
    Child,
    Estimate,
    Failed,
    Grown,
    Method,
    Node,
    Sample,
    Tree,
    build,
    child_id,
    chunks,
    root_id,
)
from flows.methods.aligntree import ea_puct
from flows.methods.ladder import entropy, entropy_of_top, prior
from providers import Continuation, Token

PROMPT = "Once"
ROOT = root_id(PROMPT)
NO_ENTROPY = Estimate(0.0, "none")


def child(
    parent: str, text: str, value: float, *, tokens: int = 2, finish: str = "length", prior: float = 0.5
) -> Child:
    return Child(child_id(parent, text, finish), text, finish, tokens, 1, Estimate(prior, "logprobs"), value)


def grown(*children: Child, entropy_bits: float = 0.0) -> Grown:
    return Grown(children, Estimate(entropy_bits, "top-5 geometric"))


def texts(method: Method, asks: Iterable[Sample]) -> list[str]:
    return [method.tree.answer(method.tree.nodes[ask.node]) for ask in asks]


def test_base_is_one_whole_answer() -> None:
    method = build(BaseConfig(), PROMPT, 6)
    assert method.ask() == [Sample(0, ROOT, 1, 6)]
    only = child(ROOT, " there was", -3.0, tokens=6)
    method.tell(0, grown(only))
    assert method.ask() == []
    result = method.result()
    assert (result.node, result.answer, result.value, result.complete) == (only.id, " there was", -3.0, True)


def test_best_of_n_keeps_the_best_of_n_whole_answers() -> None:
    method = build(BestOfNConfig(n=3), PROMPT, 6)
    assert method.ask() == [Sample(0, ROOT, 3, 6)]
    method.tell(
        0, grown(child(ROOT, "a", 1.0, tokens=6), child(ROOT, "b", 2.0, tokens=3, finish="stop"), child(ROOT, "c", 1.5))
    )
    assert method.ask() == []
    assert method.result().answer == "b"


def test_beam_by_hand() -> None:
    """CBS(2, 2, 2) over answers of 4 tokens."""
    method = build(BeamConfig(width=2, children=2, chunk_tokens=2), PROMPT, 4)
    assert method.ask() == [Sample(0, ROOT, 4, 2)]  # W * K from the bare prompt
    a, b, c, end = (child(ROOT, t, v) for t, v in (("a", 3.0), ("b", 2.0), ("c", 1.0), ("d", 0.0)))
    method.tell(0, grown(c, a, end, b))
    second = method.ask()
    assert second == [Sample(1, a.id, 2, 2), Sample(2, b.id, 2, 2)]
    # a's children fall behind; b's one ends by itself, the other at the length limit.
    method.tell(1, grown(child(a.id, "e", 0.1), child(a.id, "f", 0.2)))
    best = child(b.id, "g", 2.5, finish="stop", tokens=1)
    method.tell(2, grown(best, child(b.id, "h", 2.4)))
    assert method.ask() == []
    assert method.result().answer == "bg"
    assert method.result().why == "all hypotheses complete"


def test_beam_keeps_a_finished_hypothesis_once_and_never_multiplies_it() -> None:
    method = build(BeamConfig(width=2, children=2, chunk_tokens=1), PROMPT, 3)
    method.ask()
    done, going = child(ROOT, "end", 5.0, finish="stop", tokens=1), child(ROOT, "a", 1.0, tokens=1)
    method.tell(0, grown(done, going, child(ROOT, "b", 0.5, tokens=1)))
    asks = method.ask()
    assert texts(method, asks) == ["a"]  # the finished one holds a slot and is not sampled from
    method.tell(asks[0].number, grown(child(going.id, "c", 6.0, tokens=1), child(going.id, "d", 7.0, tokens=1)))
    asks = method.ask()
    assert texts(method, asks) == ["ad", "ac"]  # now both beat it
    for ask in asks:
        method.tell(ask.number, grown(child(ask.node, "z", 1.0, tokens=1)))
    assert method.ask() == []
    assert method.result().answer == "end"


def test_beam_asks_no_more_at_once_than_in_flight_and_its_tree_does_not_change() -> None:
    def tree(in_flight: int) -> set[str]:
        method = build(BeamConfig(width=3, children=2, chunk_tokens=1, in_flight=in_flight), PROMPT, 3)
        waiting = method.ask()
        while waiting:
            assert len(waiting) <= in_flight
            ask = waiting.pop(0)
            method.tell(
                ask.number,
                grown(*(child(ask.node, f"{ask.node[:3]}{i}", len(ask.node[i:4]) + i, tokens=1) for i in (0, 1))),
            )
            waiting += method.ask()
        return set(method.tree.nodes)

    assert tree(1) == tree(2) == tree(3)


def test_beam_goes_on_without_a_hypothesis_that_cannot_be_continued() -> None:
    method = build(BeamConfig(width=2, children=1, chunk_tokens=1), PROMPT, 2)
    method.ask()
    a, b = child(ROOT, "a", 2.0, tokens=1), child(ROOT, "b", 1.0, tokens=1)
    method.tell(0, grown(a, b))
    first, second = method.ask()
    method.tell(first.number, Failed("refused"))
    method.tell(second.number, grown(child(b.id, "c", 1.0, tokens=1)))
    assert method.ask() == []
    assert method.result().answer == "bc"


def test_ea_puct_term_by_term() -> None:
    parent = Node("p", None, "", "length", 0, visits=9, entropy=2.0)
    node = Node("c", parent, "x", "length", 1, prior=0.5, best=0.7, visits=2)
    # R = 0.7;  c P sqrt(N(parent)) / (1 + N) = 1.5 * 0.5 * 3 / 3 = 0.75;  1 + w H = 1 + 0.2 * 2 = 1.4
    assert ea_puct(node, 1.5, 0.2) == pytest.approx(0.7 + 0.75 * 1.4)


def test_aligntree_by_hand() -> None:
    """Three expansions of K = 2 chunks of 1 token, answers of 2 tokens, c = 1, w = 0.5."""
    config = AlignTreeConfig(iterations=3, children=2, chunk_tokens=1, exploration=1.0, entropy_weight=0.5)
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
    assert (tree.nodes[b.id].best, tree.nodes[b.id].visits, tree.nodes[b.id].closed) == (0.4, 2, True)
    assert (tree.root.best, tree.root.visits) == (1.0, 2)
    assert method.ask() == [Sample(2, a.id, 2, 1)]
    aa, ab = child(a.id, "a", 0.2, tokens=1), child(a.id, "b", -0.5, tokens=1)
    method.tell(2, grown(aa, ab))
    assert method.ask() == []
    # Stage 2: complete answers below the parents of the highest returns, by value.
    result = method.result()
    assert (result.answer, result.value, result.complete, result.why) == ("bb", 0.4, True, "iterations done")


def test_aligntree_re_ranks_only_below_the_parents_of_the_highest_returns() -> None:
    config = AlignTreeConfig(iterations=2, children=2, chunk_tokens=1, exploration=0.0, rerank_parents=1)
    method = build(config, PROMPT, 2)
    method.ask()
    one_chunk = child(ROOT, "end", 0.5, tokens=1, finish="stop")  # one-chunk answers can win: the root is a parent too
    a = child(ROOT, "a", 1.0, tokens=1)
    method.tell(0, grown(a, one_chunk))
    (ask,) = method.ask()
    assert ask.node == a.id  # a complete child cannot be selected
    method.tell(1, grown(child(a.id, "x", 0.1, tokens=1), child(a.id, "y", 0.2, tokens=1)))
    assert method.ask() == []
    assert method.result().answer == "end"  # R(root) = 0.5 > R(a) = 0.2


def test_aligntree_finishes_the_best_leaf_when_no_answer_is_complete() -> None:
    method = build(AlignTreeConfig(iterations=1, children=2, chunk_tokens=1), PROMPT, 5)
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
    method = build(AlignTreeConfig(iterations=50, children=2, chunk_tokens=8), PROMPT, 8)
    method.ask()
    method.tell(0, grown(child(ROOT, "a", 1.0, tokens=8), child(ROOT, "b", 2.0, tokens=3, finish="stop")))
    assert method.ask() == []
    assert method.result().why == "exhausted after 1 of 50 iterations"
    assert method.result().answer == "b"


def test_a_failed_root_leaves_no_answer_and_says_why() -> None:
    for config in (BaseConfig(), BeamConfig(), AlignTreeConfig()):
        method = build(config, PROMPT, 8)
        (ask,) = method.ask()
        method.tell(ask.number, Failed("content policy"))
        assert method.ask() == []
        result = method.result()
        assert (result.node, result.why) == (None, "content policy")


def test_a_stop_asks_no_more_and_yields_the_best_so_far() -> None:
    for config in (BeamConfig(chunk_tokens=1), AlignTreeConfig(chunk_tokens=1)):
        method = build(config, PROMPT, 8)
        method.ask()
        method.tell(0, grown(child(ROOT, "a", 1.0, tokens=1), child(ROOT, "b", 2.0, tokens=1)))
        method.stop("the money is gone")
        assert method.ask() == []
        result = method.result()
        assert (result.answer, result.complete, result.why) == ("b", False, "the money is gone")


@given(
    iterations=st.integers(1, 12),
    in_flight=st.integers(1, 4),
    values=st.lists(st.floats(-10, 10), min_size=8, max_size=8),
    ends=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_visits_are_expansions_and_values_are_the_best_of_the_children(
    iterations: int, in_flight: int, values: list[float], ends: list[bool]
) -> None:
    """The visits law: N = 1 + expansions in the subtree; of the root, expansions. R = max over children."""
    method = AlignTree(
        AlignTreeConfig(iterations=iterations, in_flight=in_flight, children=2, chunk_tokens=1), build_tree()
    )
    waiting = method.ask()
    expanded: list[str] = []
    while waiting:
        assert len(waiting) <= in_flight
        ask = waiting.pop(0)
        expanded.append(ask.node)
        at = ask.number * 2
        method.tell(
            ask.number,
            grown(
                *(
                    child(
                        ask.node,
                        f"{i}",
                        values[(at + i) % 8],
                        tokens=ask.max_tokens,
                        finish="stop" if ends[(at + i) % 8] else "length",
                    )
                    for i in (0, 1)
                ),
                entropy_bits=1.0,
            ),
        )
        waiting += method.ask()
    for node in method.tree.nodes.values():
        below = sum(node in method.tree.nodes[e].path() for e in expanded)
        assert node.visits == below + (node is not method.tree.root)
        if node.children:
            assert node.best == max(c.best for c in node.children)
    assert method.result().complete


def build_tree() -> Tree:
    return Tree(PROMPT, 4)


# --- from continuations to children ---------------------------------------------------------------------------------


def continuation(text: str, *logprobs: float, finish: str = "length", top: int = 0) -> Continuation:
    first = tuple((f"t{i}", math.log(1 / 2 ** (i + 1))) for i in range(top))
    tokens = tuple(Token("x", p, first if i == 0 else ()) for i, p in enumerate(logprobs)) or None
    return Continuation(text, finish, tokens)  # type: ignore[arg-type]


def test_equal_texts_with_equal_ends_are_merged_and_counted() -> None:
    ask = Sample(0, ROOT, 4, 2)
    found, _ = chunks(
        ask, [continuation("a"), continuation("b"), continuation("a"), continuation("a", finish="stop")], 10
    )
    assert [(c.text, c.finish, c.count) for c in found] == [("a", "length", 2), ("b", "length", 1), ("a", "stop", 1)]
    assert [c.prior for c in found] == [
        Estimate(0.5, "frequency"),
        Estimate(0.25, "frequency"),
        Estimate(0.25, "frequency"),
    ]


def test_an_empty_chunk_cut_by_length_and_filtered_text_are_no_children() -> None:
    found, _ = chunks(
        Sample(0, ROOT, 3, 2),
        [continuation(""), continuation("x", finish="filter"), continuation("", finish="stop")],
        10,
    )
    assert [(c.text, c.finish) for c in found] == [("", "stop")]


def test_a_stop_string_that_began_in_the_answer_so_far_ends_it() -> None:
    ask = Sample(0, ROOT, 2, 2)
    found, _ = chunks(ask, [continuation("\ntwo"), continuation(" two\n")], 10, "one.\n", ["\n\n"])
    assert [(c.text, c.finish) for c in found] == [("", "stop"), (" two\n", "length")]


def test_the_prior_is_the_geometric_mean_of_token_probabilities_else_frequency_else_uniform() -> None:
    told = continuation("ab", math.log(0.5), math.log(0.125))
    assert prior([told], 4, 4).value == pytest.approx(0.25)
    assert prior([continuation("a")], 4, 4) == Estimate(0.25, "uniform")
    assert prior([continuation("a")] * 3, 4, 2) == Estimate(0.75, "frequency")


def test_entropy_of_a_whole_distribution_is_exact() -> None:
    exact = entropy_of_top([math.log(p) for p in (0.5, 0.25, 0.125, 0.125)], 4)
    assert exact.value == pytest.approx(1.75)
    assert exact.bounds == pytest.approx((1.75, 1.75))


def test_entropy_of_a_geometric_tail_is_estimated_right_from_few() -> None:
    """p = 1/2, 1/4, ...: 2 bits; the three largest and a geometric tail give exactly that."""
    assert entropy_of_top([math.log(0.5**i) for i in (1, 2, 3)], 10**9).value == pytest.approx(2.0)


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=60), st.integers(1, 60))
def test_entropy_bounds_hold_on_any_distribution(weights: list[float], shown: int) -> None:
    total = sum(weights)
    probabilities = sorted((w / total for w in weights), reverse=True)
    truth = -sum(p * math.log2(p) for p in probabilities)
    found = entropy_of_top([math.log(p) for p in probabilities[:shown]], len(probabilities))
    assert found.bounds is not None
    lower, upper = found.bounds
    assert lower - 1e-9 <= truth <= upper + 1e-9
    assert lower - 1e-9 <= found.value <= upper + 1e-9


def test_a_logprob_that_means_never_does_not_count() -> None:
    told = [math.log(p) for p in (0.5, 0.25)]
    assert entropy_of_top([*told, -9999.0], 100) == entropy_of_top(told, 100)


def test_entropy_is_none_without_top_lists_and_the_median_with_them() -> None:
    assert entropy([continuation("a", -1.0)], 100) == NO_ENTROPY
    assert entropy([continuation("a", -1.0, top=3), continuation("b", -1.0)], 10**9).value == pytest.approx(2.0)
