"""Coherence: an answer that its prompt makes likelier hangs together with it, and one that says all twice does not.

Fit is pointwise mutual information, as in maximum mutual information decoding (Li et al. 2016, arXiv 1510.03055), here
per token; repetition is seq-rep-4 of unlikelihood training (Welleck et al. 2020, arXiv 1908.04319), here of words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from scoring.base import Candidate, Score
from scoring.ratio import RatioScorer
from scoring.values import CoherenceValue

_N = 4
_WORD = re.compile(r"\w+")


class Coherence:
    """Under a weak pair's reference, which reads each answer once more, without its prompt."""

    name = "coherence"
    scale = "nats per token"
    traits: Mapping[str, str] = {}

    def __init__(self, settings: CoherenceValue, pair: RatioScorer) -> None:
        self._settings, self._pair = settings, pair

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """Parts: fit, in nats per token, and repetition, a share from 0 to 1."""
        alone = [replace(candidate, prompt="") for candidate in candidates]
        read = self._pair.reference_log_probs([*candidates, *alone])
        pairs = zip(candidates, read[: len(alone)], read[len(alone) :], strict=True)
        return [self._score(fit(after, without), repetition(c.prompt, c.answer)) for c, after, without in pairs]

    def _score(self, fits: float, repeats: float) -> Score:
        of = self._settings
        value = min(fits, of.enough) - of.repetition * repeats
        return Score(value, {"fit": fits, "repetition": repeats})


def fit(after: torch.Tensor, without: torch.Tensor) -> float:
    """Mean of log p(token | prompt, answer before) - log p(token | answer before), nats, over the tokens that both
    readings tell: without a prompt the first has nothing before it.
    """
    both = min(len(after), len(without))
    return (after[-both:] - without[-both:]).mean().item() if both else 0.0


def repetition(prompt: str, answer: str) -> float:
    """Share of the answer's runs of four words that stand before in prompt or answer; 0 where it has fewer words."""
    before, words = _WORD.findall(prompt.lower()), _WORD.findall(answer.lower())
    whole, seen, repeated = before + words, set[tuple[str, ...]](), 0
    for at in range(len(whole) - _N + 1):
        run = tuple(whole[at : at + _N])
        repeated += at >= len(before) and run in seen
        seen.add(run)
    own = len(words) - _N + 1
    return repeated / own if own > 0 else 0.0
