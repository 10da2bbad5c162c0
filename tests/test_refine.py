"""Refinement: whole answers, and revisions of the best one so far, turn after turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import RunConfig, align, resume
from flows.compare import at_budgets
from flows.diff import diff
from flows.errors import BadConfig, RunInterrupted
from flows.explain import explain
from flows.export import FORMS
from flows.fork import fork
from flows.methods import Ask, Failed, Judge, Limits, Method, RefineConfig, Sample, build
from flows.methods.tree_search import rank
from flows.plan import shape_of
from flows.replay import replayed
from flows.rerank import RerankSettings, rerank
from flows.steps import steps
from store import Record
from tests.conftest import Told
from tests.formula_api import JUDGE, PROBED, Fault, FormulaAPI
from tests.formula_scorer import value
from tests.hand import PROMPT, ROOT, child, grown
from tests.on_record import last_search, trees
from tests.test_laws import LONGEST, answer, fresh, limits, search, worlds

TEMPLATE = "{{ prompt }}|{{ answer }}|better:"
REFINE: dict[str, Any] = {"name": "refine", "n": 3, "turns": 2, "template": TEMPLATE}
WHOLE: dict[str, Any] = {"model": "openai/formula", "endpoint": {"mode": "whole"}}


def by_hand(**more: Any) -> Method:
    return build(RefineConfig(**{"n": 2, "turns": 2, "template": TEMPLATE} | more), PROMPT, 6, choices=2)


def test_the_best_so_far_is_revised_and_the_best_of_all_turns_is_the_answer() -> None:
    method = by_hand()
    assert method.ask() == [Sample(0, ROOT, 2, 6)]
    first = child(ROOT, " a", 2.0, tokens=6)
    method.tell(0, grown(child(ROOT, " b", 1.0, finish="stop"), first))
    assert method.ask() == [Sample(1, first.id, 2, 6, prompt="Once| a|better:")]
    second = child(first.id, " c", 3.0, tokens=4, finish="stop")
    method.tell(1, grown(second, child(first.id, " d", 1.5, tokens=6)))
    assert method.ask() == [Sample(2, second.id, 2, 6, prompt="Once| c|better:")]
    method.tell(2, grown(child(second.id, " e", 2.5, tokens=6)))
    assert method.ask() == []
    result = method.result()
    assert (result.node, result.answer, result.value, result.complete) == (second.id, " c", 3.0, True)
    assert result.why == "all turns taken"
    tree = method.tree
    assert [(tree.answer(n), n.level, n.depth, n.revision) for n in tree.nodes.values()] == [
        ("", 0, 0, False), (" b", 1, 2, False), (" a", 1, 6, False),
        (" c", 2, 4, True), (" d", 2, 6, True), (" e", 3, 6, True),
    ]  # fmt: skip


def test_what_no_revision_bettered_is_revised_again() -> None:
    method = by_hand(turns=4)
    method.ask()
    best = child(ROOT, " a", 2.0, tokens=6)
    method.tell(0, grown(best))
    for turn in range(1, 5):
        again = "Once| a|better:"
        assert method.ask() == [Sample(turn, best.id, 2, 6, turn - 1, prompt=again)]  # another attempt: other seeds
        method.tell(turn, grown(child(best.id, f" {turn}", 1.0, tokens=6)))
    assert method.ask() == []
    assert method.result().answer == " a"


def test_what_cannot_be_revised_leaves_its_turn_to_the_next_best() -> None:
    method = by_hand(turns=None, limits=Limits(calls=9))
    method.ask()
    best, other = child(ROOT, " a", 2.0, tokens=6), child(ROOT, " b", 1.0, tokens=6)
    method.tell(0, grown(other, best))
    assert [ask.node for ask in method.ask()] == [best.id]
    method.tell(1, Failed("content policy", 0, 1))
    assert [ask.node for ask in method.ask()] == [other.id]
    method.tell(2, Failed("content policy", 0, 1))
    assert method.ask() == []
    assert (method.result().answer, method.result().why) == (" a", "content policy")


def test_what_is_only_given_back_leaves_its_turn_to_the_next_best() -> None:
    method = by_hand(turns=9)
    method.ask()
    best, other = child(ROOT, " a", 2.0, tokens=6), child(ROOT, " b", 1.0, tokens=6)
    method.tell(0, grown(best, other))
    method.ask()
    method.tell(1, grown(child(best.id, " a", 2.0, tokens=6)))
    assert [ask.node for ask in method.ask()] == [other.id]
    method.tell(2, grown(child(other.id, " b", 1.0, tokens=6), child(other.id, " a", 2.0, tokens=6)))
    assert method.ask() == []
    assert (method.result().node, method.result().why) == (best.id, "nothing new comes any more")


def test_an_answer_that_came_again_is_judged_once() -> None:
    method = build(RefineConfig(n=2, turns=1), PROMPT, 6, judged=3)
    method.ask()
    best, other = child(ROOT, " a", 2.0, tokens=6), child(ROOT, " b", 1.0, tokens=6)
    method.tell(0, grown(best, other))
    method.ask()
    method.tell(1, grown(child(best.id, " a", 2.0, tokens=6)))
    assert method.ask() == [Judge(2, ROOT, (best.id, other.id))]


def test_nothing_that_it_needs_not_is_kept_back() -> None:
    """Each ask brings whole answers: no call, token or node is reserved for finishing one."""
    for limit, asked in ((Limits(calls=1), [2]), (Limits(tokens=18), [2, 1]), (Limits(nodes=3), [2, 1])):
        method, found = by_hand(limits=limit), list[int]()
        while asks := method.ask():
            (ask,) = asks
            assert isinstance(ask, Sample)
            found.append(ask.n)
            many = (child(ask.node, f" {ask.number}.{i}", 1.0, tokens=6) for i in range(ask.n))
            method.tell(ask.number, grown(*many))
        assert found == asked
        assert method.result().why.startswith("limits.")


refines = st.builds(
    RefineConfig,
    n=st.integers(1, 4),
    turns=st.none() | st.integers(1, 6),
    template=st.just(TEMPLATE),
    limits=limits,
)


@given(refines, worlds)
@settings(max_examples=300, deadline=None)
def test_every_turn_shows_the_best_answer_that_can_be_revised(config: RefineConfig, world: dict[str, Any]) -> None:
    method = fresh(config)
    asked: list[Sample] = []

    def look(asks: list[Ask]) -> None:
        for ask in asks:
            assert isinstance(ask, Sample)
            asked.append(ask)
            tree = method.tree
            if ask.number == 0:
                assert (ask.node, ask.prompt, ask.answer(tree)) == (tree.root.id, None, "")
                continue
            node = tree.nodes[ask.node]
            assert ask.prompt == f"{PROMPT}|{node.text}|better:"
            assert ask.answer(tree) == ""
            of_equals = {one.text: one for one in sorted(tree.complete, key=rank, reverse=True)}
            assert node is min((one for one in of_equals.values() if not one.barren), key=rank)

    search(method, world, look)
    assert config.turns is None or len(asked) <= config.turns + 1
    assert all(ask.max_tokens == LONGEST and ask.n <= config.n for ask in asked)
    for node in method.tree.nodes.values():
        assert method.tree.answer(node) == node.text
        assert node.complete == (node.parent is not None)
        assert node.revision == (node.level > 1)


@given(refines, refines, worlds, st.integers(1, 5))
def test_a_fork_goes_on_from_the_same_answers(
    config: RefineConfig, other: RefineConfig, world: dict[str, Any], at: int
) -> None:
    method = fresh(config)
    for ask in (ask for _ in range(at) for ask in method.ask()):
        method.tell(ask.number, answer(world, ask))
    before = dict(method.tree.nodes)
    method.change(other)
    search(method, world)
    assert before.items() <= method.tree.nodes.items()
    assert method.result().why


def sent(request: dict[str, Any]) -> str:
    if "prompt" in request:
        return str(request["prompt"])
    (message,) = request["messages"]
    assert message["role"] == "user"
    return str(message["content"])


@pytest.mark.parametrize(
    ("strong", "around"),
    [({}, "{}"), ({"template": "<user>{{ prompt }}<model>"}, "<user>{}<model>"), (WHOLE, "{}")],
    ids=["raw text", "raw text by a template", "chat"],
)
async def test_the_strong_model_sees_the_prompt_and_then_the_best_answer_under_the_critique(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], strong: dict[str, Any], around: str
) -> None:
    config = formula_config(strong=strong | {"choices_per_request": 2}, methods=[REFINE])
    summary = await align(["The tide"], config, record="r.db")
    nodes = last_search("r.db").history.nodes  # its audit is clean
    best, expected = "", ["The tide"]
    for turn in (0, 1):
        known = [node for node in nodes.values() if node.ask <= turn]
        best = max(known, key=lambda node: value(node.text, node.finish == "stop")).text
        expected.append(f"The tide|{best}|better:")
    texts = [sent(request) for request in api.requests]
    assert texts == [around.format(text) for text in expected for _ in range(2)]  # n = 3 in requests of 2
    assert len({request["seed"] for request in api.requests}) == 6
    found = max(nodes.values(), key=lambda node: value(node.text, node.finish == "stop"))
    assert (summary.answers[0].text, summary.answers[0].complete) == (found.text, True)


async def test_the_record_says_what_was_sent_and_that_a_revision_is_a_whole_answer(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str, aligntree: Callable[..., Told]
) -> None:
    prompt = "The tide \x00 é 🍲"
    summary = await align([prompt], formula_config(methods=[REFINE], gold="vader"), record=record_url)
    api.close()
    found = last_search(record_url)
    for ask in found.history.asks.values():
        shown = found.history.nodes.get(ask.node_id)
        assert ask.payload.get("prompt") == (f"{prompt}|{shown.text}|better:" if shown else None)
    with closing(Record.open(record_url)) as record:
        run = record.run()
        (row,) = record.searches(run.id)
        tree = replayed(record, run, row).tree
        whole = {tree.answer(node) for node in tree.complete}
        assert whole == {node.text for node in found.history.nodes.values()}
        lines = list(FORMS["nodes"](record, run, 0))
        assert all(line["answer"] == line["text"] and line["revision"] == (line["level"] > 1) for line in lines)
        assert {line["text"] for line in FORMS["answers"](record, run, 0)} == whole
        assert all({pair["chosen"], pair["rejected"]} <= whole for pair in FORMS["preferences"](record, run, 0))
        (line,) = rerank(record, run, RerankSettings(weights={"words": -1.0}))
        assert line.candidates == len(tree.complete)
        assert len(line.new_text.split()) == min(len(text.split()) for text in whole)
        assert [step.node for step in steps(record, run, row)] == [ask.node_id for ask in found.history.asks.values()]
        assert [parting.step for parting in diff(record, run, run)] == [None]
        revised = found.history.asks[2].node_id
        (level,) = explain(record, run, revised).levels
        assert [choice.node for choice in level.choices if choice.chosen] == [revised] == [level.choices[0].node]
    for verb, told in (("show", "(revision)"), ("audit", "told again the same"), ("replay", "the prompt")):
        status, out, err = await asyncio.to_thread(aligntree, verb, summary.run_id, "--record", record_url)
        assert status == 0, err
        assert told in out


async def test_a_search_that_was_broken_off_is_gone_on_with_on_a_chat_endpoint(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    """Killed processes: tests/test_resume.py."""
    config = formula_config(strong=WHOLE, methods=[REFINE])
    await align(["The tide"], config, record="at_once.db")
    for refused in (0, 1, 2):
        api.faults = [None] * refused + [Fault(401)]
        with pytest.raises(RunInterrupted, match="aligntree resume"):
            await align(["The tide"], config, record=f"{refused}.db")
        assert (await resume(record=f"{refused}.db")).finished
        assert trees(f"{refused}.db") == trees("at_once.db")
        assert last_search(f"{refused}.db")


async def test_a_fork_of_it_pays_for_further_turns_alone(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    first = await align(["The tide"], formula_config(methods=[REFINE]), record="r.db")
    node = next(node for node in last_search("r.db").history.nodes.values() if node.ask == 2)
    before = len(api.requests)
    second = await fork(node.id, ["methods.0.turns=4", "methods.0.template={{ answer }} mend it"], record="r.db")
    assert second.finished and second.answers[0].why == "all turns taken"
    assert (second.answers[0].value or 0) >= (first.answers[0].value or 0)
    texts = [sent(request) for request in api.requests[before:]]
    assert len(texts) == 2 and all(text.endswith(" mend it") for text in texts)
    assert last_search("r.db").history.nodes


async def test_the_judge_may_choose_among_the_answers_of_all_turns(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    judge = {"model": f"openai/{JUDGE}", "api_base": api.base, "candidates": 4, "template": "{{ answer }}"}
    config = formula_config(methods=[REFINE | {"limits": {"calls": 7}}], judge=judge)
    summary = await align(["The tide"], config, record="r.db")
    nodes = last_search("r.db").history.nodes.values()
    assert len(api.requests) == 3  # the other four of its calls are the judge's
    judged = {sent(request) for request in api.judged}
    assert len(judged) == 4 and judged <= {node.text for node in nodes}
    assert summary.answers[0].why == "all turns taken; the judge's best of 4"


async def test_a_budget_or_a_limit_ends_it_with_the_best_so_far(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    for told, requests, why in (
        ({"budget": {"requests": 2 + PROBED}}, 2, "requests"),
        ({"methods": [REFINE | {"limits": {"calls": 2}}]}, 2, "limits.calls = 2"),
        ({"methods": [REFINE | {"limits": {"tokens": 36}, "turns": 9}]}, None, "limits.tokens = 36"),
        ({"methods": [REFINE | {"limits": {"iterations": 1}}]}, 1, "limits.iterations = 1"),
        ({"methods": [REFINE | {"turns": None, "limits": {"patience": 1, "calls": 30}}]}, None, "limits.patience = 1"),
    ):
        api.requests.clear()
        config = formula_config(**{"methods": [REFINE]} | told)
        (answer,) = (await align(["The tide"], config, record=f"{why}.db")).answers
        assert answer.status == "done" and answer.complete and why in answer.why
        assert requests in (None, len(api.requests))
        seen = last_search(f"{why}.db")
        assert sum(grew["tokens"] for grew in seen.tells["grown"]) <= 36 or "tokens" not in why
        nodes = seen.history.nodes.values()
        assert answer.value == max(value(node.text, node.finish == "stop") for node in nodes)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"template": "{{ prompt }} better:"}, r"methods\.0\.template = .*\{\{ answer \}\} is not in it"),
        ({"template": "{{ answer "}, r"methods\.0\.template = '\{\{ answer ': not a Jinja template"),
        ({"template": "{{ answer }} {{ critic }}"}, r"template = .*'critic' is undefined"),
        ({"template": "{{ answer }} {{ 1 / 0 }}"}, r"template = .*division by zero"),
        ({"template": "{{ answer }} {{ [1, 2] | random }}"}, r"template = .*random"),
        ({"n": 0}, r"methods\.0\.n = 0"),
        ({"turns": 0}, r"methods\.0\.turns = 0"),
        ({"turns": None}, "turns: set it, or limits of"),
    ],
)
def test_settings_that_do_not_hold_are_told(
    formula_config: Callable[..., RunConfig], wrong: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadConfig, match=told):
        formula_config(methods=[{"name": "refine"} | wrong])


def test_its_template_is_part_of_a_searchs_identity(formula_config: Callable[..., RunConfig]) -> None:
    one, other = (formula_config(methods=[{"name": "refine", **more}]) for more in ({}, {"template": TEMPLATE}))
    assert shape_of(one, one.methods[0]) != shape_of(other, other.methods[0])


def test_at_an_equal_budget_it_revises_as_long_as_another_answer_fits(formula_config: Callable[..., RunConfig]) -> None:
    config = at_budgets(formula_config(methods=[REFINE], gold="vader"), [8])
    told = json.loads(config.model_dump_json())["methods"][0]
    assert (told["label"], told["turns"], told["n"], told["limits"]["tokens"]) == ("refine @8", None, 3, 96)
