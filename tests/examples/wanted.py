"""A value for words that are wanted in an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scoring.base import Candidate, Score


class WantedWords:
    """Counts those of the words that an answer holds."""

    name = "wanted"
    scale = "words"

    def __init__(self, words: Sequence[str]) -> None:
        self._words = frozenset(word.lower() for word in words)
        self.traits: Mapping[str, str] = {"words": ", ".join(sorted(self._words))}

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        found = [self._words & {*candidate.answer.lower().split()} for candidate in candidates]
        return [Score(float(len(words))) for words in found]
