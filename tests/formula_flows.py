"""The flows as processes of Prefect load them in tests: they score by formula."""

from __future__ import annotations

from flows import bench
from flows.flow import align_flow
from flows.scheduled import align_new
from tests.formula_scorer import open_formula_scorer

bench.open_scorer = open_formula_scorer  # type: ignore[attr-defined]

__all__ = ["align_flow", "align_new"]
