"""Judging final answers by something that no search ever sees."""

from __future__ import annotations

from collections.abc import Callable


def judge(name: str | None) -> Callable[[str], float] | None:
    """The gold scorer of prompt + answer: `vader` is VADER's compound sentiment, -1 (worst) to 1 (best)."""
    if name is None:
        return None
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])
