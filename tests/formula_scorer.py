"""A deterministic scorer for tests of the record, Prefect and timing: counts kind words, with a hash to break ties."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from scoring import Candidate, Score, WeakSettings


class FormulaScorer:
    name = "formula"
    scale = "words"
    traits: Mapping[str, str] = {"device": "none"}

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        return [Score(value(c.answer, c.complete), {"words": float(len(c.answer.split()))}) for c in candidates]


def value(answer: str, complete: bool) -> float:
    words = answer.split()
    noise = hashlib.sha256(answer.encode()).digest()[0] / 1000
    return words.count("good") + words.count("kind") - words.count("bad") - words.count("cold") + noise + 0.5 * complete


def open_formula_scorer(settings: WeakSettings) -> FormulaScorer:
    return FormulaScorer()
