"""Methods against each other at equal budgets of generated strong tokens: the plan, rows off the record, figures."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from flows.config import RunConfig, parse_config
from flows.errors import BadConfig, FlowError
from flows.intervals import Interval, bootstrap, ratio
from flows.methods import AlignTreeConfig, BeamConfig, BestOfNConfig, MethodConfig
from flows.run import Summary
from store import Record

_AT = " @"


class BadRows(FlowError):
    """A file of rows that compare did not write, or rows of which no figure can be made."""

    exit_status = 2


@dataclass(frozen=True)
class Row:
    """One search: what it came to, and what it took. `answers` is its budget in whole answers; `tokens` were generated,
    `input_tokens` billed. `value` is the scorer's, `gold` the judge's; none where there is no answer.
    """

    prompt: str
    method: str
    answers: int
    seed: int
    status: str
    gold: float | None
    value: float | None
    complete: bool
    tokens: int
    input_tokens: int
    calls: int
    nodes: int
    seconds: float
    why: str
    answer: str
    run: str
    search: str


@dataclass(frozen=True)
class Line:
    """A method at a budget. Means over searches; `gain` is of gold over the method it is held against, pair by pair of
    searches of the same prompt and seed. `whole`: share of searches with a whole answer.
    """

    method: str
    answers: int
    searches: int
    gold: Interval
    gain: Interval | None
    value: float
    tokens: float
    input_tokens: float
    calls: float
    seconds: float
    whole: float


def at_budgets(config: RunConfig, answers: Sequence[int]) -> RunConfig:
    """The recipe with each of its methods at each budget, in whole answers of sampling.max_tokens tokens.

    best_of_n: as many answers; beam: W = answers / K; every method has the budget as its limit of tokens, in place of
    iterations. base is one answer at any budget. Raises BadConfig where no gold is set.
    """
    if config.gold is None:
        raise BadConfig("is not set: nothing to compare answers by", where="gold", mend="Set gold, such as gold: vader")
    methods: dict[str, dict[str, Any]] = {}
    for budget in answers:
        for method in config.methods:
            at = _at(method, budget, budget * config.sampling.max_tokens)
            methods[at["label"]] = at
    return parse_config(config.model_dump() | {"methods": list(methods.values())}, "to compare")


def _at(method: MethodConfig, answers: int, tokens: int) -> dict[str, Any]:
    own: dict[str, Any] = {}
    match method:
        case BestOfNConfig():
            own = {"n": answers}
        case BeamConfig():
            own = {"width": max(answers // method.children, 1)}
        case AlignTreeConfig():
            pass
        case _:
            return method.model_dump() | {"label": f"{method.called}{_AT}1"}
    limits = method.limits.model_dump() | {"tokens": tokens, "iterations": None}
    return method.model_dump() | own | {"label": f"{method.called}{_AT}{answers}", "limits": limits}


def rows_of(record: Record, summary: Summary) -> list[Row]:
    """A run's searches. Raises BadRows where the run is no comparison."""
    costs = record.costs(summary.run_id)
    rows = []
    for found in summary.answers:
        method, at, answers = found.method.rpartition(_AT)
        if not at or not answers.isdecimal():
            raise BadRows("is no comparison", where=f"run {summary.run_id}", mend="Begin one with aligntree compare")
        cost = costs[found.search_id]
        rows.append(
            Row(
                found.prompt, method, int(answers), found.seed, found.status, found.gold, found.value, found.complete,
                cost.output_tokens, cost.input_tokens, cost.calls, cost.nodes, cost.seconds, found.why, found.text,
                summary.run_id, found.search_id,
            )
        )  # fmt: skip
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """As CSV, one line of headings first."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Rows that `write_rows` wrote. Raises BadRows, naming file and line."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_row(told, f"{path}, row {number}") for number, told in enumerate(csv.DictReader(file), 1)]
    except (OSError, UnicodeDecodeError) as error:
        raise BadRows(f"cannot be read: {error}", where=str(path), mend="Give rows.csv of a comparison") from error


_ROW = TypeAdapter(Row)


def _row(told: Mapping[str, str | None], where: str) -> Row:
    try:
        return _ROW.validate_python(dict(told) | {name: told.get(name) or None for name in ("gold", "value")})
    except ValidationError as error:
        wrong = ", ".join(str(problem["loc"][0]) for problem in error.errors(include_url=False)[:4])
        raise BadRows(
            f"is no row of a comparison: {wrong}", where=where, mend="Give rows.csv as aligntree compare wrote it"
        ) from None


def figures(rows: Sequence[Row], against: str = "base") -> list[Line]:
    """A line for each method and budget, in their order; of a search that is in several files its first row counts."""
    known = list({row.search: row for row in reversed(rows) if row.gold is not None}.values())[::-1]
    other = {(row.answers, row.prompt, row.seed): row for row in known if row.method == against}
    budgets = {answers for answers, _, _ in other}
    found: dict[tuple[str, int], list[Row]] = {}
    for row in known:
        found.setdefault((row.method, row.answers), []).append(row)
    if not found:
        raise BadRows("no search has an answer yet", where="rows", mend="Let the run go on: aligntree resume")
    lines = []
    for (method, answers), mine in sorted(found.items(), key=lambda item: item[0][1]):
        at = answers if answers in budgets else min(budgets, default=0)
        pairs = [(row, other[at, row.prompt, row.seed]) for row in mine if (at, row.prompt, row.seed) in other]
        gains = [(row.prompt, (row.gold or 0) - (base.gold or 0)) for row, base in pairs]
        lines.append(
            Line(
                method, answers, len(mine), _mean([(row.prompt, row.gold or 0) for row in mine]),
                _mean(gains) if gains and method != against else None,
                fmean(row.value or 0 for row in mine), fmean(row.tokens for row in mine),
                fmean(row.input_tokens for row in mine), fmean(row.calls for row in mine),
                fmean(row.seconds for row in mine), fmean(row.complete for row in mine),
            )
        )  # fmt: skip
    return lines


def _mean(numbers: Sequence[tuple[str, float]]) -> Interval:
    """The mean, with an interval by bootstrap over prompts: searches of one prompt are not independent."""
    by_prompt: dict[str, list[float]] = {}
    for prompt, number in numbers:
        by_prompt.setdefault(prompt, []).append(number)
    return bootstrap(np.array([[sum(of), len(of)] for of in by_prompt.values()], dtype=float), ratio)
