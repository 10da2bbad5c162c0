"""The simulation of docs/scaling.md: it keeps to what bounds it, and foretells small runs on the loopback API."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.bench import Bench
from tests.benchmarks.capacity import INSTANT, Case, Measured, Runs, compared
from tests.benchmarks.capacity_model import Costs, Latency, Scoring, Setting, Work, seconds

FREE = Costs(0.0, 0.0)
ALIKE = Latency(0.5, variation=0.0)


@pytest.mark.parametrize(
    ("costs", "setting", "expected"),
    [
        (FREE, Setting(4, ALIKE), 10 * 3 * 0.5),  # 40 searches in ten rounds
        (FREE, Setting(40, INSTANT, Scoring(candidate=0.01)), 40 * 3 * 2 * 0.01),
        (FREE, Setting(40, INSTANT, per_minute=600), (40 * 3 - 1) * 0.1),
        (Costs(0.02, 0.1), Setting(40, INSTANT), 40 * (0.1 + 3 * 0.02)),
        (Costs(0.0, 0.0, 0.01, 0.2), Setting(1, INSTANT), 40 * (0.2 + 3 * 0.01)),
    ],
)
def test_one_bound_alone_is_what_a_run_takes(costs: Costs, setting: Setting, expected: float) -> None:
    assert seconds(40, Work(3, 2), costs, setting) == pytest.approx(expected)


_small = st.floats(0.0, 0.1)


@given(st.integers(1, 12), st.integers(1, 8), st.floats(1.0, 6.0), _small, _small, _small, _small)
def test_no_run_is_faster_than_what_bounds_it(
    searches: int, at_once: int, calls: float, call: float, search: float, mean: float, candidate: float
) -> None:
    work, costs = Work(calls, 2), Costs(call, search)
    made = sum(work.made(searches))
    took = seconds(searches, work, costs, Setting(at_once, Latency(mean), Scoring(candidate=candidate)))
    assert took >= max(searches * search + made * call, made * 2 * candidate) - 1e-9
    wider = seconds(searches, work, costs, Setting(searches, Latency(mean), Scoring(candidate=candidate)))
    assert wider <= took * 1.5 + 0.1  # more at once never costs much: queues differ in order alone


@given(st.integers(1, 50), st.floats(0.0, 9.0))
def test_searches_make_as_many_calls_as_they_should(searches: int, calls: float) -> None:
    made = Work(calls, 1).made(searches)
    assert len(made) == searches
    assert abs(sum(made) - calls * searches) < 1


async def test_small_runs_take_what_was_predicted(tmp_path: Path) -> None:
    # Bound from outside, so that a busy machine changes little.
    runs, costs = Runs(str(tmp_path)), Measured(Costs(0.01, 0.02), 0.0, 0.0, 0.0)
    cases = [
        Case("the quota", 8, Setting(8, Latency(0.1), per_minute=600)),
        Case("the scorer", 8, Setting(8, Latency(0.1), Scoring(candidate=0.05))),
    ]
    for case in cases:
        found = await compared(runs, case, costs, Bench.carry_out)
        assert abs(found.off) < 0.5, found
