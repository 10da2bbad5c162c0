"""Curiosity (COS(M+O)S, arXiv 2501.17104): an answer is worth most where it surprises moderately, and makes sense."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from scoring.base import Candidate, Score
from scoring.ratio import RatioScorer
from scoring.values import CuriosityValue


class Curiosity:
    """Of the surprisal under a weak pair's reference. The pair has read most of it when it scored the same texts."""

    name = "curiosity"
    scale = "1 at best"
    traits: Mapping[str, str] = {}

    def __init__(self, settings: CuriosityValue, pair: RatioScorer) -> None:
        self._settings, self._pair = settings, pair

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """Parts: mean surprisal, and the mean of what tokens exceed the ceiling by, both in nats per token."""
        return [self._score(-log_probs) for log_probs in self._pair.reference_log_probs(candidates)]

    def _score(self, surprisal: torch.Tensor) -> Score:
        of = self._settings
        looked_at = surprisal if of.tokens is None else surprisal[-of.tokens :]
        if not len(looked_at):
            return Score(0.0, {"surprisal": 0.0, "incoherence": 0.0})
        mean = looked_at.mean().item()
        incoherence = (looked_at - of.ceiling).clamp(min=0).mean().item()
        curiosity = math.exp(-((mean - of.mean) ** 2) / (2 * of.deviation**2))
        return Score(curiosity - of.penalty * incoherence, {"surprisal": mean, "incoherence": incoherence})
