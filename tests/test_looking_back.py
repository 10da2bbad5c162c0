"""Explaining, comparing, re-ranking and forking what is on record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from flows import RunConfig, align, resume
from flows.audit import audit
from flows.diff import diff
from flows.errors import BadConfig, RunInterrupted
from flows.explain import NoSuchNode, explain
from flows.fork import fork
from flows.methods import root_id
from flows.replay import replayed
from flows.rerank import NoSuchPart, RerankSettings, rerank
from store import Record
from tests.conftest import Told
from tests.formula_api import Fault, FormulaAPI

ALIGNTREE = {"name": "aligntree", "limits": {"iterations": 6}, "children": 2, "chunk_tokens": 2, "exploration": 1.5}
BEAM = {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 3}
BEST = {"name": "best_of_n", "n": 4}


async def test_explain_shows_the_choice_as_it_stood(api: FormulaAPI, formula_config: Callable[..., RunConfig]) -> None:
    """What was chosen had the highest score, of terms that give it."""
    short = ALIGNTREE | {"limits": {"iterations": 3}, "exploration": 30.0, "widening": None}
    await align(["The tide"], formula_config(methods=[short]), record="r.db")
    api.close()
    record = Record.open("r.db")
    run = record.run()
    (search,) = record.searches(run.id)
    history = record.history(search.id)
    grown = [ask.node_id for ask in history.asks.values() if ask.node_id in history.nodes and ask.attempt == 0]
    explained = [explain(record, run, node[:12]) for node in grown]
    assert [found.finishing for found in explained] == [*[False] * (len(grown) - 1), True]
    assert len(grown) >= 3
    for node, found in zip(grown, explained, strict=True):
        assert found.after == next(a.number for a in history.asks.values() if a.node_id == node)
        for level in found.levels:
            (chosen,) = [choice for choice in level.choices if choice.chosen]
            if not found.finishing:
                assert chosen.score == max(choice.score for choice in level.choices if choice.score is not None)
            assert chosen.returns is not None and chosen.prior is not None and chosen.visits is not None
            bonus = 30.0 * chosen.prior * level.visits**0.5 / (1 + chosen.visits) * (1 + 0.2 * level.entropy)
            assert chosen.score == pytest.approx(chosen.returns + bonus)
    whole = next(node for node in replayed(record, run, search).tree.complete)
    assert explain(record, run, whole.id).after is None
    with pytest.raises(NoSuchNode, match="0 nodes"):
        explain(record, run, "zzz")
    told = explain(record, run, root_id("The tide")[:8])
    assert (told.root, told.search, told.after) == (True, search.id, 0)
    (level,) = told.levels
    below = {node.id for node in history.nodes.values() if node.parent_id == told.node}
    assert {choice.node for choice in level.choices} - {None} == below
    record.close()


async def test_diff_finds_the_step_at_which_two_runs_part(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    prompts = ["The tide", "A letter"]
    runs = [
        (await align(prompts, formula_config(methods=[ALIGNTREE | more, BEAM]), record="r.db")).run_id
        for more in ({}, {}, {"limits": {"iterations": 3}}, {"exploration": 9.0})
    ]
    record = Record.open("r.db")
    one, same, shorter, other = (record.run(run) for run in runs)
    # Seeds are of the search's identity: the same config asks the same.
    assert [parting.step for parting in diff(record, one, same)] == [None] * 4
    assert all(parting.answers[0] == parting.answers[1] for parting in diff(record, one, same))
    partings = {(parting.prompt, parting.method): parting for parting in diff(record, one, other)}
    assert {partings[prompt, "beam"].step for prompt in prompts} == {None}
    assert all(partings[prompt, "aligntree"].step == 1 for prompt in prompts)  # another identity, other seeds
    assert all("other chunks came" in partings[prompt, "aligntree"].what for prompt in prompts)
    assert diff(record, shorter, other)[0].step == 1
    record.close()


async def test_a_fork_inherits_what_led_to_its_node_and_pays_for_the_rest_alone(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    first = await align(["The tide"], formula_config(methods=[ALIGNTREE]), record=record_url)
    record = Record.open(record_url)
    (parent,) = record.searches(first.run_id)
    history = record.history(parent.id)
    node = next(node for node in history.nodes.values() if node.ask == 3)
    before = len(api.requests)
    told = ["methods.0.limits.iterations=8", "methods.0.exploration=4"]
    second = await fork(node.id[:12], told, record=record_url)
    (search,) = record.searches(second.run_id)
    run = record.run(second.run_id)
    assert search.fork == (parent.id, 4)
    assert second.finished and second.run_id != first.run_id
    own = record.history(search.id)
    assert min(own.asks) == 4 and len(own.calls) == len(api.requests) - before
    tree = replayed(record, run, search).tree
    inherited = {n.id for n in history.nodes.values() if n.ask < 4}
    assert inherited < tree.nodes.keys()
    assert tree.root.visits == 8  # those that it inherits count
    assert audit(record, second.run_id).faults == ()
    third = await fork(next(iter(own.nodes))[:12], ["methods.0.limits.iterations=10"], second.run_id, record=record_url)
    (of_fork,) = record.searches(third.run_id)
    assert of_fork.fork is not None and of_fork.fork[0] == search.id
    assert audit(record, third.run_id).faults == ()
    record.close()


async def test_a_fork_that_was_cut_off_is_resumed(api: FormulaAPI, formula_config: Callable[..., RunConfig]) -> None:
    first = await align(["The tide"], formula_config(methods=[BEAM], strong={"retry_for": 0}), record="r.db")
    record = Record.open("r.db")
    (parent,) = record.searches(first.run_id)
    node = next(iter(record.history(parent.id).nodes))
    whole = await fork(node, ["methods.0.width=3"], first.run_id, record="r.db")
    usual = api.take

    def goes_down(request: dict[str, Any]) -> Fault | None:
        usual(request)
        return Fault(503)

    api.take = goes_down  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted):
        await fork(node, ["methods.0.width=3"], first.run_id, record="r.db")
    api.take = usual  # type: ignore[method-assign]
    again = await resume(record="r.db")
    assert [answer.text for answer in again.answers] == [answer.text for answer in whole.answers]
    record.close()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("sampling.max_tokens=99", "a fork goes on with the same models and prompts"),
        ("methods.0.name=beam", "goes on with aligntree|no such setting"),
        ("weak.beta=2", "--set weak"),
    ],
)
async def test_a_fork_changes_its_method_alone(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], setting: str, told: str
) -> None:
    first = await align(["The tide"], formula_config(methods=[ALIGNTREE]), record="r.db")
    record = Record.open("r.db")
    node = next(iter(record.history(record.searches(first.run_id)[0].id).nodes))
    with pytest.raises(BadConfig, match=told):
        await fork(node, [setting], record="r.db")
    assert len(record.runs()) == 1
    record.close()


async def test_rerank_chooses_by_other_weights_among_what_is_on_record(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    """The formula scorer records the number of words."""
    await align(["The tide"], formula_config(methods=[BEST], gold="vader"), record="r.db")
    record = Record.open("r.db")
    run = record.run()
    answers = texts(record)
    (line,) = rerank(record, run, RerankSettings(weights={"words": -1.0}))
    assert line.candidates == len(answers)
    assert len(line.new_text.split()) == min(len(text.split()) for text in answers)
    assert line.new_value == -len(line.new_text.split())
    assert line.new_gold is not None
    with pytest.raises(NoSuchPart, match="recorded no tuned"):
        rerank(record, run, RerankSettings(weights={"tuned": 1.0}))
    record.close()


def texts(record: Record) -> list[str]:
    run = record.run()
    tree = replayed(record, run, record.searches(run.id)[0]).tree
    return [tree.answer(node) for node in tree.complete]


async def test_the_commands(
    aligntree: Callable[..., Told], api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(methods=[ALIGNTREE], gold="vader")
    first = await align(["The tide"], config, record="aligntree.db")
    second = await align(["The tide"], config, record="aligntree.db")
    record = Record.open("aligntree.db")
    (search,) = record.searches(second.run_id)
    node = next(iter(record.history(search.id).nodes))
    record.close()

    async def told(*arguments: str) -> Told:
        return await asyncio.to_thread(aligntree, *arguments)

    status, out, _ = await told("diff", first.run_id, second.run_id)
    assert status == 0 and "equal" in out
    status, out, err = await told("explain", node)
    assert status == 0, err
    assert "level 1, below the prompt" in out
    status, out, err = await told("replay", second.run_id, "--json")
    assert status == 0, err
    steps = json.loads(out)
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))
    assert steps[0]["text"] == "" and steps[0]["outcome"].endswith(" new")
    assert steps[-1]["best"] == second.answers[0].value
    status, out, _ = await told("replay", second.run_id, "--search", "1")
    assert status == 0 and "the prompt" in out and "done" in out
    status, out, err = await told("rerank", "--set", "weights={words: 1}")
    assert status == 0, err
    assert "answers are others" in out
    status, out, err = await told("fork", node, "--set", "methods.0.limits.iterations=7", "--json", "-q")
    assert status == 0, err
    assert json.loads(out)["finished"]
    root = steps[0]["node"]
    status, out, err = await told("explain", root[:8])
    assert status == 0, err
    assert "level 1, below the prompt" in out and f"node {root[:12]} is the prompt of search" in out
    status, _, err = await told("fork", root[:8], "--set", "methods.0.limits.iterations=7")
    assert status == 2 and "it is the prompt of search" in err
    status, _, err = await told("explain", "zzz")
    assert status == 2 and "aligntree show" in err
