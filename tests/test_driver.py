"""The driver against an API: several asks in flight, limits of time and calls, and what an API withholds."""

from __future__ import annotations

import asyncio
import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows import RunConfig, align
from flows.errors import RunInterrupted
from flows.methods import root_id
from flows.plan import fresh_method
from flows.replay import replay
from scoring import Candidate, Score
from store import Record
from tests.formula_api import PROBED, Fault, FormulaAPI
from tests.formula_scorer import FormulaScorer, TellingScorer
from tests.on_record import trees

ALIGNTREE = {"name": "aligntree", "limits": {"iterations": 8}, "children": 2, "chunk_tokens": 3}
BEAM = {"name": "beam", "width": 3, "children": 2, "chunk_tokens": 3, "limits": {"tokens": 60}}


@given(st.integers(0, 2**32), st.integers(1, 4))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_tree_is_equal_whatever_the_latencies(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], seed: int, in_flight: int
) -> None:
    methods = [ALIGNTREE | {"in_flight": in_flight}, BEAM | {"in_flight": in_flight}]
    config = formula_config(methods=methods, strong={"choices_per_request": 1, "concurrency": 8})
    draw = random.Random(seed)
    with TemporaryDirectory() as folder:
        found: list[dict[str, Any]] = []
        for delay in (lambda: 0.0, lambda: draw.choice([0, 0.002, 0.02])):
            api.delay = delay
            record = str(Path(folder) / f"{len(found)}.db")
            asyncio.run(align(["The tide", "A letter"], config, record=record))
            found.append(trees(record))
        assert found[0] == found[1]


async def test_a_call_limit_holds_though_requests_are_tried_again(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    method = ALIGNTREE | {"limits": {"calls": 5}}
    config = formula_config(methods=[method], strong={"choices_per_request": 2, "retry_for": 30})
    usual = api.take

    def fails_twice(request: dict[str, Any]) -> Fault | None:
        fault = usual(request)
        return Fault(503) if len(api.requests) in (2, 3) else fault

    api.take = fails_twice  # type: ignore[method-assign]
    summary = await align(["The tide"], config, record="r.db")
    assert len(api.requests) == 5
    assert summary.answers[0].complete
    assert "limits.calls = 5" in summary.answers[0].why


async def test_when_the_seconds_are_over_an_answer_is_finished_and_nothing_more_is_asked(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    api.delay = lambda: 0.1
    method = ALIGNTREE | {"limits": {"seconds": 0.25}, "chunk_tokens": 1}
    summary = await align(["The tide"], formula_config(methods=[method]), record="r.db")
    (answer,) = summary.answers
    assert answer.why == "limits.seconds = 0.25"
    assert answer.complete
    assert len(api.requests) <= 4  # three of 0.1 s each, and the finishing call


async def test_a_token_limit_below_one_answer_is_refused_before_anything_is_asked(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    with pytest.raises(
        Exception, match=r"methods.0.limits.tokens = 11 is less than one answer: sampling.max_tokens = 12"
    ):
        formula_config(methods=[{"name": "beam", "limits": {"tokens": 11}}])
    assert not api.requests


async def every_search_replays(record: str) -> list[str]:
    """Each search of the newest run, told its record: the same result as it came to. Returns why they ended."""
    opened = Record.open(record)
    run = opened.run()
    config, ended = RunConfig.model_validate(run.config), []
    for row in opened.searches(run.id):
        method = fresh_method(config, run.finding, row)
        replay(method, opened.history(row.id))  # asks that the budget cut off are open for ever
        assert method.result().to_json() == row.answer
        ended.append(method.result().why)
    opened.close()
    return ended


@pytest.mark.parametrize("in_flight", [1, 3])
@pytest.mark.parametrize(
    ("limits", "extra", "why"),
    [
        ({"iterations": 5}, {}, "exhausted|limits"),
        ({"iterations": 50, "patience": 2}, {}, "patience|exhausted"),
        ({"seconds": 0.05}, {}, "limits.seconds"),
        ({"iterations": 5}, {"budget": {"requests": 9 + PROBED}}, "budget"),
        ({"calls": 6}, {}, "limits.calls"),
    ],
)
async def test_a_search_told_its_record_comes_to_the_same_result(
    api: FormulaAPI,
    formula_config: Callable[..., RunConfig],
    in_flight: int,
    limits: dict[str, Any],
    extra: dict[str, Any],
    why: str,
) -> None:
    """Whatever ended it, and though requests were refused, tried again, and answered at any time."""
    usual, draw = api.take, random.Random(7)

    def now_and_then(request: dict[str, Any]) -> Fault | None:
        fault = usual(request)
        return Fault({3: 503, 5: 400}[len(api.requests)]) if len(api.requests) in (3, 5) else fault

    api.take = now_and_then  # type: ignore[method-assign]
    api.delay = lambda: draw.choice([0, 0.01, 0.03])
    methods = [method | {"limits": limits, "in_flight": in_flight} for method in (ALIGNTREE, BEAM)]
    strong = {"choices_per_request": 1, "retry_for": 30}
    config = formula_config(methods=methods, strong=strong, **extra)
    await align(["The tide", "A letter"], config, record="r.db")
    ended = await every_search_replays("r.db")
    assert any(re.search(why, reason) for reason in ended), ended


async def test_a_value_that_is_no_number_ends_the_run_with_an_error(
    formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Diverged(FormulaScorer):
        def score(self, candidates: Sequence[Candidate]) -> list[Score]:
            told = super().score(candidates)
            return [Score(math.nan, {}) if c.prompt == "The tide" else s for c, s in zip(candidates, told, strict=True)]

    monkeypatch.setattr("flows.bench.open_scorer", lambda *_: Diverged())
    with pytest.raises(RunInterrupted, match="formula: gave a value that is no number"):
        await align(["The tide"], formula_config(methods=[ALIGNTREE]), record="r.db")


async def test_the_weak_reference_stands_in_for_probabilities_that_the_api_withholds(
    formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.bench.open_scorer", lambda *_: TellingScorer())
    config = formula_config(strong={"logprobs": 0}, methods=[ALIGNTREE | {"limits": {"iterations": 3}}])
    await align(["The tide"], config, record="r.db")
    opened = Record.open("r.db")
    (search,) = opened.searches(opened.run().id)
    history = opened.history(search.id)
    opened.close()
    scores = [(row.name, row.node_id, row.value, row.parts.get("rung")) for of in history.scores.values() for row in of]
    priors = [(value, rung) for name, _, value, rung in scores if name == "prior"]
    assert {rung for _, rung in priors} == {"weak"}
    assert [value for value, _ in priors] == pytest.approx([0.5] * len(priors))
    entropies = {(node == root_id("The tide"), value, rung) for name, node, value, rung in scores if name == "entropy"}
    assert entropies == {(True, 3.0, "weak"), (False, 4.0, "weak")}


async def test_a_stop_string_over_two_chunks_is_in_no_answer(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    """The API answers words; two of them are a stop string, which it does not see where it falls on two chunks."""
    config = formula_config(sampling={"stop": [" sea the"], "max_tokens": 24}, methods=[BEAM | {"chunk_tokens": 1}])
    summary = await align([f"Prompt {i}" for i in range(6)], config, record="r.db")
    assert all(" sea the" not in answer.text for answer in summary.answers)
    opened = Record.open("r.db")
    told = [node for s in opened.searches(summary.run_id) for node in opened.history(s.id).nodes.values()]
    opened.close()
    assert any(node.finish == "stop" and node.text == " the" for node in told)
