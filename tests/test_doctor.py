"""The figures of a weak pair: what they say of scorers whose worth is known, and of the built-in pair."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from flows.doctor import CannotJudge, diagnose
from flows.intervals import bootstrap, correlation, correlation_sums, ratio, slope
from flows.tables import diagnosis_table
from scoring import Candidate, Sample

DRAW = random.Random(3)
SAMPLES = [
    Sample(prompt=f"prompt {i}", text=f" text {i} {j}", gold=DRAW.uniform(-1, 1)) for i in range(40) for j in range(8)
]
GOLD = {sample.text: sample.gold for sample in SAMPLES}


class Knowing:
    """A scorer whose value is a function of the gold, spread evenly over ten tokens."""

    def __init__(self, value: Callable[[float], float]) -> None:
        self._value = value

    def token_ratios(self, candidates: Sequence[Candidate]) -> list[list[float]]:
        return [[self._value(GOLD[c.answer]) / 10] * 10 for c in candidates]


def test_a_pair_that_knows_gold_has_perfect_figures() -> None:
    found = diagnose(SAMPLES, Knowing(lambda gold: 5 * gold - 20), margin=0.4)
    for figure in (found.accuracy, found.pooled, found.within, found.closed):
        assert (figure.value, figure.low, figure.high) == pytest.approx((1, 1, 1))
    assert found.guides and (found.prompts, found.texts) == (40, 320)
    assert found.better.value == pytest.approx(np.mean([5 * g - 20 for g in above_the_mean()]))
    assert found.slope.value == pytest.approx(found.better.value / 10)


def above_the_mean() -> list[float]:
    golds = np.array([sample.gold for sample in SAMPLES]).reshape(40, 8)
    return list(golds[golds > golds.mean(axis=1, keepdims=True)])


def test_a_pair_that_knows_nothing_does_not_guide() -> None:
    draw = random.Random(5)
    found = diagnose(SAMPLES, Knowing(lambda _: draw.uniform(-1, 1)), margin=0.4)
    assert not found.guides
    for figure, nothing in ((found.accuracy, 0.5), (found.pooled, 0), (found.within, 0), (found.closed, 0)):
        assert figure.low < nothing < figure.high


def test_a_pair_that_prefers_the_worse_is_seen() -> None:
    found = diagnose(SAMPLES, Knowing(lambda gold: -gold), margin=0.4)
    assert found.accuracy.value == 0 and found.pooled.value == pytest.approx(-1)
    assert found.closed.high < 0 and not found.guides


def test_within_prompts_is_not_fooled_by_prompts_that_differ() -> None:
    """Values that tell the prompts apart but not their texts: a correlation, and no guidance."""
    mean = {s.prompt: np.mean([t.gold for t in SAMPLES if t.prompt == s.prompt]) for s in SAMPLES}
    draw = random.Random(6)

    class OfPrompts:
        def token_ratios(self, candidates: Sequence[Candidate]) -> list[list[float]]:
            return [[100 * float(mean[c.prompt]) + draw.uniform(-1, 1)] for c in candidates]

    found = diagnose(SAMPLES, OfPrompts(), margin=0.4)
    assert found.pooled.low > 0.2
    assert found.within.low < 0 < found.within.high and not found.guides


def test_pairs_closer_than_the_margin_do_not_count() -> None:
    few, many = (diagnose(SAMPLES, Knowing(float), margin=margin).pairs for margin in (1.5, 0.1))
    apart = [abs(a.gold - b.gold) >= 1.5 for i, a in enumerate(SAMPLES) for b in SAMPLES[:i] if a.prompt == b.prompt]
    assert few == sum(apart) < many


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (SAMPLES[:8], "1 of 1 prompts have two texts or more"),
        (SAMPLES[::8], "0 of 40 prompts"),
        ([s.model_copy(update={"gold": 0.5}) for s in SAMPLES], "no two texts of a prompt are 0.4 of gold apart"),
    ],
)
def test_samples_without_anything_to_compare_are_refused(samples: list[Sample], told: str) -> None:
    with pytest.raises(CannotJudge, match=told):
        diagnose(samples, Knowing(float), margin=0.4)


def test_a_pair_that_tells_nothing_apart_gains_nothing_whatever_the_order_of_the_file() -> None:
    best_first = sorted(SAMPLES, key=lambda sample: -sample.gold)
    found = diagnose(best_first, Knowing(lambda _: 0.0), margin=0.4)
    assert found.closed.value == pytest.approx(0) and found.accuracy.value == 0.5 and found.alike and not found.guides
    told = found.to_json()
    assert told["pooled"] == {"value": None, "low": None, "high": None}  # undefined, and JSON has no NaN
    json.dumps(told, allow_nan=False)


def test_of_a_pair_that_tells_nothing_apart_no_figure_is_printed_that_is_none() -> None:
    for samples in (SAMPLES, SAMPLES[: 19 * 8]):
        table = diagnosis_table(diagnose(samples, Knowing(lambda _: 0.0), margin=0.4))
        assert "values all texts of a prompt alike" in str(table.caption)
        assert "nan" not in "".join(str(cell) for column in table.columns for cell in column.cells)
    assert not diagnose(SAMPLES, Knowing(float), margin=0.4).alike


def test_few_prompts_bring_figures_and_no_verdict() -> None:
    found = diagnose(SAMPLES[: 19 * 8], Knowing(float), margin=0.4)
    assert found.accuracy.value == 1 and found.guides is None


def test_figures_hold_far_from_zero() -> None:
    far = [sample.model_copy(update={"gold": sample.gold + 1e8}) for sample in SAMPLES]
    near, there = (diagnose(samples, Knowing(lambda gold: gold**3), margin=0.4) for samples in (SAMPLES, far))
    assert there.pooled.value == pytest.approx(near.pooled.value, abs=1e-4)


def test_figures_of_sums_are_those_of_the_numbers() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(30, 8))
    y = 0.5 * x + draw.normal(size=(30, 8))
    sums = np.array([correlation_sums(a, b) for a, b in zip(x, y, strict=True)])
    assert correlation(sums.sum(axis=0)) == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1])
    assert slope(sums.sum(axis=0)) == pytest.approx(np.polyfit(x.ravel(), y.ravel(), 1)[0])


def test_intervals_hold_what_they_should_about_19_times_in_20() -> None:
    draw = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        numbers = draw.normal(loc=1.0, size=60)
        found = bootstrap(np.stack([numbers, np.ones(60)], axis=1), ratio)
        assert found.low < found.value < found.high
        held += found.low <= 1.0 <= found.high
    assert 180 <= held <= 198
