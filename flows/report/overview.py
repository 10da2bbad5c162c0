"""What a report tells of a run as a whole: figures, answers side by side, what the probe found."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flows.config import RunConfig
from flows.examine import Examination
from flows.plan import config_of
from flows.run import Answer, summarize
from store import Record, RunRow, SearchCost, SearchRow

Data = dict[str, Any]
"""As it is embedded: JSON."""


def overview(record: Record, run: RunRow) -> Data:
    """The run's figures, and its answers: a row for each prompt (and seed), a cell for each method, base first.

    `price` in nano-dollars, none where it is not known; `seconds` at work, summed over searches.
    """
    config, rows, costs = config_of(run), record.searches(run.id), record.costs(run.id)
    summary = summarize(record, run.id, config)
    methods = _methods(rows)
    return {
        "run": run.id,
        "name": run.name,
        "begun": datetime.fromtimestamp(run.created / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "finished": summary.finished,
        "statuses": dict(run.statuses),
        "prompts": len({(row.prompt, row.occurrence) for row in rows}),
        "gold": config.gold,
        "scale": run.finding.get("weak", {}).get("scale", ""),
        "totals": vars(summary.totals) | {"seconds": sum(cost.seconds for cost in costs.values())},
        "methods": [_figures(name, summary.answers, rows, costs) for name in methods],
        "rows": _side_by_side(rows, methods),
        "searches": [
            _search(row, answer, costs[row.id]) for row, answer in zip(rows, summary.answers, strict=True)
        ],
        "warnings": list(summary.warnings),
        "probe": _probe(config, run),
        "config": dict(run.config),
        "versions": dict(run.versions),
    }  # fmt: skip


def _methods(rows: Sequence[SearchRow]) -> list[str]:
    """What the run's methods are called; those that guide nothing come first."""
    base_first = sorted(rows, key=lambda row: row.method_config["name"] != "base")
    return list(dict.fromkeys(row.method for row in base_first))


def _figures(
    method: str, answers: Iterable[Answer], rows: Sequence[SearchRow], costs: Mapping[str, SearchCost]
) -> Data:
    mine = [answer for answer in answers if answer.method == method]
    took = [costs[row.id] for row in rows if row.method == method]
    return {
        "method": method,
        "searches": len(mine),
        "done": sum(answer.status == "done" for answer in mine),
        "value": _mean(answer.value for answer in mine),
        "gold": _mean(answer.gold for answer in mine),
        "nodes": sum(cost.nodes for cost in took),
        "calls": sum(cost.calls for cost in took),
        "output_tokens": sum(cost.output_tokens for cost in took),
        "seconds": sum(cost.seconds for cost in took),
    }


def _side_by_side(rows: Sequence[SearchRow], methods: Sequence[str]) -> list[Data]:
    """`cells`: the number of the search (from 0) by each method, in their order; none where there is none."""
    found: dict[tuple[str, int, int], list[int | None]] = {}
    for number, row in enumerate(rows):
        cells = found.setdefault((row.prompt, row.occurrence, row.seed), [None] * len(methods))
        cells[methods.index(row.method)] = number
    return [{"prompt": prompt, "seed": seed, "cells": cells} for (prompt, _, seed), cells in found.items()]


def _search(row: SearchRow, answer: Answer, cost: SearchCost) -> Data:
    told = {"id": row.id} | vars(answer) | vars(cost)
    del told["search_id"]
    return told


def _probe(config: RunConfig, run: RunRow) -> list[tuple[str, str]]:
    """What was looked at, and what was seen."""
    found = run.finding.get("strong", {})
    try:
        told = dict(Examination(config.strong.model, found, run.prices or None, None, ()).lines())
    except KeyError:  # an older probe noted less
        return [(name, str(seen)) for name, seen in found.items()]
    del told["retired on"]  # a run does not note it, but for a warning
    return [("strong model", config.strong.model), *told.items()]


def _mean(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return statistics.fmean(known) if known else None
