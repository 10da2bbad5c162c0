"""Holds in a copy of the house with docs/contributing.md in it, which tests/test_docs_contributing.py makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import RunConfig, align
from flows.audit import audit
from flows.config import load_config
from flows.methods import Sample, build
from providers import StrongSettings, open_strong_model
from scoring import Scorer
from scoring.conformance import ScorerConformance
from store import Record
from tests.formula_api import MODEL, FormulaAPI
from tests.test_laws import LONGEST, PROMPT, search, worlds


def until(**given: Any) -> Any:
    return load_config("sentiment", [f"methods.0.{k}={v}" for k, v in given.items()], "until").methods[0]


@given(worlds, st.floats(-5, 5), st.integers(1, 5))
@settings(max_examples=40)
def test_it_ends_at_the_first_answers_that_are_good_enough(world: dict[str, Any], enough: float, n: int) -> None:
    asked: list[Any] = []
    method = search(build(until(enough=enough, n=n), PROMPT, LONGEST), world, asked.extend)
    assert all(isinstance(ask, Sample) and ask.n <= n for ask in asked)
    best = method.result().value
    if best is not None and best >= enough:
        assert method.result().why.startswith("an answer is worth")
    else:
        assert len(asked) <= 8


async def test_a_run_of_it_is_on_record_and_can_be_told_again(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(methods=[{"name": "until", "enough": 2, "n": 2}])
    summary = await align(["The tide", "A letter"], config, record="r.db")
    assert all(answer.complete and answer.why for answer in summary.answers)
    record = Record.open("r.db")
    assert not audit(record, record.find()).faults
    record.close()


async def test_the_new_mode_continues_and_says_so_on_the_wire(api: FormulaAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_KEY", "sk-of-a-test")
    settings = {"model": f"openai/team-{MODEL}", "api_base": api.base, "choices_per_request": 2}
    strong = open_strong_model(StrongSettings.model_validate(settings))
    finding = await strong.probe()
    await strong.close()
    assert str(finding.mode) == "resume"
    assert all(request["resume"] for request in api.probes if request["messages"][-1]["role"] == "assistant")


class TestWantedWords(ScorerConformance):
    def scorer(self) -> Scorer:
        from scoring.wanted import WantedWords  # type: ignore[import-not-found]

        found: Scorer = WantedWords(["calm", "sea"])
        return found


def test_the_new_values_are_settings() -> None:
    wanted = {"kind": "wanted", "words": ["calm", "sea"], "weight": 0.5}
    shorter = {"kind": "function", "call": "tests.examples.brevity:brevity", "weight": 0.01}
    config = load_config("sentiment", [f"values={[wanted, shorter]}"])
    assert [value.kind for value in config.values] == ["wanted", "function"]
