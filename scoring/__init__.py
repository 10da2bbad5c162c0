"""Weak models: what is this partial answer worth?"""

from __future__ import annotations

from scoring.base import Candidate, Score, Scorer
from scoring.errors import ScoringError, WeakModelMissing
from scoring.settings import WeakSettings

__all__ = ["Candidate", "Score", "Scorer", "ScoringError", "WeakModelMissing", "WeakSettings", "open_scorer"]


def open_scorer(settings: WeakSettings) -> Scorer:
    """The log-ratio of the weak pair that `settings` name. Imports torch (3 s) and loads the weights."""
    from scoring.log_ratio import LogRatio

    return LogRatio(settings)
