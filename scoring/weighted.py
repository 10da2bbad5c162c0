"""The value of an answer as a weighted sum: the weak pair's log-ratio, and what else it is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from scoring.base import Candidate, Drafted, Score, Scorer, Steers, drafter, steerer
from scoring.coherence import Coherence
from scoring.curiosity import Curiosity
from scoring.function import FunctionScorer
from scoring.ratio import RatioScorer
from scoring.reward import RewardScorer
from scoring.settings import WeakSettings
from scoring.values import PAIR, CoherenceValue, CuriosityValue, FunctionValue, RewardValue, ValueSettings, value_name


class Part(NamedTuple):
    """A scorer under the name that its part has on record, and what it is multiplied by."""

    name: str
    weight: float
    scorer: Scorer


class WeightedSum:
    """The first scorer's value, with each part's added at its weight.

    On record are each part's value under its name, and what it is made of under `name.part`; those of the first scorer
    keep their own names: the weak model's entropy and prior are looked for there.
    """

    name = "weighted_sum"
    scale = "weighted sum"

    def __init__(self, first: Scorer, parts: Sequence[Part]) -> None:
        self._first, self._parts = first, tuple(parts)
        self.traits: Mapping[str, str] = dict(first.traits) | {
            f"{part.name}.{trait}": told
            for part in parts
            for trait, told in {"scale": part.scorer.scale, **part.scorer.traits}.items()
        }

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """One score per candidate, in order; raises ScoringError."""
        firsts = self._first.score(candidates)
        values = [score.value for score in firsts]
        parts = [{**score.parts, PAIR: score.value} for score in firsts]
        for name, weight, scorer in self._parts:
            for i, score in enumerate(scorer.score(candidates)):
                values[i] += weight * score.value
                parts[i] |= {name: score.value} | {f"{name}.{part}": value for part, value in score.parts.items()}
        return [Score(value, of) for value, of in zip(values, parts, strict=True)]

    def draft(self, prompt: str, max_tokens: int) -> Drafted:
        """The weak pair's. Raises ScoringError where it gives none."""
        return drafter(self._first).draft(prompt, max_tokens)

    def steering(self) -> Steers:
        """The weak pair's: what else an answer is worth is known of answers alone. Raises ScoringError as above."""
        return steerer(self._first).steering()


OpenPair = Callable[[WeakSettings], RatioScorer]


def weighted_sum(pair: RatioScorer, values: Sequence[ValueSettings], open_pair: OpenPair) -> WeightedSum:
    """The pair's log-ratio with these added. Raises WeakModelMissing, PairDisagrees, BadValue."""
    return WeightedSum(
        pair, [Part(value_name(value), value.weight, _opened(value, pair, open_pair)) for value in values]
    )


def _opened(value: ValueSettings, pair: RatioScorer, open_pair: OpenPair) -> Scorer:
    match value:
        case CuriosityValue():
            return Curiosity(value, pair)
        case CoherenceValue():
            return Coherence(value, pair)
        case RewardValue():
            return RewardScorer(value)
        case FunctionValue():
            return FunctionScorer(value)
        case _:
            return open_pair(value)
