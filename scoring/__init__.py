"""Weak models: what is this partial answer worth? And how one is made that knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.base import Candidate, Connect, Drafted, Likelihoods, Report, Score, Scorer
from scoring.batching import BatchScorer
from scoring.embedded import model_dir
from scoring.errors import (
    AveragingFailed,
    BadPreferences,
    BadValue,
    PairDisagrees,
    ScoringError,
    TuningFailed,
    WeakModelMissing,
)
from scoring.judge import LLMJudge, Opinion, Rubric, read_opinion
from scoring.preferences import Preference, Sample, pair_up, read_samples, write_whole
from scoring.settings import ServedSettings, TuneSettings, WeakSettings
from scoring.values import PAIR, PAIR_PARTS, ValueSettings, value_name

if TYPE_CHECKING:
    from scoring.ratio import RatioScorer
    from scoring.sampling import Sampler

__all__ = [
    "PAIR", "PAIR_PARTS",
    "AveragingFailed",
    "BadPreferences",
    "BadValue",
    "BatchScorer",
    "Candidate",
    "Connect",
    "Drafted",
    "LLMJudge",
    "Likelihoods",
    "Opinion",
    "PairDisagrees",
    "Preference",
    "Report",
    "Rubric",
    "Sample",
    "Score",
    "Scorer",
    "ScoringError",
    "ServedSettings",
    "TuneSettings",
    "TuningFailed",
    "ValueSettings",
    "WeakModelMissing",
    "WeakSettings",
    "average_adapters",
    "model_dir",
    "open_pair",
    "open_sampler",
    "open_scorer",
    "pair_up",
    "read_opinion",
    "read_samples",
    "tune",
    "value_name",
    "write_whole",
]  # fmt: skip


def _not_connected(served: ServedSettings) -> Likelihoods:
    raise WeakModelMissing("nothing here connects to it", where=f"weak pair at {served.api_base}", mend="Give connect")


def open_pair(settings: WeakSettings, connect: Connect = _not_connected) -> RatioScorer:
    """The log-ratio of the weak pair that `settings` name. Imports torch (3 s), and loads the weights or connects to
    their server.
    """
    if settings.served is not None:
        from scoring.served import ServedLogRatio

        return ServedLogRatio(settings, settings.served, connect(settings.served))
    from scoring.log_ratio import LogRatio

    return LogRatio(settings)


def open_scorer(
    settings: WeakSettings, values: Sequence[ValueSettings] = (), connect: Connect = _not_connected
) -> Scorer:
    """What an answer is worth: the log-ratio of the weak pair, and `values` added to it. Loads all that they name."""
    pair = open_pair(settings, connect)
    if not values:
        return pair
    from scoring.weighted import weighted_sum

    return weighted_sum(pair, values, partial(open_pair, connect=connect))


def open_sampler(settings: WeakSettings) -> Sampler:
    """Continuations by the pair's reference. Imports torch (3 s) and loads the weights."""
    from scoring.sampling import Sampler

    return Sampler(settings)


def average_adapters(adapters: Sequence[Path], target: Path, rank: int | None = None) -> dict[str, Any]:
    """Write the mean of adapters as one: see `scoring.averaging.average_adapters`. Imports torch (3 s)."""
    from scoring import averaging

    return averaging.average_adapters(adapters, target, rank)


def tune(
    preferences: Path, target: Path, weak: WeakSettings, settings: TuneSettings, report: Report = lambda *_: None
) -> dict[str, Any]:
    """Tune the pair's reference on a file of preferences: see `scoring.tuning.tune`. Needs the extra `tune`."""
    try:
        from scoring import tuning
    except ImportError as error:
        raise TuningFailed(
            f"the package {error.name} is not installed", where="tune", mend="pip install 'aligntree[tune]'"
        ) from error
    return tuning.tune(preferences, target, weak, settings, report)
