"""From continuations to children: merging, cutting, and what an API withholds, rung by rung."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.methods import Estimate, Node, Sample, Tree, chunks, root_id
from flows.methods.base import Unit
from flows.methods.ladder import entropy, entropy_of_top, prior, warped_entropy, weak_prior
from providers import Continuation, Token

ROOT = root_id("Once")
NO_ENTROPY = Estimate(0.0, "none")


def continuation(text: str, *logprobs: float, finish: str = "length", top: int = 0) -> Continuation:
    first = tuple((f"t{i}", math.log(1 / 2 ** (i + 1))) for i in range(top))
    tokens = tuple(Token("x", p, first if i == 0 else ()) for i, p in enumerate(logprobs)) or None
    return Continuation(text, finish, tokens)  # type: ignore[arg-type]


def test_equal_texts_with_equal_ends_are_merged_and_counted() -> None:
    ask = Sample(0, ROOT, 4, 2)
    found = chunks(
        ask, [continuation("a"), continuation("b"), continuation("a"), continuation("a", finish="stop")], 10
    ).chunks
    assert [(c.text, c.finish, c.count) for c in found] == [("a", "length", 2), ("b", "length", 1), ("a", "stop", 1)]
    assert [c.prior for c in found] == [
        Estimate(0.5, "frequency"),
        Estimate(0.25, "frequency"),
        Estimate(0.25, "frequency"),
    ]


def test_an_empty_chunk_cut_by_length_and_filtered_text_are_no_children() -> None:
    found = chunks(
        Sample(0, ROOT, 3, 2),
        [continuation(""), continuation("x", finish="filter"), continuation("", finish="stop")],
        10,
    ).chunks
    assert [(c.text, c.finish) for c in found] == [("", "stop")]


def test_a_stop_string_over_two_chunks_ends_the_answer_and_is_cut_off_whole() -> None:
    ask = Sample(0, ROOT, 3, 2)
    found = chunks(
        ask,
        [continuation("\ntwo", -1, -1), continuation(" two\n", -1, -1), continuation("\n", -1)],
        10,
        "one.\n",
        ["\n\n"],
    ).chunks
    assert [(c.text, c.finish, c.tokens, c.count) for c in found] == [("\n", "stop", 1, 2), (" two\n", "length", 2, 1)]
    tree = Tree("Once", 8, ["\n\n"])
    one = Node("1", tree.root, "one.\n", "length", 2)
    tree.add(tree.root, one)
    end = Node("2", one, "\n", "stop", 3)
    tree.add(one, end)
    assert (tree.answer(one), tree.answer(end)) == ("one.\n", "one.")


@given(st.text("EN D.", max_size=8), st.text("END", max_size=4), st.lists(st.integers(1, 4), min_size=1, max_size=20))
def test_no_answer_keeps_any_part_of_a_stop_string_however_it_falls_on_chunks(
    before: str, after: str, sizes: list[int]
) -> None:
    whole = before + "END" + after
    tree = Tree("Once", 100, ["END"])
    node, at = tree.root, 0
    for size in [*sizes, *[3] * 20]:
        piece, at = whole[at : at + size], at + size
        # As a server does that knows the stop string: it looks at what it generates, not at what it was given.
        told = continuation(piece.split("END")[0], finish="stop" if "END" in piece else "length")
        (chunk,) = chunks(Sample(0, node.id, 1, 4), [told], 10, tree.answer(node), ["END"]).chunks
        child = Node(chunk.id, node, chunk.text, chunk.finish, node.depth + 1)
        tree.add(node, child)
        node = child
        if node.finish == "stop":
            break
    assert tree.answer(node) == whole.split("END", maxsplit=1)[0]


@pytest.mark.parametrize(
    ("unit", "text", "kept"),
    [
        ("sentence", "One. Two", "One."),
        ("sentence", '"Really?" she', '"Really?"'),
        ("sentence", " 3.5 is a number. It", " 3.5 is a number."),
        ("sentence", "no end yet", "no end yet"),
        ("sentence", "Ends here.", "Ends here."),
        ("line", "\n\nOne\n\nTwo", "\n\nOne\n\n"),
        ("line", "One", "One"),
        ("tokens", "One. Two\nThree", "One. Two\nThree"),
    ],
)
def test_a_chunk_ends_with_its_first_sentence_or_line(unit: Unit, text: str, kept: str) -> None:
    letters = Continuation(text, "length", tuple(Token(letter, -1.0) for letter in text))
    found = chunks(Sample(0, ROOT, 1, len(text), unit=unit), [letters], 10)
    (chunk,) = found.chunks
    assert (chunk.text, chunk.tokens, chunk.finish) == (kept, len(kept), "length")
    (untold,) = chunks(Sample(0, ROOT, 1, 10, unit=unit), [continuation(text)], 10).chunks
    assert untold.text == kept
    assert 1 <= untold.tokens <= 10


@pytest.mark.parametrize("text", ["." * 50_000, "?!" * 25_000, "\n" * 50_000, "…." * 25_000, ". " * 25_000])
@pytest.mark.parametrize("unit", ["sentence", "line"])
def test_thousands_of_dots_and_lines_are_cut_in_linear_time(unit: Unit, text: str) -> None:
    began = time.perf_counter()
    chunks(Sample(0, ROOT, 1, 9, unit=unit), [continuation(text)], 10)
    assert time.perf_counter() - began < 1  # by squares it would take minutes


def test_a_sentence_that_ends_before_the_model_does_is_not_the_end_of_the_answer() -> None:
    found = chunks(Sample(0, ROOT, 1, 9, unit="sentence"), [continuation("One. Two.", finish="stop")], 10).chunks
    assert [(c.text, c.finish) for c in found] == [("One.", "length")]


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


def test_the_weak_prior_is_the_reference_models_geometric_mean_over_the_chunk() -> None:
    uniform = Estimate(0.25, "uniform")
    before, after = {"reference": -1.0, "tokens": 2}, {"reference": -1.0 + 2 * math.log(0.5), "tokens": 4}
    assert weak_prior(uniform, before, after).value == pytest.approx(0.5)
    assert weak_prior(uniform, {}, {"reference": math.log(0.5), "tokens": 1}).rung == "weak"
    assert weak_prior(uniform, before, {"reference": -0.5, "tokens": 2}).value == 1.0  # never above 1
    assert weak_prior(uniform, before, {}) == uniform


def test_warped_entropy_is_of_the_shown_tokens_after_temperature() -> None:
    told = [math.log(p) for p in (0.4, 0.4, 0.1)]
    assert warped_entropy(told[:2], 1.0) == pytest.approx(1.0)
    # T = 1/2 squares: 16, 16, 1 of 33
    assert warped_entropy(told, 0.5) == pytest.approx(-2 * 16 / 33 * math.log2(16 / 33) - 1 / 33 * math.log2(1 / 33))
    assert warped_entropy(told, 0.0) == 0.0


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=30))
def test_entropy_bounds_meet_when_nothing_is_unseen(weights: list[float]) -> None:
    total = sum(weights)
    found = entropy_of_top([math.log(w / total) for w in weights], len(weights))
    assert found.bounds is not None
    assert found.bounds[1] - found.bounds[0] < 1e-9
