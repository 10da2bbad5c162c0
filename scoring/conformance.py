"""What every scorer has to keep, as tests: put one of your own through them.

class TestMine(ScorerConformance):
    def scorer(self) -> Scorer:
        return Mine()
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from scoring.base import Candidate, Score, Scorer

_TEXTS = ("", " is calm.", " is calm. It rises", " is calm.\n\tx = {}", " 海は広い 🌊", " is calm.   ", " is" * 40)


class ScorerConformance(ABC):
    """Subclass it in a test module of pytest's."""

    tolerance = 1e-3
    """How far a value may move with the batch it is in."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """The scorer, ready."""

    def candidates(self) -> Sequence[Candidate]:
        """What it is tried on."""
        return [Candidate("The sea", text, complete) for text in _TEXTS for complete in (False, True)]

    def test_it_says_what_it_is(self) -> None:
        scorer = self.scorer()
        assert scorer.name
        assert scorer.scale
        assert all(isinstance(told, str) for told in scorer.traits.values())

    def test_nothing_has_no_scores(self) -> None:
        assert self.scorer().score([]) == []

    def test_values_and_parts_are_numbers(self) -> None:
        for score in self.scorer().score(self.candidates()):
            assert math.isfinite(score.value)
            assert all(math.isfinite(value) for value in score.parts.values())

    def test_a_batch_is_scored_as_each_by_itself_in_any_order(self) -> None:
        scorer, candidates = self.scorer(), list(self.candidates())
        together = scorer.score(candidates)
        assert self._near(together, [scorer.score([candidate])[0] for candidate in candidates])
        assert self._near(together[::-1], scorer.score(candidates[::-1]))

    def test_the_same_twice_has_the_same_score(self) -> None:
        scorer, first = self.scorer(), self.candidates()[2]
        assert self._near(scorer.score([first]), scorer.score([first, first])[1:])

    def test_every_score_has_the_same_parts(self) -> None:
        assert len({frozenset(score.parts) for score in self.scorer().score(self.candidates())}) == 1

    def _near(self, some: Sequence[Score], others: Sequence[Score]) -> bool:
        return len(some) == len(others) and all(
            math.isclose(one.value, other.value, rel_tol=0, abs_tol=self.tolerance)
            for one, other in zip(some, others, strict=True)
        )
