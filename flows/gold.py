"""Judging final answers by something that no search ever sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

Gold = Literal["vader", "distinct"]
"""Names of gold scorers."""

_WORD = re.compile(r"\w+")


def judge(name: Gold) -> Callable[[str], float]:
    """The gold scorer of prompt + answer: `vader` is VADER's compound sentiment, -1 (worst) to 1 (best); `distinct` is
    distinct-2 (Li et al. 2016, arXiv 1510.03055), the share of word pairs that are not said again, 0 to 1 (best).
    """
    if name == "distinct":
        return _distinct
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return lambda text: float(analyzer.polarity_scores(text)["compound"])


def _distinct(text: str) -> float:
    words = _WORD.findall(text.lower())
    pairs = list(pairwise(words))
    return len(set(pairs)) / len(pairs) if pairs else 1.0
