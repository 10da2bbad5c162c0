"""Tables for the terminal."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table
from rich.text import Text

from flows.progress import dollars

if TYPE_CHECKING:
    from flows.compare import Line
    from flows.diff import Parting
    from flows.doctor import Diagnosis
    from flows.examine import Examination
    from flows.explain import Explanation
    from flows.listing import Listed
    from flows.rerank import Reranked
    from flows.run import Answer, Summary
    from flows.steps import Step
    from store import SearchRow, Totals


def runs_table(rows: Sequence[Listed]) -> Table:
    """Within 80 columns: of an id its end, by which a run is found as well."""
    fixed = [Column(name, no_wrap=True) for name in ("run", "begun (UTC)")]
    numbers = [Column(name, no_wrap=True, justify="right") for name in ("tokens", "USD")]
    folded = [Column(name, overflow="fold") for name in ("name", "model", "searches")]
    table = Table(*fixed, *folded, *numbers, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for listed in rows:
        run = listed.run
        begun = datetime.fromtimestamp(run.created / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        told = ", ".join(f"{count} {status}" for status, count in sorted(run.statuses.items()))
        price = "" if listed.nano_usd is None else dollars(listed.nano_usd)
        table.add_row(run.id[-12:], begun, run.name, listed.model, told, str(listed.spent.tokens), price)
    return table


def searches_table(rows: Sequence[SearchRow]) -> Table:
    table = Table("#", "method", "status", "value", "prompt and answer", expand=True)
    for number, row in enumerate(rows, 1):
        answer = row.answer or {}
        text = _continued(row.prompt, answer.get("text", ""))
        table.add_row(str(number), row.method, row.status, signed(answer.get("value")), text)
    return table


def comparison(summary: Summary) -> Table:
    """Prompt by prompt, the answer of each method with its value and gold; then the means of each method."""
    table = Table("method", "value", "gold", "prompt and answer", expand=True)
    methods = list(dict.fromkeys(answer.method for answer in summary.answers))
    by_prompt: dict[str, list[Answer]] = {}
    for answer in summary.answers:
        by_prompt.setdefault(answer.prompt, []).append(answer)
    for answers in by_prompt.values():
        for answer in answers:
            row = (answer.method, signed(answer.value), signed(answer.gold))
            table.add_row(*row, _continued(answer.prompt, answer.text))
        table.add_section()
    for method in methods:
        of = [answer for answer in summary.answers if answer.method == method]
        means = [_mean([a.value for a in of]), _mean([a.gold for a in of])]
        table.add_row(method, *(Text(signed(mean), style="bold") for mean in means), Text("mean", style="bold"))
    return table


def _continued(prompt: str, answer: str) -> Text:
    """The prompt in bold and its answer, white space folded."""
    return Text(re.sub(r"\s+", " ", prompt), style="bold").append(re.sub(r"\s+", " ", answer), style="not bold")


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return statistics.fmean(known) if known else None


def cost(totals: Totals) -> str:
    """What a run cost, in one line."""
    price = "price unknown" if totals.price is None else f"{totals.price / 1e9:.6f} USD"
    return (
        f"{totals.calls} calls, {totals.nodes} nodes, {totals.input_tokens} input tokens "
        f"({totals.cached_tokens} cached), {totals.output_tokens} output tokens, {price}"
    )


def signed(number: float | None) -> str:
    return "" if number is None else f"{number:+.2f}"


def lines_table(lines: Sequence[Line], against: str) -> Table:
    """A comparison: each method at each budget, means per search."""
    table = Table(
        "method", "budget", "n", "gold", f"gain over {against}", "log-ratio", "tokens", "input", "calls", "s"
    )  # fmt: skip
    for line in lines:
        gain = "" if line.gain is None else f"{line.gain.value:+.3f} [{line.gain.low:+.3f}, {line.gain.high:+.3f}]"
        gold = f"{line.gold.value:+.3f} [{line.gold.low:+.3f}, {line.gold.high:+.3f}]"
        numbers = (f"{n:.0f}" for n in (line.tokens, line.input_tokens, line.calls, line.seconds))
        table.add_row(line.method, str(line.answers), str(line.searches), gold, gain, signed(line.value), *numbers)
    table.caption = "means over n searches, with 95% intervals; budget in whole answers; tokens generated, input billed"
    for line in lines:
        if line.failed or line.whole < 1:
            cut = round((1 - line.whole) * line.searches)
            table.caption += f"\n{line.method} at {line.answers}: {line.failed} failed, {cut} answers not whole"
    return table


def diagnosis_table(found: Diagnosis) -> Table:
    """Each figure with its 95% interval and what it says, and the verdict."""
    table = Table("figure", "value", "95% interval", "what it says")
    for name, figure, told in found.figures():
        known = isfinite(figure.value)
        value, interval = f"{figure.value:+.3f}", f"{figure.low:+.3f} to {figure.high:+.3f}"
        table.add_row(name, value if known else "", interval if known else "", told)
    verdict = "this pair can guide here" if found.guides else "no sign that this pair can guide here"
    if found.guides is None:
        verdict = f"{found.prompts} prompts are too few to tell"
    if found.alike:
        verdict = "this pair values all texts of a prompt alike: it says nothing"
    gain = found.picked.value - found.mean.value
    table.caption = f"{verdict}: taking the text with the highest log-ratio changes gold by {gain:+.2f}"
    return table


def examination_table(found: Examination) -> Table:
    """What an endpoint was seen to do."""
    table = Table(found.model, "seen")
    for what, seen in found.lines():
        table.add_row(what, seen)
    return table


def explanation_tables(explanation: Explanation) -> Iterator[Table]:
    """A table for each level of a node's path."""
    for depth, level in enumerate(explanation.levels, 1):
        where = "the prompt" if depth == 1 else _line(level.text)
        title = f"level {depth}, below {where}: N {level.visits}, H {level.entropy:.2f} bits"
        table = Table("", "chunk", "V", "R", "P", "N", "score", title=title, title_justify="left")
        for choice in level.choices:
            numbers = (signed(choice.value), signed(choice.returns), _number(choice.prior), _number(choice.visits))
            style = "bold" if choice.chosen else None
            mark = "*" if choice.chosen else ""
            table.add_row(mark, _line(choice.text), *numbers, signed(choice.score), style=style)
        yield table


def steps_table(steps: Sequence[Step]) -> Table:
    """A line for each outcome that a search was told."""
    table = Table("step", "node", "grown chunk", "brought", "nodes", "best V", "tokens", "s")
    for step in steps:
        where = "the prompt" if step.node and not step.text else _line(step.text)
        numbers = (str(step.nodes), signed(step.best), str(step.tokens), f"{step.seconds:.1f}")
        table.add_row(str(step.number), (step.node or "")[:8], where, step.outcome, *numbers)
    table.caption = "best V: of the whole answers by then; tokens generated and seconds at work, summed"
    return table


def diff_table(partings: Sequence[Parting]) -> Table:
    """A line for each pair of searches."""
    table = Table("prompt", "method", "seed", "parts at step", "because", "answers")
    for parting in partings:
        same = "equal" if parting.answers[0] == parting.answers[1] else "differ"
        step = "" if parting.step is None else str(parting.step)
        table.add_row(_line(parting.prompt), parting.method, str(parting.seed), step, parting.what, same)
    return table


def rerank_table(lines: Sequence[Reranked]) -> Table:
    """A line for each search, and how many answers are others."""
    table = Table("prompt", "method", "of", "gold", "new gold", "value", "answer by these weights")
    for line in lines:
        text = "the same" if line.text == line.new_text else _line(line.new_text)
        numbers = (signed(line.gold), signed(line.new_gold), signed(line.new_value))
        table.add_row(_line(line.prompt), line.method, str(line.candidates), *numbers, text)
    table.caption = f"{sum(line.text != line.new_text for line in lines)} of {len(lines)} answers are others"
    return table


def _line(text: str) -> Text:
    """Text on one line."""
    return Text(repr(text)[1:-1])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
