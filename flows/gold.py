"""Judging final answers by something that no search ever sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Gold = Literal["vader"]
"""Names of gold scorers."""


def judge(name: Gold) -> Callable[[str], float]:
    """The gold scorer of prompt + answer: `vader` is VADER's compound sentiment, -1 (worst) to 1 (best)."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])
