"""A comparison as a picture: quality against budget, and gold against log-ratio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from flows.compare import Line, Row


def draw(lines: Sequence[Line], rows: Sequence[Row], path: Path) -> None:
    """Left: mean gold against generated tokens, with 95% intervals. Right: gold against log-ratio, a dot for each
    answer and the means of each method from budget to budget: where a line goes right and down, the search exploits its
    proxy.
    """
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, method in enumerate(dict.fromkeys(line.method for line in lines)):
        colour, mine = f"C{number}", [line for line in lines if line.method == method]
        gold = [line.gold.value for line in mine]
        errors = [[max(g.value - g.low, 0) for g in (line.gold for line in mine)]]  # rounding may turn them negative
        errors.append([max(g.high - g.value, 0) for g in (line.gold for line in mine)])
        tokens = [line.tokens for line in mine]
        left.errorbar(tokens, gold, yerr=errors, label=method, color=colour, marker="o", capsize=3)
        judged = [row for row in rows if row.method == method and row.gold is not None and row.value is not None]
        right.scatter([row.value for row in judged], [row.gold for row in judged], s=6, alpha=0.2, color=colour, lw=0)
        right.plot([line.value for line in mine], gold, color=colour, marker="o", markeredgecolor="black")
    left.set(xlabel="strong tokens generated per prompt", ylabel="mean gold", title="quality against budget")
    left.set_xscale("log", base=2)
    left.legend()
    right.set(xlabel="log-ratio of the answer, nats", ylabel="gold", title="gold against log-ratio")
    figure.savefig(path, dpi=120)
