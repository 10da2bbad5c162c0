"""Base, best-of-N and beam search against trees worked by hand; what holds for every method."""

from __future__ import annotations

from flows.methods import AlignTreeConfig, BaseConfig, BeamConfig, BestOfNConfig, Failed, Limits, Sample, build
from flows.methods.tree import child_id
from tests.hand import PROMPT, ROOT, child, grown, plain, samples, texts


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
    def tree(in_flight: int, **limits: int) -> set[str]:
        config = BeamConfig(width=3, children=2, chunk_tokens=1, in_flight=in_flight, limits=Limits(**limits))
        method = build(config, PROMPT, 6)
        waiting = samples(method)
        while waiting:
            assert len(waiting) <= in_flight
            ask = waiting.pop(0)
            method.tell(
                ask.number,
                grown(*(child(ask.node, f"{ask.node[:3]}{i}", len(ask.node[i:4]) + i, tokens=1) for i in (0, 1))),
            )
            waiting += samples(method)
        return set(method.tree.nodes)

    assert tree(1) == tree(2) == tree(3)
    # Patience counts rounds: which outcome of a round was told first is nothing to it.
    assert tree(1, patience=1) == tree(2, patience=1) == tree(3, patience=1)


def test_beam_goes_on_without_a_hypothesis_that_cannot_be_continued() -> None:
    method = build(BeamConfig(width=2, children=1, chunk_tokens=1), PROMPT, 2)
    method.ask()
    a, b = child(ROOT, "a", 2.0, tokens=1), child(ROOT, "b", 1.0, tokens=1)
    method.tell(0, grown(a, b))
    first, second = samples(method)
    method.tell(first.number, Failed("refused"))
    method.tell(second.number, grown(child(b.id, "c", 1.0, tokens=1)))
    assert method.ask() == []
    assert method.result().answer == "bc"


def test_a_failed_root_leaves_no_answer_and_says_why() -> None:
    for config in (BaseConfig(), BeamConfig(), AlignTreeConfig()):
        method = build(config, PROMPT, 8)
        (ask,) = samples(method)
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


def test_when_time_is_up_an_answer_is_still_finished() -> None:
    for config in (BeamConfig(chunk_tokens=1), plain(9)):
        method = build(config, PROMPT, 8)
        method.ask()
        best = child(ROOT, "b", 2.0, tokens=1)
        method.tell(0, grown(child(ROOT, "a", 1.0, tokens=1), best))
        method.stop("time is up", finish=True)
        assert [(ask.node, ask.n, ask.max_tokens) for ask in samples(method)] == [(best.id, 1, 7)]
        method.tell(1, grown(child(best.id, " the end", 0.0, tokens=7)))
        assert method.ask() == []
        result = method.result()
        assert (result.answer, result.complete, result.why) == ("b the end", True, "time is up")


def test_best_of_n_without_n_samples_as_long_as_another_answer_fits() -> None:
    """Answers that end early leave tokens for more of them: that is what an equal budget means."""
    method = build(BestOfNConfig(n=None, limits=Limits(tokens=40)), PROMPT, 8)
    (ask,) = samples(method)
    assert (ask.node, ask.n, ask.max_tokens) == (ROOT, 5, 8)
    method.tell(0, grown(*(child(ROOT, str(i), 0.0, tokens=4, finish="stop") for i in range(5))))
    (ask,) = samples(method)
    assert (ask.node, ask.n, ask.attempt) == (ROOT, 2, 1)
    method.tell(1, grown(child(ROOT, "a", 1.0, tokens=8), child(ROOT, "b", 2.0, tokens=8)))
    assert method.ask() == []
    assert (method.result().answer, method.result().why) == ("b", "limits.tokens = 40, 36 taken")


def test_best_of_n_without_n_ends_where_nothing_new_comes() -> None:
    method = build(BestOfNConfig(n=None, limits=Limits(nodes=50)), PROMPT, 8)
    for number in range(4):
        assert len(method.ask()) == 1
        method.tell(number, grown(child(ROOT, "the same", 1.0, tokens=8)))
    assert method.ask() == []
    assert method.result().why == "nothing new comes any more"


def test_best_of_n_asks_for_as_many_as_its_tokens_allow() -> None:
    method = build(BestOfNConfig(n=16, limits=Limits(tokens=50)), PROMPT, 8)
    assert method.ask() == [Sample(0, ROOT, 6, 8)]


def test_a_beam_that_runs_out_of_tokens_finishes_its_best_hypothesis() -> None:
    """CBS(2, 2, 2) over answers of 6 tokens with 19: a round of 8, 6 kept back for the rest of an answer."""
    method = build(BeamConfig(width=2, children=2, chunk_tokens=2, limits=Limits(tokens=19)), PROMPT, 6)
    assert method.ask() == [Sample(0, ROOT, 4, 2)]
    a, b = child(ROOT, "a", 1.0), child(ROOT, "b", 2.0)
    method.tell(0, grown(a, b, child(ROOT, "c", 0.0), child(ROOT, "d", 0.0)))
    assert method.ask() == [Sample(1, b.id, 2, 2)]  # 8 + 4, and 4 kept back; another 4 would be 20
    c = child(b.id, "c", 3.0)
    method.tell(1, grown(c, child(b.id, "d", 0.0)))
    (ask,) = samples(method)
    assert (ask.node, ask.n, ask.max_tokens) == (a.id, 1, 2)  # one choice fits still
    method.tell(2, grown(child(a.id, "x", 0.0)))
    (ask,) = samples(method)
    assert (ask.node, ask.n, ask.max_tokens) == (
        c.id,
        2,
        2,
    )  # the ask itself brings whole answers: nothing is kept back
    method.tell(3, grown(child(c.id, "e", 3.5), child(c.id, "f", 0.0)))
    assert method.ask() == []
    assert (method.result().answer, method.result().complete) == ("bce", True)


def test_a_limit_below_one_iteration_still_yields_a_whole_answer() -> None:
    for limits in (Limits(tokens=8), Limits(calls=1), Limits(nodes=1)):
        for config in (BaseConfig(limits=limits), BeamConfig(chunk_tokens=2, limits=limits), plain(1, limits=limits)):
            method = build(config, PROMPT, 8, choices=4)
            tokens = 0
            while asks := samples(method):
                for ask in asks:
                    tokens += ask.n * ask.max_tokens
                    method.tell(ask.number, grown(child(ask.node, "on", 0.0, tokens=ask.max_tokens)))
            assert tokens == 8
            assert method.result().complete


def test_what_finishing_the_deepest_leaf_costs_is_kept_back_and_no_more() -> None:
    method = build(plain(9, children=2, chunk_tokens=4, limits=Limits(tokens=20)), PROMPT, 8)
    assert method.ask() == [Sample(0, ROOT, 2, 4)]
    method.tell(0, grown(child(ROOT, "deep", 0.0), child(ROOT, "short", 1.0, tokens=1)))
    # 7 tokens would finish the better leaf and 4 the deeper one; of 15 that are left, 11 can be spent.
    assert method.ask() == [Sample(1, child_id(ROOT, "short", "length"), 2, 4)]
    method.tell(1, Failed("refused", tokens=8))
    assert method.ask() == [Sample(2, child_id(ROOT, "deep", "length"), 1, 4)]


def test_where_finishing_an_answer_fails_another_leaf_is_finished() -> None:
    method = build(plain(1, children=2, chunk_tokens=4), PROMPT, 8)
    method.tell(method.ask()[0].number, grown(child(ROOT, "a", 2.0), child(ROOT, "b", 1.0)))
    for name, outcome in (
        ("a", Failed("a filter")),
        ("b", grown(child(child_id(ROOT, "b", "length"), "c", 0.0, tokens=6))),
    ):
        (ask,) = samples(method)
        assert (ask.node, ask.n) == (child_id(ROOT, name, "length"), 1)
        method.tell(ask.number, outcome)
    assert method.ask() == []
    assert method.result().answer == "bc"


def test_patience_ends_a_search_that_finds_nothing_better() -> None:
    method = build(plain(50, limits=Limits(iterations=50, patience=3)), PROMPT, 99)
    told = 0
    while asks := samples(method):
        for ask in asks:
            whole = child(ask.node, "end", 10.0 if told == 2 else 0.0, tokens=1, finish="stop")
            method.tell(ask.number, grown(child(ask.node, "on", 1.0, tokens=1), whole))
            told += 1
    assert told == 6  # the best came as the third
    assert method.result().why == "limits.patience = 3"
