"""Figures with intervals: bootstrap over prompts, since texts of one prompt are not independent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

RESAMPLES = 2000
SEED = 20251114


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% percentile bootstrap interval."""

    value: float
    low: float
    high: float


def bootstrap(sums: Numbers, figure: Callable[[Numbers], Numbers]) -> Interval:
    """`sums` has one row per prompt, and `figure` makes a number of their total (its last axis runs over the columns):
    so a resample of prompts is a weighted total, and all resamples are one product. Seeded; an undefined resample
    (such as a correlation without variance) is left out.
    """
    draws = np.random.default_rng(SEED).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, resampled = float(figure(sums.sum(axis=0))), figure(draws @ sums)
    known = resampled[np.isfinite(resampled)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def correlation_sums(x: Numbers, y: Numbers) -> list[float]:
    """What `correlation` needs of one prompt."""
    return [float(len(x)), x.sum(), y.sum(), x @ x, y @ y, x @ y]


def correlation(sums: Numbers) -> Numbers:
    """Pearson's correlation from sums of n, x, y, xx, yy, xy."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return np.asarray((n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y)))


def slope(sums: Numbers) -> Numbers:
    """Least-squares slope of y over x, from the same sums."""
    n, x, y, xx, _, xy = np.moveaxis(sums, -1, 0)
    return np.asarray((n * xy - x * y) / (n * xx - x * x))


def ratio(sums: Numbers) -> Numbers:
    """The first column over the second."""
    return np.asarray(sums[..., 0] / sums[..., 1])
