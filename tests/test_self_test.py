"""The self-test: a pair that cannot tell a good text from a bad one is refused before anything is paid for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from flows import RunConfig, align
from flows.self_test import OF_ADAPTERS, CannotTell, KnownTexts, self_test
from scoring import Candidate, Score, WeakSettings, open_scorer
from tests.formula_api import FormulaAPI
from tests.formula_scorer import FormulaScorer

KNOWN = {"prompt": "The tide", "better": " is kind", "worse": " is cold"}


class _Backwards(FormulaScorer):
    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        return [Score(-score.value) for score in super().score(candidates)]


def test_the_built_in_pair_passes() -> None:
    better, worse = self_test(open_scorer(WeakSettings()), OF_ADAPTERS["sentiment"])
    assert better > worse + 1


@pytest.mark.parametrize("known", [None, KNOWN])
async def test_a_pair_the_wrong_way_round_is_refused_before_anything_is_sent(
    api: FormulaAPI,
    formula_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
    known: dict[str, str] | None,
) -> None:
    monkeypatch.setattr("flows.bench.open_scorer", lambda *_: _Backwards())
    with pytest.raises(CannotTell, match=r"self_test: formula gives the better text -\d.* the worse one") as refused:
        await align(["The tide"], formula_config(self_test=known), record="r.db")
    assert refused.value.exit_status == 2
    assert api.connections == 0


async def test_a_pair_to_which_all_texts_are_alike_is_refused_unless_it_is_not_all_that_counts(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(FormulaScorer):
        def score(self, candidates: Sequence[Candidate]) -> list[Score]:
            return [Score(0.0) for _ in candidates]

    monkeypatch.setattr("flows.bench.open_scorer", lambda *_: Silent())
    with pytest.raises(CannotTell, match=r"self_test: formula values all texts alike, at 0 words\. Its adapter"):
        await align(["The tide"], formula_config(weak={"adapter": "my/adapter"}), record="r.db")
    assert api.connections == 0
    values = [{"kind": "function", "call": "tests.test_values:length"}]
    await align(["The tide"], formula_config(weak={"adapter": "my/adapter"}, values=values), record="r.db")


def test_a_value_that_is_no_number_tells_nothing() -> None:
    class Lost(FormulaScorer):
        def score(self, candidates: Sequence[Candidate]) -> list[Score]:
            return [Score(float("nan")) for _ in candidates]

    with pytest.raises(CannotTell):
        self_test(Lost(), KnownTexts(**KNOWN))


async def test_an_adapter_of_ones_own_is_tested_on_the_texts_of_the_recipe(
    formula_config: Callable[..., RunConfig],
) -> None:
    weak = {"adapter": "my/adapter"}
    assert formula_config(weak=weak).known_texts is None
    assert formula_config(weak=weak, self_test=KNOWN).known_texts == KnownTexts(**KNOWN)
