"""A run that is interrupted anywhere resumes to the same tree and pays for nothing twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flows import RunConfig, align, resume
from flows.errors import RunInterrupted
from flows.plan import fresh_method
from flows.replay import replay
from store import Record
from tests import killing
from tests.formula_api import Fault, FormulaAPI

METHODS = {
    "aligntree": {"name": "aligntree", "limits": {"iterations": 3}, "children": 2, "chunk_tokens": 4},
    "beam": {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 6, "in_flight": 2},
}


def trees(record: str) -> dict[str, Any]:
    """All that makes a search's tree, by its key: asks, nodes, scores and tells in order, and the answer.

    But not the seconds, nor the calls, of which those that a kill lost are made again.
    """
    opened = Record.open(record)
    try:
        found = {}
        for search in opened.searches(opened.run().id):
            history = opened.history(search.id)
            tells = [
                replace(t, outcome={k: v for k, v in t.outcome.items() if k not in ("seconds", "calls")})
                for t in history.tells
            ]
            found[search.key] = (
                search.status, search.answer, history.asks, history.nodes, history.scores, tells,
            )  # fmt: skip
        return found
    finally:
        opened.close()


def asked(api: FormulaAPI) -> Counter[tuple[Any, ...]]:
    """The requests of searches (the probe aside), by what they asked for."""
    paid = [r for r in api.requests if r["max_tokens"] > 1]
    return Counter((r["prompt"], r["seed"], r["n"]) for r in paid)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_killed_between_any_two_steps_resumes_to_the_same_tree(
    method: str, record_url: str, tmp_path: Any
) -> None:
    """SIGKILL before or after each transaction and each request in turn, one place after the other, then resume."""
    settings = {"methods": [METHODS[method]], "searches_at_once": 1, "strong": {"choices_per_request": 2}}
    whole = FormulaAPI()
    assert killing.run(whole.base, f"{tmp_path}/whole.db", None, settings, begin=True) == 0
    expected, paid = trees(f"{tmp_path}/whole.db"), asked(whole)
    whole.close()

    api = FormulaAPI()
    exit_code = killing.run(api.base, record_url, 0, settings, begin=True)
    kills = 0
    while exit_code != 0:
        assert exit_code == -9
        kills += 1
        # Claiming a search takes four steps; two asks at once are twelve more before the first is told.
        exit_code = killing.run(api.base, record_url, 4 + kills * 5 % 21, settings, begin=False)
    api.close()
    assert kills >= 4
    assert trees(record_url) == expected
    # Sequential: a kill can lose the one request that was in flight. No recorded reply was asked for again.
    opened = Record.open(record_url)
    histories = [opened.history(s.id) for s in opened.searches(opened.run().id)]
    opened.close()
    lost = sum(r.failure is not None for h in histories for r in h.replies.values())
    extra = asked(api) - paid
    assert set(asked(api)) == set(paid)
    assert extra.total() <= lost <= kills * 2
    for history in histories:
        answered = Counter((key.ask, key.part) for key, reply in history.replies.items() if reply.failure is None)
        assert set(answered.values()) == {1}


async def test_an_outage_interrupts_and_resume_goes_on(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config(strong={"retry_for": 0})
    uninterrupted = await align(killing.PROMPTS, config, record="whole.db")
    before = len(api.requests)
    api.faults = []

    def outage(request: dict[str, Any]) -> Fault | None:
        api.requests.append(request)
        return Fault(503) if len(api.requests) > before + 4 else None

    usual, api.take = api.take, outage  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted, match="aligntree resume"):
        await align(killing.PROMPTS, config, record=record_url)
    api.take = usual  # type: ignore[method-assign]
    summary = await resume(record=record_url)
    assert summary.finished
    assert trees(record_url) == trees("whole.db")
    assert [a.text for a in summary.answers] == [a.text for a in uninterrupted.answers]
    calls = len(api.requests)
    again = await resume(record=record_url)
    assert len(api.requests) == calls  # nothing left to do, nothing paid
    assert again == summary


async def test_an_ask_that_fails_does_not_cut_off_what_others_have_on_the_wire(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    beam = {"name": "beam", "width": 4, "children": 4, "chunk_tokens": 2, "in_flight": 2}
    config = formula_config(methods=[beam], strong={"retry_for": 0, "choices_per_request": 16})

    def second_round_fails_once(request: dict[str, Any]) -> Fault | None:
        api.requests.append(request)
        if len(api.requests) == 3:
            return Fault(503)
        if len(api.requests) == 4:
            time.sleep(0.3)
        return None

    api.take = second_round_fails_once  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted):
        await align(["A letter"], config, record="r.db")
    before = asked(api)
    assert (await resume(record="r.db")).finished
    again = asked(api) - before
    assert {key[1] for key in set(again) & set(before)} == {api.requests[2]["seed"]}


async def test_replaying_the_record_offline_gives_the_same_answer(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config()
    summary = await align(["The tide"], config, record=record_url)
    api.close()
    opened = Record.open(record_url)
    (search,) = opened.searches(summary.run_id)
    method = fresh_method(config, opened.run().finding, search)
    assert replay(method, opened.history(search.id)) == []
    assert method.result().to_json() == search.answer
    opened.close()


async def test_a_budget_stops_cleanly_before_the_request_that_would_exceed_it(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config(budget={"requests": 3}, searches_at_once=1)
    summary = await align(["The tide"], config, record=record_url)
    (answer,) = summary.answers
    assert answer.status == "done"
    assert "requests" in answer.why
    assert answer.text
    assert len(api.requests) == 3 + 1  # and the probe
    assert (await resume(record=record_url)).answers == summary.answers
    assert len(api.requests) == 4
