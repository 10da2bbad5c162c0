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
from flows.methods import AlignTreeConfig, BeamConfig, BestOfNConfig, MethodConfig, RefineConfig, WSDConfig, called
from flows.run import Summary
from store import Record

_AT = " @"


class BadRows(FlowError):
    """A file of rows that compare did not write, or rows of which no figure can be made."""

    exit_status = 2


@dataclass(frozen=True)
class Row:
    """One search: what it came to, and what it took. `answers` is its budget in whole answers; `tokens` were generated,
    `input_tokens` billed. `value` is the scorer's, `gold` the judge's; none where there is no answer. `key` is its
    identity, and `config` the hash of all that shapes its tree.
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
    key: str
    config: str


@dataclass(frozen=True)
class Line:
    """A method at a budget. Means over `searches` that brought an answer; `failed` brought none. `gain` is of gold over
    the method it is held against, pair by pair of searches of the same prompt and seed; none where there is no pair.
    `whole`: share of the searches with a whole answer.
    """

    method: str
    answers: int
    searches: int
    failed: int
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

    best_of_n samples answers, and refine revises them, as long as another one fits; beam has W = answers / K; wsd goes
    on to so many answers from its switch, which leaves some of the budget; aligntree searches on. All have the budget
    as their limit of tokens, in place of iterations. base is one answer at any budget. Raises BadConfig where no gold
    is set, or beam's K does not divide a budget.
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
            own = {"n": None}
        case RefineConfig():
            own = {"turns": None}
        case BeamConfig():
            if answers % method.children:
                raise BadConfig(
                    f"= {answers} is no multiple of K = {method.children} of {called(method)}: W = answers / K",
                    where="answers",
                    mend=f"Take a multiple of {method.children}, or another methods.N.children",
                )
            own = {"width": answers // method.children}
        case WSDConfig():
            own = {"n": answers}
        case AlignTreeConfig():
            pass
        case _:
            return method.model_dump() | {"label": f"{called(method)}{_AT}1"}
    limits = method.limits.model_dump() | {"tokens": tokens, "iterations": None}
    return method.model_dump() | own | {"label": f"{called(method)}{_AT}{answers}", "limits": limits}


def budget_of(method: str, run_id: str) -> tuple[str, int]:
    """What a method of a comparison is called, and its budget. Raises BadRows where the run is no comparison."""
    name, at, answers = method.rpartition(_AT)
    if not at or not answers.isdecimal():
        raise BadRows("is no comparison", where=f"run {run_id}", mend="Begin one with aligntree compare")
    return name, int(answers)


def rows_of(record: Record, summary: Summary) -> list[Row]:
    """The searches of a run that have ended. Raises BadRows where the run is no comparison."""
    costs = record.costs(summary.run_id)
    rows = []
    for found, search in zip(summary.answers, record.searches(summary.run_id), strict=True):
        method, answers = budget_of(found.method, summary.run_id)
        cost = costs[search.id]
        if search.ended:
            rows.append(
                Row(
                    found.prompt, method, answers, found.seed, found.status, found.gold, found.value, found.complete,
                    cost.output_tokens, cost.input_tokens, cost.calls, cost.nodes, cost.seconds, found.why, found.text,
                    summary.run_id, search.key, search.config_sha256,
                )
            )  # fmt: skip
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """As CSV, one line of headings first."""
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        names = [f.name for f in fields(Row)]
        writer = csv.DictWriter(file, names, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Rows that `write_rows` wrote. Raises BadRows, naming file and line."""
    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
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


def distinct(rows: Sequence[Row]) -> list[Row]:
    """Each search once, as its first row has it. Raises BadRows where a method at a budget stands for two configs."""
    found = {row.key: row for row in reversed(rows)}
    configs: dict[tuple[str, int], str] = {}
    for row in found.values():
        if configs.setdefault((row.method, row.answers), row.config) != row.config:
            raise BadRows(
                f"{row.method} at {row.answers} answers was measured with two settings",
                where="rows",
                mend="Give one of them another label, and measure it anew",
            )
    return list(found.values())[::-1]


def check_against(against: str, methods: Iterable[str]) -> None:
    """Raises BadRows where none of the methods is the one that gains are to be over."""
    names = list(dict.fromkeys(methods))
    if against not in names:
        raise BadRows(
            f"no search of {against}, that gains are to be over",
            where="--against",
            mend=f"There are {', '.join(names)}; rows of others are added with --rows",
        )


def figures(rows: Sequence[Row], against: str = "base") -> list[Line]:
    """A line for each method and budget, in the order of budgets. Raises BadRows where there is nothing to tell."""
    rows = distinct(rows)
    check_against(against, (row.method for row in rows))
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row.method, row.answers), []).append(row)
    lines = [
        _line(mine, found.get((against, answers), found.get((against, 1), [])), against)
        for (_, answers), mine in sorted(found.items(), key=lambda item: item[0][1])
        if any(row.gold is not None for row in mine)
    ]
    if not lines:
        raise BadRows("no search has an answer", where="rows", mend="Let the run go on: aligntree compare --run RUN")
    return lines


def _line(mine: Sequence[Row], others: Sequence[Row], against: str) -> Line:
    other = {(row.prompt, row.seed): row.gold for row in others}
    judged = [(row, row.gold) for row in mine if row.gold is not None]
    gains = [
        (row.prompt, gold - over)
        for row, gold in judged
        if row.method != against and (over := other.get((row.prompt, row.seed))) is not None
    ]
    known = [row for row, _ in judged]
    return Line(
        known[0].method, known[0].answers, len(known), len(mine) - len(known),
        mean_by_prompt([(row.prompt, gold) for row, gold in judged]), mean_by_prompt(gains) if gains else None,
        fmean(row.value or 0 for row in known), fmean(row.tokens for row in known),
        fmean(row.input_tokens for row in known), fmean(row.calls for row in known),
        fmean(row.seconds for row in known), fmean(row.complete for row in known),
    )  # fmt: skip


def mean_by_prompt(numbers: Sequence[tuple[str, float]]) -> Interval:
    """The mean, with an interval by bootstrap over prompts: searches of one prompt are not independent."""
    by_prompt: dict[str, list[float]] = {}
    for prompt, number in numbers:
        by_prompt.setdefault(prompt, []).append(number)
    return bootstrap(np.array([[sum(of), len(of)] for of in by_prompt.values()], dtype=float), ratio)
