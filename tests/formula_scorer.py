"""A deterministic scorer for tests of the record, Prefect and timing: counts kind words, with a hash to break ties."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

from scoring import Candidate, Connect, Drafted, Score, ValueSettings, WeakSettings
from tests.formula_api import WORDS


class FormulaScorer:
    name = "formula"
    scale = "words"
    traits: Mapping[str, str] = {"device": "none"}

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        return [Score(value(c.answer, c.complete), {"words": float(len(c.answer.split()))}) for c in candidates]

    def draft(self, prompt: str, max_tokens: int) -> Drafted:
        """As many words as there is room for, or twelve."""
        drawn = [hashlib.sha256(f"{prompt}|{i}".encode()).digest()[0] for i in range(min(max_tokens, 12))]
        single = [word for word in WORDS if "," not in word]
        return Drafted(tuple(single[byte % len(single)] for byte in drawn), max_tokens > 12)


class TellingScorer(FormulaScorer):
    """A pair whose reference gives each word 1/2, and has 3 bits after an answer of no words, 4 after others."""

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        scores = []
        for candidate, score in zip(candidates, super().score(candidates), strict=True):
            words = len(candidate.answer.split())
            parts = {"reference": words * math.log(0.5), "tokens": float(words), "entropy": 4.0 if words else 3.0}
            scores.append(Score(score.value, parts))
        return scores


def value(answer: str, complete: bool) -> float:
    words = answer.split()
    noise = hashlib.sha256(answer.encode()).digest()[0] / 1000
    return words.count("good") + words.count("kind") - words.count("bad") - words.count("cold") + noise + 0.5 * complete


def open_formula_scorer(
    settings: WeakSettings, values: Sequence[ValueSettings] = (), connect: Connect | None = None
) -> FormulaScorer:
    return FormulaScorer()
