"""Endpoints that give whole answers only: how these become a tree, and which methods run, and as what."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import RunConfig, align, resume
from flows.audit import audit
from flows.errors import BadConfig, RunInterrupted
from flows.methods import AlignTreeConfig, Child, Chunk, Estimate, Grown, Limits, Sample, build, child_id, chunks
from flows.methods.base import Unit
from flows.methods.tree_search import Growth
from flows.replay import replayed
from providers import Continuation, StrongModelMisconfigured, Token
from store import Record
from tests.formula_api import Fault, FormulaAPI
from tests.hand import PROMPT, ROOT, samples
from tests.on_record import trees

WHOLE: dict[str, Any] = {"model": "openai/formula", "endpoint": {"mode": "whole"}}


def whole(text: Sequence[str], finish: str = "stop", *, told: bool = True) -> Continuation:
    tokens = tuple(Token(word, -0.5) for word in text)
    return Continuation("".join(text), "stop" if finish == "stop" else "length", tokens if told else None)


def cut(*answers: Continuation, tokens: int = 2, unit: Unit = "tokens", longest: int = 8) -> tuple[Chunk, ...]:
    return chunks(Sample(0, ROOT, len(answers), longest, 0, unit, tokens), answers, 1000).chunks


def test_whole_answers_are_cut_and_equal_beginnings_merged() -> None:
    found = cut(whole(["It", " is", " very", " calm", "."]), whole(["It", " is", " not"]), whole(["No"]))
    first = child_id(ROOT, "It is", "cut")
    second = child_id(first, " very calm", "cut")
    assert [(chunk.text, chunk.finish, chunk.tokens, chunk.count, chunk.parent) for chunk in found] == [
        ("It is", "cut", 2, 2, None),
        ("No", "stop", 1, 1, None),
        (" very calm", "cut", 2, 1, first),
        (" not", "stop", 1, 1, first),
        (".", "stop", 1, 1, second),
    ]
    assert {chunk.prior for chunk in found} == {Estimate(math.exp(-0.5), "logprobs")}


def test_an_answer_is_cut_at_the_end_of_its_sentences_too() -> None:
    found = cut(whole(["Yes.", " It", " is", " so", ". And", " more"]), tokens=4, unit="sentence")
    assert [(chunk.text, chunk.tokens) for chunk in found] == [("Yes.", 1), (" It is so.", 4), (" And more", 1)]


def test_where_tokens_are_not_told_bits_of_words_stand_for_them() -> None:
    found = cut(whole(["The sea is wonderful."], "length", told=False), longest=20)
    assert [(chunk.text, chunk.tokens) for chunk in found] == [("The sea", 2), (" is wonder", 2), ("ful.", 16)]
    assert {chunk.prior.rung for chunk in found} == {"uniform"}


tokens = st.lists(st.sampled_from(["", " ", "a", " word", ". ", "!\n", "海。", "。。"]), min_size=1, max_size=12)


@given(tokens, st.integers(1, 5), st.sampled_from(["tokens", "sentence", "line"]), st.booleans(), st.booleans())
def test_the_pieces_of_an_answer_are_the_answer(words: list[str], of: int, unit: Unit, told: bool, ended: bool) -> None:
    longest = 12 if ended else len(words)
    answer = whole(words, "stop" if ended else "length", told=told)
    found = cut(answer, tokens=of, unit=unit, longest=longest)
    if not (answer.text or ended):
        assert found == ()
        return
    assert "".join(chunk.text for chunk in found) == answer.text
    assert [chunk.finish for chunk in found] == ["cut"] * (len(found) - 1) + [answer.finish]
    assert all(chunk.parent == above.id for chunk, above in zip(found[1:], found, strict=False))
    assert sum(chunk.tokens for chunk in found) == (len(words) if told or not ended else longest)
    assert all(chunk.tokens >= 1 for chunk in found if answer.text)
    _, _, nodes = Growth(build(AlignTreeConfig(), PROMPT, longest).tree.root, 1, longest, 0, unit, cut=of).size
    assert len(found) <= nodes


answers = st.lists(st.tuples(tokens, st.booleans(), st.booleans()), min_size=1, max_size=6)


@given(answers, st.integers(1, 3), st.sampled_from(["tokens", "sentence"]))
def test_what_is_whole_in_the_tree_are_the_answers_that_came(
    given: list[tuple[list[str], bool, bool]], of: int, unit: Unit
) -> None:
    """Whatever tokens they were made of, told or not, and whichever came first."""
    longest = 12
    came = [whole(words, "stop" if ended else "length", told=told) for words, told, ended in given]
    method = build(AlignTreeConfig(children=6, chunk=unit, chunk_tokens=of), PROMPT, longest, whole_only=True)
    for answer in came:
        if not (asks := samples(method)):  # nothing new came three times
            break
        found = chunks(asks[0], [answer], 1000).chunks
        new = tuple(Child(c.id, c.text, c.finish, c.tokens, c.count, c.prior, 0.0, parent=c.parent) for c in found)
        if not new:
            return
        method.tell(asks[0].number, Grown(new, Estimate(0.0, "none"), longest, 1))
    got = {(method.tree.answer(node), node.finish) for node in method.tree.complete}
    assert got <= {(answer.text, answer.finish) for answer in came}
    assert (came[0].text, came[0].finish) in got


def test_rollouts_sample_at_the_root_until_a_limit_and_take_the_best_whole_answer() -> None:
    config = AlignTreeConfig(children=2, chunk_tokens=4, limits=Limits(nodes=6))
    method = build(config, PROMPT, 8, whole_only=True)
    assert method.ask() == [Sample(0, ROOT, 2, 8, cut=4)]  # two nodes for each of two answers, at most
    first = Child("a", "a", "cut", 4, 2, Estimate(0.5, "logprobs"), 3.0)
    ends = [Child(x, x, "length", 4, 1, Estimate(0.5, "logprobs"), v, parent="a") for x, v in (("b", 1.0), ("c", 2.0))]
    method.tell(0, Grown((first, *ends), Estimate(0.0, "none"), 16, 1))
    assert method.ask() == [Sample(1, ROOT, 1, 8, 1, cut=4)]
    method.tell(1, Grown((Child("d", "d", "stop", 1, 1, Estimate(0.5, "logprobs"), 1.5),), Estimate(0.0, "none"), 1, 1))
    tree = method.tree
    assert [(n.id, n.depth, n.visits, n.best) for n in tree.nodes.values()] == [
        (ROOT, 0, 3, 2.0), ("a", 4, 2, 2.0), ("b", 8, 1, 1.0), ("c", 8, 1, 2.0), ("d", 1, 1, 1.5),
    ]  # fmt: skip
    assert method.result().answer == "ac"
    assert method.result().complete


async def test_aligntree_on_whole_answers_is_a_tree_of_rollouts_and_says_so(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    methods = [
        {"name": "aligntree", "limits": {"tokens": 96}, "chunk_tokens": 4, "children": 4},
        {"name": "best_of_n", "n": 6},
        {"name": "base"},
    ]
    summary = await align(["The tide"], formula_config(strong=WHOLE, methods=methods), record=record_url)
    assert summary.finished
    assert all(answer.complete for answer in summary.answers)
    (told,) = summary.warnings
    assert told == "openai/formula gives whole answers only: aligntree samples a tree of rollouts, and selects nothing"
    assert {len(request["messages"]) for request in api.requests} == {1}  # nothing unfinished is sent
    record = Record.open(record_url)
    run = record.run(summary.run_id)
    assert run.finding["strong"]["mode"] == "whole"
    search = record.searches(run.id)[0]
    tree = replayed(record, run, search).tree
    assert max(node.level for node in tree.nodes.values()) == 3
    assert all(node.value is not None for node in tree.nodes.values() if node is not tree.root)
    assert summary.answers[0].value == max(node.value or 0 for node in tree.complete)
    assert audit(record, run.id).faults == ()
    record.close()


async def test_a_tree_of_rollouts_that_was_broken_off_is_gone_on_with(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    methods = [{"name": "aligntree", "limits": {"tokens": 72}, "chunk_tokens": 4, "children": 2}]
    config = formula_config(strong=WHOLE, methods=methods)
    await align(["The tide"], config, record="at_once.db")
    api.faults = [None, None, Fault(401)]
    with pytest.raises(RunInterrupted, match="aligntree resume"):
        await align(["The tide"], config, record="r.db")
    assert (await resume(record="r.db")).finished
    assert trees("r.db") == trees("at_once.db")


async def test_beam_is_refused_before_anything_is_paid_for(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(strong=WHOLE, methods=[{"name": "base"}, {"name": "beam"}])
    with pytest.raises(BadConfig, match=r"methods\.1: beam continues chunks, and openai/formula gives whole answers"):
        await align(["The tide"], config, record="r.db")
    assert not api.probes
    assert not api.requests


async def test_who_can_only_be_asked_to_go_on_is_told_of_whole_answers(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    with pytest.raises(StrongModelMisconfigured, match=r"strong\.endpoint\.mode=whole"):
        await align(["The tide"], formula_config(strong={"model": "openai/formula"}), record="r.db")
