"""A judge at the end: what it is asked, what a search makes of it, and that it costs no more than it may."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from rich.console import Console

from flows import RunConfig, align, resume
from flows.audit import audit
from flows.diff import diff
from flows.errors import BadConfig, RunInterrupted
from flows.explain import explain
from flows.export import nodes
from flows.fork import fork
from flows.methods import Judge, MethodConfig
from flows.plan import shape_of
from flows.replay import replayed
from flows.rerank import NoSuchPart, RerankSettings, rerank
from flows.show import draw
from flows.steps import steps
from providers import StrongModelMisconfigured
from scoring import Score
from store import Record
from tests import killing
from tests.formula_api import JUDGE, PROBED, Fault, FormulaAPI, opinion
from tests.on_record import Seen, last_search, trees
from tests.test_laws import configs, fresh, search, worlds

METHODS: dict[str, dict[str, Any]] = {
    "aligntree": {"name": "aligntree", "limits": {"iterations": 8}, "children": 3, "chunk_tokens": 4},
    "beam": {"name": "beam", "width": 3, "children": 2, "chunk_tokens": 4},
    "best_of_n": {"name": "best_of_n", "n": 6},
}
BEST = METHODS["best_of_n"]


@pytest.fixture
def judged_config(api: FormulaAPI, formula_config: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """With a judge on the loopback API; `judge` is settings over it."""
    return lambda **settings: formula_config(
        **settings | {"judge": judge_at(api.base) | settings.get("judge", {})},
    )


def judge_at(base: str) -> dict[str, Any]:
    return {"model": f"openai/{JUDGE}", "api_base": base, "retry_for": 3, "candidates": 3}


def verdicts(seen: Seen) -> dict[str, Score]:
    """What is on record of the judge, by node."""
    rows = [row for of in seen.history.scores.values() for row in of if row.name == "judge"]
    return {row.node_id: Score(row.value, row.parts) for row in rows}


# What a search makes of them


@pytest.mark.parametrize("method", [*METHODS, "rollouts"])
async def test_the_judges_best_of_the_best_by_value_is_chosen(
    api: FormulaAPI, judged_config: Callable[..., RunConfig], record_url: str, method: str
) -> None:
    strong = {"model": "openai/formula", "endpoint": {"mode": "whole"}} if method == "rollouts" else {}
    config = judged_config(methods=[METHODS.get(method, METHODS["aligntree"])], strong=strong)
    summary = await align(["The tide"], config, record=record_url)
    seen, said = last_search(record_url), verdicts(last_search(record_url))
    opened = Record.open(record_url)
    tree = replayed(opened, opened.run(), opened.searches(summary.run_id)[0]).tree
    opened.close()
    best_first = sorted(tree.complete, key=lambda node: (-(node.value or 0), node.id))
    assert set(said) == {node.id for node in best_first[:3]}
    assert seen.answer["judge"] == said[seen.answer["node"]].value == max(score.value for score in said.values())
    assert seen.answer["why"].endswith("; the judge's best of 3")
    assert Counter((r["temperature"], r["n"], r["max_tokens"]) for r in api.judged) == {(0.0, 1, 8): 3}
    texts = [message["content"] for request in api.judged for message in request["messages"]]
    assert len(texts) == 3
    for node in best_first[:3]:
        (text,) = [text for text in texts if f"\nAnswer:\n{tree.answer(node)}\n\nRate" in text]
        integer = int(opinion(text)[0]["token"])
        assert said[node.id].value == pytest.approx((integer * 0.6 + (integer + 1) * 0.3) / 0.9)
        assert said[node.id].parts == {"score": integer, "mass": pytest.approx(0.9)}


async def test_a_judge_by_raw_text_is_asked_at_completions(
    api: FormulaAPI, judged_config: Callable[..., RunConfig]
) -> None:
    judge = {"model": f"text-completion-openai/{JUDGE}", "template": "{{ answer }}?", "logprobs": 0}
    await align(["The tide"], judged_config(methods=[BEST], judge=judge), record="r.db")
    assert all(request["prompt"].endswith("?") for request in api.judged)
    assert {tuple(score.parts) for score in verdicts(last_search("r.db")).values()} == {("score",)}


async def test_a_candidate_of_which_it_says_no_number_is_not_judged(
    api: FormulaAPI, judged_config: Callable[..., RunConfig]
) -> None:
    api.says = lambda text: opinion(text) if len(api.judged) > 1 else [{"token": "fine", "logprob": -0.1}]
    config = judged_config(methods=[BEST], judge={"concurrency": 1, "logprobs": 0})
    await align(["The tide"], config, record="r.db")
    seen = last_search("r.db")
    (tell,) = [tell for tell in seen.history.tells if tell.kind == "judged"]
    reasons = [reason for _, reason in tell.outcome["verdicts"]]
    assert reasons == ["the judge wrote 'fine', and no integer from 1 to 10", None, None]
    assert len(verdicts(seen)) == 2
    assert seen.answer["node"] in verdicts(seen)
    assert seen.answer["why"] == "all answers sampled; the judge's best of 2"


async def test_where_it_judges_none_the_value_chooses(api: FormulaAPI, judged_config: Callable[..., RunConfig]) -> None:
    api.judge_faults = [Fault(400, b"no such text")] * 3
    await align(["The tide"], judged_config(methods=[BEST]), record="r.db")
    seen = last_search("r.db")
    assert seen.answer["why"] == "all answers sampled; not judged: HTTP 400: no such text"
    assert "judge" not in seen.answer
    assert len(api.judged) == 3  # what was refused is not tried again
    best = max(row.value for of in seen.history.scores.values() for row in of if row.name == "formula")
    assert seen.answer["value"] == best


async def test_one_whole_answer_needs_no_judge(api: FormulaAPI, judged_config: Callable[..., RunConfig]) -> None:
    methods = [{"name": "best_of_n", "n": 1}, {"name": "base"}]
    summary = await align(["The tide"], judged_config(methods=methods), record="r.db")
    why = [answer.why for answer in summary.answers]
    assert why == ["all answers sampled; not judged: fewer than two whole answers", "all answers sampled"]
    assert not api.judged


@given(configs, worlds)
def test_whatever_the_judge_says_its_best_is_the_result(config: MethodConfig, world: dict[str, Any]) -> None:
    asked: list[Any] = []
    method = search(fresh(config, 3), world, asked.extend)
    judged = [node.judge for node in method.tree.complete if node.judge is not None]
    result = method.result()
    assert sum(isinstance(ask, Judge) for ask in asked) <= 1
    assert all(not isinstance(ask, Judge) or ask is asked[-1] for ask in asked)
    assert result.judge == max(judged, default=None)
    if not judged and config.limits.calls is None:
        assert result.node == search(fresh(config), world).result().node


# What it may cost


@pytest.mark.parametrize("method", ["aligntree", "best_of_n"])
def test_killed_anywhere_it_is_never_asked_again_what_it_has_answered(method: str, tmp_path: Any) -> None:
    settings = {"methods": [METHODS[method] | {"limits": {"iterations": 3}}], "searches_at_once": 1}
    api = FormulaAPI()
    judged = settings | {"judge": judge_at(api.base)}
    assert killing.run(api.base, f"{tmp_path}/whole.db", None, judged, begin=True) == 0
    expected, paid = trees(f"{tmp_path}/whole.db"), Counter(json.dumps(r) for r in api.judged)
    api.close()
    assert paid.total() >= 3
    again = FormulaAPI()
    record = f"{tmp_path}/killed.db"
    judged = settings | {"judge": judge_at(again.base)}
    code, kills = killing.run(again.base, record, 0, judged, begin=True), 0
    while code != 0:
        assert code == -9
        kills += 1
        # Claiming a search takes four steps; three requests at once are twelve more before the judge is told.
        code = killing.run(again.base, record, 4 + kills * 5 % 21, judged, begin=False)
    again.close()
    assert kills >= 2
    assert trees(record) == expected
    opened = Record.open(record)
    histories = [opened.history(s.id) for s in opened.searches(opened.run().id)]
    assert audit(opened, opened.run().id).faults == ()
    opened.close()
    lost = sum(r.failure is not None for h in histories for r in h.replies.values())
    extra = Counter(json.dumps(r) for r in again.judged) - paid
    assert extra.total() <= lost
    for history in histories:
        answered = Counter((key.ask, key.part) for key, reply in history.replies.items() if reply.failure is None)
        assert set(answered.values()) == {1}


async def test_what_a_budget_paid_for_of_it_is_used(api: FormulaAPI, judged_config: Callable[..., RunConfig]) -> None:
    config = judged_config(methods=[BEST], budget={"requests": 2 + 2 + PROBED}, judge={"concurrency": 1})
    summary = await align(["The tide"], config, record="r.db")
    assert summary.answers[0].why == "all answers sampled; the judge's best of 2"
    assert len(api.judged) == 2
    assert len(verdicts(last_search("r.db"))) == 2


async def test_a_budget_too_small_for_it_leaves_the_answer_to_the_value_and_says_so(
    api: FormulaAPI, judged_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = judged_config(methods=[BEST], budget={"requests": 2 + 1 + PROBED}, judge={"concurrency": 1})
    summary = await align(["The tide"], config, record=record_url)
    (answer,) = summary.answers
    assert (answer.status, answer.complete) == ("done", True)
    assert answer.why.startswith("all answers sampled; not judged: budget.requests = 10: the next request could take 1")
    assert len(api.judged) == 1
    assert (await resume(record=record_url)).answers == summary.answers
    seen = last_search(record_url)
    assert len(verdicts(seen)) == 1
    assert "judge" not in seen.answer


async def test_it_stays_within_the_limit_of_calls_whatever_has_to_be_tried_again(
    api: FormulaAPI, judged_config: Callable[..., RunConfig]
) -> None:
    method = METHODS["aligntree"] | {"limits": {"calls": 9}}
    api.faults, api.judge_faults = [None, Fault(503)], [None, Fault(503), Fault(503), Fault(503)]
    config = judged_config(methods=[method], strong={"retry_for": 30}, judge={"retry_for": 30, "concurrency": 1})
    await align(["The tide"], config, record="r.db")
    assert len(api.requests) + len(api.judged) == 9
    assert len(api.judged) == 3  # kept back from the start
    seen = last_search("r.db")
    (tell,) = [tell for tell in seen.history.tells if tell.kind == "judged"]
    assert [reason for _, reason in tell.outcome["verdicts"]].count("limits.calls") == 2
    assert seen.answer["why"].endswith("; not judged: limits.calls")  # one alone is the best of nothing
    assert "judge" not in seen.answer


async def test_when_the_time_is_up_it_is_not_asked(api: FormulaAPI, judged_config: Callable[..., RunConfig]) -> None:
    api.delay = lambda: 0.1
    best = {"name": "best_of_n", "n": None, "limits": {"seconds": 0.05}}
    summary = await align(["The tide"], judged_config(methods=[best]), record="r.db")
    (answer,) = summary.answers
    assert (answer.why, answer.complete) == ("limits.seconds = 0.05; not judged", True)
    assert not api.judged
    assert not last_search("r.db").tells["failed"]


async def test_an_outage_of_the_judge_interrupts_and_resume_asks_for_the_rest(
    api: FormulaAPI, judged_config: Callable[..., RunConfig]
) -> None:
    api.judge_faults = [None, Fault(401)]
    config = judged_config(methods=[BEST], judge={"concurrency": 1})
    with pytest.raises(RunInterrupted, match=r"judge model openai/judge at http.*Check judge\.model, judge\.api_base"):
        await align(["The tide"], config, record="r.db")
    opened = Record.open("r.db")
    (interrupted,) = opened.searches(opened.run().id)
    opened.close()
    assert (interrupted.answer or {})["why"] == "all answers sampled; not judged"
    asked = len(api.judged)
    assert (await resume(record="r.db")).finished
    assert len(api.judged) - asked == 1
    assert last_search("r.db").answer["why"] == "all answers sampled; the judge's best of 3"


# Looking back


async def test_what_looks_back_knows_of_it(api: FormulaAPI, judged_config: Callable[..., RunConfig]) -> None:
    config = judged_config(methods=[BEST])
    runs = [(await align(["The tide"], config, record="r.db")).run_id]
    api.says = lambda text: [{"token": "5", "logprob": -0.1, "top_logprobs": []}]
    runs.append((await align(["The tide"], config, record="r.db")).run_id)
    api.close()
    record = Record.open("r.db")
    run, other = map(record.run, runs)
    (row,) = record.searches(run.id)
    answer = row.answer or {}
    told = steps(record, run, row)[-1]
    assert (told.node, told.outcome) == (None, "judged: 3 of 3")
    (parting,) = diff(record, run, other)
    assert parting.step == 2 and parting.what.startswith("judge of ")
    exported = {line["node"]: line for line in nodes(record, run)}
    parts = [line["parts"] for line in exported.values() if "judge" in line["parts"]]
    assert len(parts) == 3
    assert exported[answer["node"]]["parts"]["judge"] == answer["judge"] == max(of["judge"] for of in parts)
    assert {"judge", "judge.score", "judge.mass", "words"} == parts[0].keys()
    assert explain(record, run, answer["node"]).after is None
    (by_judge,) = rerank(record, run, RerankSettings(weights={"judge": 1.0}))
    assert (by_judge.new_text, by_judge.new_value, by_judge.candidates) == (answer["text"], answer["judge"], 3)
    console = Console(width=200, file=StringIO(), record=True)
    console.print(draw(row, replayed(record, run, row)))
    assert f" J {answer['judge']:.2f}" in console.export_text()
    record.close()


async def test_a_fork_asks_it_anew(api: FormulaAPI, judged_config: Callable[..., RunConfig]) -> None:
    summary = await align(["The tide"], judged_config(methods=[METHODS["aligntree"]]), record="r.db")
    record = Record.open("r.db")
    history = record.history(record.searches(summary.run_id)[0].id)
    record.close()
    last_grown = [tell for tell in history.tells if tell.kind == "grown"][-1]
    forked = await fork(last_grown.outcome["children"][0][0], ["methods.0.limits.iterations=9"], record="r.db")
    assert forked.answers[0].why == "limits.iterations = 9; the judge's best of 3"
    assert len(verdicts(last_search("r.db"))) == 3
    assert len(api.judged) == 6


async def test_rerank_by_a_judge_that_was_not_there_is_refused(
    formula_config: Callable[..., RunConfig], api: FormulaAPI
) -> None:
    summary = await align(["The tide"], formula_config(methods=[BEST]), record="r.db")
    record = Record.open("r.db")
    with pytest.raises(NoSuchPart, match="no answer was judged"):
        rerank(record, record.run(summary.run_id), RerankSettings(weights={"judge": 1.0}))
    record.close()


async def test_an_audit_holds_what_was_told_against_the_replies(
    api: FormulaAPI, judged_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    await align(["The tide"], judged_config(methods=[BEST]), record="r.db")
    monkeypatch.setattr("flows.audit.read_opinion", lambda said, scale: Score(0.0, {}))
    record = Record.open("r.db")
    faults = audit(record, record.run().id).faults
    record.close()
    assert len(faults) == 3
    assert all("is not judged as its reply says" in str(fault) for fault in faults)


# Settings


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        ({}, "judge.model: Field required"),
        ({"model": "openai/m", "scale": [10, 1]}, r"judge\.scale: \[10, 1\] is no scale: give two integers"),
        ({"model": "openai/m", "candidates": 1}, "judge.candidates = 1: .*greater than or equal to 2"),
        ({"model": "openai/m", "max_tokens": 0}, "judge.max_tokens = 0"),
        ({"model": "openai/m", "template": "{{ answr }}"}, r"judge\.template = .*'answr' is undefined"),
        ({"model": "openai/m", "template": "{{ prompt }}"}, r"judge\.template = .*\{\{ answer \}\} is not in it"),
        ({"model": "openai/m", "template": "{% if"}, r"judge\.template = .*not a Jinja template"),
        ({"model": "openai/m", "system": "Be kind"}, "judge.system: no such setting"),
        ({"model": "openai/m", "input_price": 1}, "set both or neither"),
    ],
)
def test_settings_that_do_not_hold_are_told(
    formula_config: Callable[..., RunConfig], judge: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadConfig, match=told):
        formula_config(judge=judge)


def test_calls_and_names_that_leave_no_room_for_it_are_told(formula_config: Callable[..., RunConfig]) -> None:
    judge = {"model": "openai/m", "candidates": 4}
    with pytest.raises(BadConfig, match=r"methods\.0\.limits\.calls = 4 leaves nothing .* judge\.candidates = 4"):
        formula_config(judge=judge, methods=[BEST | {"limits": {"calls": 4}}])
    with pytest.raises(BadConfig, match="values: one is called 'judge'"):
        formula_config(judge=judge, values=[{"kind": "function", "call": "a:b", "name": "judge"}])


@pytest.mark.parametrize(
    ("judge", "told"),
    [
        ({"model": "openai/other"}, r"judge model openai/other at .*: no model 'other' there"),
        ({"model": "nobody"}, r"judge\.model: 'nobody' names no endpoint"),
        ({"model": "hosted_vllm/judge", "api_base": None}, r"judge\.api_base: .* needs the address"),
        ({"api_key_env": "NO_SUCH_KEY"}, r"no usable key: .*NO_SUCH_KEY.* another variable in judge\.api_key_env"),
    ],
)
async def test_a_judge_that_cannot_be_asked_is_told_before_anything_is_paid_for(
    api: FormulaAPI, judged_config: Callable[..., RunConfig], judge: dict[str, Any], told: str
) -> None:
    with pytest.raises(StrongModelMisconfigured, match=told):
        await align(["The tide"], judged_config(judge=judge), record="r.db")
    assert not (api.probes or api.requests or api.judged)


async def test_dollars_cannot_be_limited_where_its_price_is_not_known(
    api: FormulaAPI, judged_config: Callable[..., RunConfig]
) -> None:
    priced = {"input_price": 1, "output_price": 2}
    with pytest.raises(BadConfig, match=r"openai/judge is not known\. Set judge\.input_price and judge\.output_price"):
        await align(["The tide"], judged_config(strong=priced, budget={"usd": 1}), record="r.db")
    assert not api.probes
    config = judged_config(methods=[BEST], strong=priced, judge=priced, budget={"usd": 1})
    summary = await align(["The tide"], config, record="r.db")
    assert len(api.judged) == 3
    opened = Record.open("r.db")
    search_id = opened.searches(summary.run_id)[0].id
    prices = sum(reply.price or 0 for reply in opened.history(search_id).replies.values())
    assert opened.run().prices["judge"] == {"input": "0.000001", "output": "0.000002", "cached": "0.000001"}
    opened.close()
    assert prices > 3 * (7 * 1000 + 2000)


def test_it_is_part_of_a_searchs_identity_and_where_there_is_none_nothing_is(
    formula_config: Callable[..., RunConfig],
) -> None:
    def shape(**judge: Any) -> dict[str, Any]:
        config = formula_config(judge={"model": "openai/m"} | judge)
        return shape_of(config, config.methods[0])

    plain = formula_config()
    assert "judge" not in plain.model_dump(mode="json") and "judge" not in shape_of(plain, plain.methods[0])
    assert shape_of(plain, plain.methods[0]) == {name: of for name, of in shape().items() if name != "judge"}
    assert shape() == shape(timeout=1.0, concurrency=2, api_base="http://there/v1", input_price=1, output_price=1)
    for more in ({"candidates": 5}, {"scale": [0, 5]}, {"template": "{{ answer }}"}, {"endpoint": {"mode": "whole"}}):
        assert shape() != shape(**more)


async def test_without_it_a_search_asks_and_answers_the_same(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], judged_config: Callable[..., RunConfig]
) -> None:
    summary = await align(["The tide"], formula_config(), record="plain.db")
    plain = last_search("plain.db")
    assert not api.judged
    assert "judge" not in plain.answer
    assert summary.answers[0].why == "limits.iterations = 4"
    assert {ask.kind for ask in plain.history.asks.values()} == {"sample"}
