"""A comparison as a picture: quality against budget, and gold against log-ratio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.compare import Line, Row

_BINS = 5


def draw(lines: Sequence[Line], rows: Sequence[Row], path: Path) -> None:
    """Left: mean gold against generated tokens, with 95% intervals. Right: gold of each answer against its log-ratio,
    with the means of a method's fifths: where they fall while the log-ratio rises, the search exploits its proxy.
    """
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    methods = list(dict.fromkeys(line.method for line in lines))
    colours = {method: f"C{number}" for number, method in enumerate(methods)}
    for method in methods:
        mine = [line for line in lines if line.method == method]
        _quality(left, mine, method, colours[method])
        answers = [(row.value, row.gold) for row in rows if row.method == method and row.gold is not None]
        _proxy(right, np.array([pair for pair in answers if pair[0] is not None], dtype=float), colours[method])
    left.set(xlabel="strong tokens generated per prompt", ylabel="mean gold", title="quality against budget")
    left.set_xscale("log", base=2)
    left.legend()
    right.set(xlabel="log-ratio of the answer, nats", ylabel="gold", title="gold against log-ratio")
    figure.savefig(path, dpi=120)


def _quality(axes: Axes, lines: Sequence[Line], method: str, colour: str) -> None:
    tokens, gold = [line.tokens for line in lines], [line.gold.value for line in lines]
    below = [line.gold.value - line.gold.low for line in lines]
    above = [line.gold.high - line.gold.value for line in lines]
    axes.errorbar(tokens, gold, yerr=[below, above], label=method, color=colour, marker="o", capsize=3)


def _proxy(axes: Axes, answers: np.ndarray, colour: str) -> None:
    if not len(answers):
        return
    axes.scatter(answers[:, 0], answers[:, 1], s=6, alpha=0.25, color=colour, linewidths=0)
    ordered = answers[answers[:, 0].argsort()]
    fifths = [part.mean(axis=0) for part in np.array_split(ordered, _BINS) if len(part)]
    axes.plot(*np.array(fifths).T, color=colour, marker="o")
