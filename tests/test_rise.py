"""Chunks that end where uncertainty rises: where they end, what is kept beyond, and what the record knows of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import RunConfig, align
from flows.audit import audit
from flows.errors import BadConfig
from flows.methods import (
    AlignTree,
    AlignTreeConfig,
    BeamConfig,
    Child,
    Chunk,
    Estimate,
    Grown,
    Limits,
    Rise,
    Sample,
    build,
    chunks,
)
from flows.methods.ladder import entropy_of_top, with_entropies
from flows.methods.tree import CUT, Node, child_id
from flows.plan import method_config
from flows.replay import replayed
from flows.rows import continuations_from_json, continuations_to_json
from providers import Continuation, Token
from store import Record
from tests import killing
from tests.formula_api import WORDS, FormulaAPI, completions_shape
from tests.hand import PROMPT, ROOT, child, samples
from tests.on_record import trees

RISE = Rise(least=2, most=5, entropy=2.0)
SETTINGS = RISE.model_dump()
METHODS: dict[str, dict[str, Any]] = {
    "aligntree": {"name": "aligntree", "limits": {"iterations": 5}, "children": 2, "chunk_tokens": SETTINGS},
    "beam": {"name": "beam", "width": 2, "children": 3, "chunk_tokens": SETTINGS, "in_flight": 2},
}


def stretch(*entropies: float, finish: str = "length") -> Continuation:
    """Its tokens are numbered, so that equal beginnings have equal texts."""
    tokens = tuple(Token(f" {i}", -0.5, entropy=e) for i, e in enumerate(entropies))
    return Continuation("".join(t.text for t in tokens), "stop" if finish == "stop" else "length", tokens)


def cut(*sampled: Continuation, rise: Rise = RISE, most: int | None = None) -> tuple[Chunk, ...]:
    asked = Sample(0, ROOT, len(sampled), most or rise.most, 0, "tokens", rise.most, rise.least, rise.entropy)
    return chunks(asked, sampled, 1000).chunks


bits = st.lists(st.sampled_from([0.0, 1.9, 2.0, 2.1, 7.0]), min_size=1, max_size=12)


@given(bits, st.integers(1, 4), st.integers(0, 4), st.booleans())
def test_a_chunk_ends_where_uncertainty_first_rises_and_nothing_that_was_sampled_is_lost(
    entropies: list[float], least: int, more: int, ended: bool
) -> None:
    rise = Rise(least=least, most=least + more, entropy=2.0)
    sampled = stretch(*entropies, finish="stop" if ended else "length")
    found = cut(sampled, rise=rise, most=len(entropies))
    assert "".join(chunk.text for chunk in found) == sampled.text
    assert sum(chunk.tokens for chunk in found) == len(entropies)
    assert [chunk.finish for chunk in found] == [CUT] * (len(found) - 1) + [sampled.finish]
    assert [chunk.parent for chunk in found] == [None, *(chunk.id for chunk in found[:-1])]
    at = 0
    for chunk in found:
        end = at + chunk.tokens
        assert chunk.tokens <= rise.most
        assert not any(e > rise.entropy for e in entropies[at + rise.least : end])  # else it would have ended there
        if chunk is not found[-1]:
            assert chunk.tokens >= rise.least
            assert chunk.tokens == rise.most or entropies[end] > rise.entropy
        at = end


def test_samples_that_begin_alike_share_their_first_chunks() -> None:
    found = cut(stretch(9, 1, 1, 9, 1), stretch(9, 1, 1, 9, 9, finish="stop"), stretch(9, 1, 9, 1, 1))
    first = child_id(ROOT, " 0 1 2", CUT)
    assert [(chunk.text, chunk.finish, chunk.count, chunk.parent) for chunk in found] == [
        (" 0 1 2", "cut", 2, None),
        (" 0 1", "cut", 1, None),
        (" 3 4", "length", 1, first),
        (" 3 4", "stop", 1, first),
        (" 2 3 4", "length", 1, child_id(ROOT, " 0 1", CUT)),
    ]


def test_where_tokens_do_not_make_up_the_text_it_is_not_cut_amid_them() -> None:
    tokens = tuple(Token(text, -1.0, entropy=9.0) for text in ("\ufffd", "\ufffd", " and", " so"))
    (chunk,) = cut(Continuation("海 and so", "length", tokens))
    assert (chunk.text, chunk.finish) == ("海 and so", "length")


@given(st.lists(st.lists(st.floats(-20, 0), max_size=6), min_size=1, max_size=8))
def test_the_record_keeps_the_entropy_of_each_position_and_so_where_chunks_end(tops: list[list[float]]) -> None:
    told = tuple(Token(f" {i}", -1.0, tuple((str(p), p) for p in top)) for i, top in enumerate(tops))
    (known,) = with_entropies([Continuation("".join(t.text for t in told), "length", told)], 1000)
    assert known.tokens
    for token, top in zip(known.tokens, tops, strict=True):
        assert token.entropy == (round(entropy_of_top(top, 1000).value, 4) if top else None)
    row = json.loads(json.dumps(continuations_to_json([known])))
    (again,) = continuations_from_json(row)
    assert again.tokens
    assert [token.entropy for token in again.tokens] == [token.entropy for token in known.tokens]
    assert cut(again, most=len(tops)) == cut(known, most=len(tops))
    assert "entropies" not in continuations_to_json([Continuation("x", "length", (Token("x", -1.0),))])[0]


def path_of(grown: str, name: str, *values: float) -> list[Child]:
    """Chunks of 2 tokens below the node that was grown, one below the other; the last one, of 1, ends by length."""
    found: list[Child] = []
    for number, value in enumerate(values):
        below, last = found[-1].id if found else grown, number == len(values) - 1
        one = child(below, f"{name}{number}", value, tokens=1 if last else 2, finish="length" if last else CUT)
        found.append(replace(one, parent=below if found else None))
    return found


def told(*children: Child) -> Grown:
    return Grown(children, Estimate(1.0, "top-5 geometric"), 10, 1)


def test_in_beam_what_was_sampled_beyond_a_chunk_is_one_of_its_k_chunks() -> None:
    method = build(BeamConfig(width=1, children=3, chunk_tokens=RISE), PROMPT, 8)
    assert method.ask() == [Sample(0, ROOT, 3, 5, 0, "tokens", 5, 2, 2.0)]
    a, b = path_of(ROOT, "a", 1.0, 0.5, 0.2), path_of(ROOT, "b", 0.0, 9.0)
    method.tell(0, told(a[0], b[0], a[1], b[1], a[2]))
    # a0 is the best first chunk; b1 is better, but b0 was not kept. One chunk below a0 is known already.
    assert method.ask() == [Sample(1, a[0].id, 2, 5, 0, "tokens", 5, 2, 2.0)]
    c = path_of(a[0].id, "c", 0.4, 3.0)
    method.tell(1, told(*c))
    assert [ask.node for ask in samples(method)] == [a[1].id]  # 0.5 against 0.4


def test_in_aligntree_a_cut_node_may_be_grown_once_and_promises_as_much_as_its_children_are_long() -> None:
    config = AlignTreeConfig(children=1, chunk_tokens=RISE, widening=None, exploration=0.0, limits=Limits(iterations=9))
    method = build(config, PROMPT, 10)
    assert isinstance(method, AlignTree)
    assert method.ask() == [Sample(0, ROOT, 1, 5, 0, "tokens", 5, 2, 2.0)]
    a = path_of(ROOT, "a", 4.0, 1.0, 5.0)  # at 2, 4 and 5 tokens
    method.tell(0, told(*a))
    nodes = [method.tree.nodes[one.id] for one in a]
    assert [(n.depth, n.level, n.visits, n.best, n.open) for n in nodes] == [
        (2, 1, 1, 5.0, True), (4, 2, 1, 5.0, True), (5, 3, 1, 5.0, True),
    ]  # fmt: skip
    assert method.tree.root.best == 5.0
    # Growing brought 5 - 0 for 5 tokens: 3 of them below the first node, 1 below the second.
    assert [method.promised(n) for n in nodes[:2]] == [pytest.approx(4 + 5 * 3 / 5), pytest.approx(1 + 5 * 1 / 5)]
    assert [ask.node for ask in samples(method)] == [a[0].id]  # 7 against 5
    d = path_of(a[0].id, "d", 0.0, 0.5)
    method.tell(1, told(*d))
    assert [ask.node for ask in samples(method)] == [a[2].id]  # once without widening; 5 against 1 + 1/5 of 0.5


def test_of_whole_answers_a_tree_of_rollouts_is_cut_so_too() -> None:
    method = build(AlignTreeConfig(children=3, chunk_tokens=RISE), PROMPT, 8, whole_only=True)
    assert method.ask() == [Sample(0, ROOT, 3, 8, 0, "tokens", 5, 2, 2.0)]


def unsure_now_and_then(api: FormulaAPI) -> None:
    """Top lists that differ by token: of some positions nearly sure, of others not."""

    def shape(tokens: list[dict[str, Any]]) -> dict[str, Any]:
        sure = [{"token": WORDS[0], "logprob": -0.02}, {"token": WORDS[1], "logprob": -5.0}]
        return completions_shape([t if t["token"] in WORDS[:4] else t | {"top_logprobs": sure} for t in tokens])

    api.shape = shape


@pytest.mark.parametrize("method", METHODS)
async def test_a_run_is_cut_by_what_is_on_record_and_audits(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str, method: str
) -> None:
    unsure_now_and_then(api)
    more = {"aligntree": {"limits": {"iterations": 12}, "exploration": 3.0}, "beam": {}}
    config = formula_config(methods=[METHODS[method] | more[method]], sampling={"max_tokens": 24})
    summary = await align(["The tide", "A letter"], config, record=record_url)
    assert summary.finished
    assert all(answer.complete for answer in summary.answers)
    record = Record.open(record_url)
    run = record.run()
    assert audit(record, run.id).faults == ()
    for search in record.searches(run.id):
        tree = replayed(record, run, search).tree
        assert method_config(config, search).model_dump(mode="json")["chunk_tokens"] == SETTINGS
        sizes = {node.depth - node.parent.depth for node in tree.nodes.values() if node.parent and node.finish == CUT}
        assert len(sizes) > 1
        assert sizes <= set(range(RISE.least, RISE.most + 1))
        assert all(node.value is not None for node in tree.nodes.values() if node is not tree.root)
        history = record.history(search.id)
        grown = [history.asks[tell.ask] for tell in history.tells if tell.kind == "grown" and tell.ask is not None]
        assert any(tree.nodes[ask.node_id].finish == CUT for ask in grown)  # such nodes are gone on from
        for key, reply in history.replies.items():
            asked = history.asks[key.ask]
            for choice in reply.continuations or ():
                assert ("entropies" in choice) == ("least" in asked.payload)
                assert choice["text"] == "" or begins(tree.nodes[asked.node_id], choice["text"])
    record.close()


def begins(node: Node, text: str) -> bool:
    """Some path below the node says just this."""
    return not text or any(text.startswith(c.text) and begins(c, text[len(c.text) :]) for c in node.children if c.text)


@pytest.mark.parametrize("method", METHODS)
def test_such_a_run_that_is_killed_resumes_to_the_same_tree(method: str, tmp_path: Any) -> None:
    settings = {"methods": [METHODS[method]], "searches_at_once": 1, "strong": {"choices_per_request": 2}}
    api = FormulaAPI()
    unsure_now_and_then(api)
    assert killing.run(api.base, f"{tmp_path}/whole.db", None, settings, begin=True) == 0
    record, kills = f"{tmp_path}/killed.db", 0
    exit_code = killing.run(api.base, record, 0, settings, begin=True)
    while exit_code != 0:
        assert exit_code == -9
        kills += 1
        exit_code = killing.run(api.base, record, 4 + kills * 5 % 21, settings, begin=False)
    api.close()
    assert kills >= 2
    assert trees(record) == trees(f"{tmp_path}/whole.db")


async def test_without_top_lists_it_is_refused_before_anything_is_searched(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    methods = [{"name": "base"}, METHODS["beam"]]
    with pytest.raises(BadConfig, match=r"methods\.1\.chunk_tokens.*strong\.logprobs = 0"):
        await align(["The tide"], formula_config(methods=methods, strong={"logprobs": 0}), record="r.db")
    assert not api.probes
    api.shape = lambda tokens: {}
    with pytest.raises(BadConfig, match=r"gives no top log-probabilities.*Give it a number of tokens"):
        await align(["The tide"], formula_config(methods=methods), record="r.db")
    assert api.probes
    assert not api.requests
    record = Record.open("r.db")
    assert list(record.runs()) == []
    record.close()


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"chunk_tokens": SETTINGS | {"least": 6}}, "least = 6 is above most = 5"),
        ({"chunk_tokens": SETTINGS, "chunk": "sentence"}, "chunk = sentence, and by chunk_tokens"),
        ({"chunk_tokens": {"least": 2, "most": 5}}, "chunk_tokens.entropy"),
        ({"chunk_tokens": 0}, r"chunk_tokens = 0"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_settings_that_cannot_be_are_told_by_name(
    formula_config: Callable[..., RunConfig], method: str, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(BadConfig, match=what):
        formula_config(methods=[{"name": method} | settings])
