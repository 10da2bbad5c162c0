"""Can a weak pair guide? Its log-ratios against gold, on texts of the strong model that it would guide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flows.errors import FlowError
from flows.intervals import Interval, Numbers, bootstrap, correlation, correlation_sums, ratio, slope
from scoring import Candidate, Report, Sample, read_samples


class CannotJudge(FlowError):
    """Samples that no figure can be made of."""

    exit_status = 2


class TokenScorer(Protocol):
    """What `diagnose` needs of a weak pair."""

    def token_ratios(self, candidates: Sequence[Candidate]) -> list[list[float]]: ...


@dataclass(frozen=True)
class Diagnosis:
    """What a weak pair's log-ratio V says about gold. Intervals are 95%, by bootstrap over prompts.

    accuracy: share of pairs of a prompt's texts, `margin` of gold apart at least, that V orders as gold does.
    pooled, within: correlation of V and gold over all texts, and of their deviations from the prompt's means.
    mean, picked, best: gold of a prompt's texts on average, of the one with the highest V, of the best by gold.
    closed: (picked - mean) / (best - mean), of the means over prompts.
    better, worse: mean V, nats, of texts with gold above and below their prompt's mean.
    slope: nats per weak token by which V of the better texts changes along the text (least squares over prefixes).
    alike: V is the same for all texts of each prompt, and correlations are no numbers.
    """

    prompts: int
    texts: int
    pairs: int
    margin: float
    accuracy: Interval
    pooled: Interval
    within: Interval
    mean: Interval
    picked: Interval
    best: Interval
    closed: Interval
    better: Interval
    worse: Interval
    slope: Interval
    alike: bool

    @property
    def guides(self) -> bool | None:
        """Best-of-n by the pair gains gold, or it does not; none where there are too few prompts to tell."""
        return None if self.prompts < ENOUGH and not self.alike else self.closed.low > 0

    def figures(self) -> list[tuple[str, Interval, str]]:
        """Each figure's name, itself, and what it says."""
        n = round(self.texts / self.prompts)
        return [
            ("preference accuracy", self.accuracy, f"of {self.pairs} pairs with gold {self.margin:g} apart or more"),
            ("correlation, pooled", self.pooled, f"of log-ratio and gold, over {self.texts} texts"),
            ("correlation, within", self.within, f"the same, within each of {self.prompts} prompts"),
            ("mean gold", self.mean, "of a text taken blindly"),
            (f"best of {n} by log-ratio", self.picked, "gold of the text that the pair would take"),
            (f"best of {n} by gold", self.best, "what nobody can beat"),
            ("gap closed", self.closed, "share of the way from blind to best"),
            ("log-ratio, better texts", self.better, "nats; far below 0 keeps a best-first search shallow"),
            ("log-ratio, worse texts", self.worse, "nats"),
            ("slope, better texts", self.slope, "nats per weak token along the text"),
        ]

    def to_json(self) -> dict[str, Any]:
        def known(value: Any) -> Any:
            """JSON has no NaN."""
            if isinstance(value, dict):
                return {key: known(inner) for key, inner in value.items()}
            return None if isinstance(value, float) and not math.isfinite(value) else value

        return {**known(asdict(self)), "guides": self.guides}


ENOUGH = 20
"""Prompts below which bootstrap intervals are too narrow to trust."""

_AT_ONCE = 64
HELD_OUT = "held_out"
"""The name of the built-in samples: the embedded strong model's answers to `flows/data/held_out.txt`."""


def samples_of(name: str) -> list[Sample]:
    """Samples from a JSONL file, or the built-in ones by name; raises BadPreferences."""
    if name == HELD_OUT:
        with as_file(files("flows") / "data" / f"{HELD_OUT}.jsonl") as file:
            return read_samples(file)
    return read_samples(Path(name))


def by_prompt(samples: Sequence[Sample], margin: float) -> list[list[Sample]]:
    """Samples of each prompt that has two or more. Raises CannotJudge where no figure can be made of them."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.prompt, []).append(sample)
    groups = [group for group in found.values() if len(group) > 1]
    if len(groups) < 2:
        raise CannotJudge(
            f"{len(groups)} of {len(found)} prompts have two texts or more",
            where="samples",
            mend="Give several texts of many prompts",
        )
    if not any(_pairs(np.array([sample.gold for sample in group]), margin)[0].size for group in groups):
        raise CannotJudge(
            f"no two texts of a prompt are {margin:g} of gold apart", where="samples", mend="Lower --margin"
        )
    return groups


def diagnose(
    samples: Sequence[Sample], scorer: TokenScorer, margin: float, report: Report = lambda *_: None
) -> Diagnosis:
    """Score all samples and compare with their gold; `report` is told texts done and in all. Raises CannotJudge."""
    groups = by_prompt(samples, margin)
    candidates = [Candidate(sample.prompt, sample.text, sample.complete) for group in groups for sample in group]
    curves: list[Numbers] = []
    for at in range(0, len(candidates), _AT_ONCE):
        found = scorer.token_ratios(candidates[at : at + _AT_ONCE])
        curves += [np.cumsum(ratios) if ratios else np.zeros(1) for ratios in found]
        report(len(curves), len(candidates), None)
    ends = np.cumsum([len(group) for group in groups]).tolist()
    return _figures(
        [np.array([sample.gold for sample in group]) for group in groups],
        [curves[end - len(group) : end] for group, end in zip(groups, ends, strict=True)],
        margin,
    )


def _figures(golds: list[Numbers], curves: list[list[Numbers]], margin: float) -> Diagnosis:
    values = [np.array([curve[-1] for curve in group]) for group in curves]
    both = list(zip(values, golds, strict=True))
    middle, average = np.concatenate(values).mean(), np.concatenate(golds).mean()  # sums of squares cancel far from 0
    ordered = np.array([_ordered(v, g, margin) for v, g in both])
    # Columns: mean, picked (by chance among equal values), best, picked - mean, best - mean, 1.
    picks = np.array(
        [[m, p, b, p - m, b - m, 1] for m, p, b in ((g.mean(), g[v == v.max()].mean(), g.max()) for v, g in both)]
    )
    better = [v[g > g.mean()] for v, g in both]
    worse = [v[g < g.mean()] for v, g in both]
    along = [
        _along([curve for curve, above in zip(group, g > g.mean(), strict=True) if above])
        for group, g in zip(curves, golds, strict=True)
    ]
    return Diagnosis(
        prompts=len(golds), texts=sum(map(len, golds)), pairs=int(ordered[:, 1].sum()), margin=margin,
        accuracy=bootstrap(ordered, ratio),
        pooled=bootstrap(np.array([correlation_sums(v - middle, g - average) for v, g in both]), correlation),
        within=bootstrap(np.array([correlation_sums(v - v.mean(), g - g.mean()) for v, g in both]), correlation),
        mean=bootstrap(picks[:, [0, 5]], ratio), picked=bootstrap(picks[:, [1, 5]], ratio),
        best=bootstrap(picks[:, [2, 5]], ratio), closed=bootstrap(picks[:, [3, 4]], ratio),
        better=bootstrap(np.array([[v.sum(), len(v)] for v in better]), ratio),
        worse=bootstrap(np.array([[v.sum(), len(v)] for v in worse]), ratio),
        slope=bootstrap(np.array(along), slope), alike=all(v.min() == v.max() for v in values),
    )  # fmt: skip


def _pairs(golds: Numbers, margin: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the better and of the worse text of each pair that is `margin` of gold apart."""
    apart = golds[:, None] - golds[None, :]
    better, worse = np.nonzero((apart > 0) & (apart >= margin))
    return better, worse


def _ordered(values: Numbers, golds: Numbers, margin: float) -> list[float]:
    """Pairs that V orders as gold does (a tie is half), and all pairs."""
    better, worse = _pairs(golds, margin)
    ahead = values[better] - values[worse]
    return [float((ahead > 0).sum() + 0.5 * (ahead == 0).sum()), float(len(better))]


def _along(curves: list[Numbers]) -> list[float]:
    """Sums over all prefixes of these texts: V against tokens."""
    tokens = [np.arange(1.0, len(curve) + 1) for curve in curves]
    return correlation_sums(*(np.concatenate(part) if part else np.zeros(0) for part in (tokens, curves)))
