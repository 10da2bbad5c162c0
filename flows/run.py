"""A run from a program: `align` does what the command does, `resume` goes on, `summarize` reads off the record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from flows.bench import Bench, open_bench, open_bench_of
from flows.config import RunConfig
from flows.gold import judge
from flows.plan import check_prompts, config_of
from flows.records import open_record
from flows.tally import Tally
from store import ENDED, Record, Standing, Totals


@dataclass(frozen=True)
class Answer:
    """What a search came to. `status`: done, failed, interrupted, running (elsewhere), waiting. `gold`: the judge's."""

    search_id: str
    prompt: str
    method: str
    seed: int
    status: str
    text: str
    value: float | None
    gold: float | None
    complete: bool
    why: str


@dataclass(frozen=True)
class Summary:
    """A run as the record has it: its answers in the order of the prompts, and what they cost."""

    run_id: str
    record: str
    answers: tuple[Answer, ...]
    totals: Totals
    warnings: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        return all(answer.status in ENDED for answer in self.answers)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"finished": self.finished}


Through = Callable[[Bench, str], Awaitable[None]]
"""How a run is carried out: plainly, or as a flow run (flows.flow.through_prefect)."""


async def align(
    prompts: Sequence[str],
    config: RunConfig | None = None,
    *,
    record: str | None = None,
    tally: Tally | None = None,
    through: Through = Bench.carry_out,
) -> Summary:
    """Search each prompt with each method and seed of `config`; what `aligntree align` does.

    `record` is a database URL or an SQLite path (default: the environment variable ALIGNTREE_RECORD, else
    ./aligntree.db). Raises the errors of config, providers, scoring and store before any row is written or token paid
    for, and RunInterrupted where some searches could not end; `resume` goes on.
    """
    check_prompts(prompts)
    async with open_bench(config or RunConfig(), record, tally=tally) as bench:
        run_id = await bench.begin(prompts)
        await through(bench, run_id)
        return summarize(bench.record, run_id, bench.config)


async def resume(
    run: str | None = None,
    *,
    record: str | None = None,
    tally: Tally | None = None,
    through: Through = Bench.carry_out,
) -> Summary:
    """Go on with a run (its id or an unambiguous part; the newest for None); nothing is paid for twice."""
    with open_record(record) as opened:
        row = opened.run(run)
        if not row.unfinished:  # no model needs to be loaded
            return summarize(opened, row.id, config_of(row))
    async with open_bench_of(row.id, record, tally=tally) as bench:
        await through(bench, row.id)
        return summarize(bench.record, row.id, bench.config)


def summarize(record: Record, run_id: str, config: RunConfig) -> Summary:
    """Read a run's answers and totals off the record, and judge the answers."""
    gold = judge(config.gold) if config.gold else None
    answers = []
    for row in record.searches(run_id):
        got = row.answer or {}
        text = got.get("text", "")
        judged = gold(row.prompt + text) if gold and got.get("node") else None
        answers.append(
            Answer(
                row.id, row.prompt, row.method, row.seed, row.status, text, got.get("value"), judged,
                got.get("complete", False), got.get("why", ""),
            )
        )  # fmt: skip
    warnings = [*record.run(run_id).finding.get("warnings", ()), *told_holders(record.held(run_id))]
    return Summary(run_id, record.shown, tuple(answers), record.totals(run_id), tuple(warnings))


def told_holders(held: Iterable[Standing]) -> list[str]:
    """Who works on searches that are left to them, and from when on others may, one line for each holder."""
    by_holder = defaultdict[str, list[int]](list)
    for standing in held:
        by_holder[standing.where].append(standing.until or 0)
    return [
        f"{len(until)} {'search is' if len(until) == 1 else 'searches are'} held by {where}, until "
        f"{datetime.fromtimestamp(max(until) / 1000, UTC):%H:%M:%S} UTC unless it goes on"
        for where, until in by_holder.items()
    ]
