"""What bounds throughput: a simulation, held against runs on the loopback API, that says what a day of prompts takes.

python -m tests.benchmarks.capacity
python -m tests.benchmarks.capacity --prompts-per-day 1e6 --calls 16 --candidates 4 --latency 1.5

First the costs of a call and of a search are measured, with replies that come at once. From them the simulation
(tests/benchmarks/capacity_model.py) predicts runs that it has not seen, bounded by latency, the scorer, a quota or the
process itself, and they are run. Then it goes on to what nobody can run here, and says what it assumes.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from flows.bench import Bench, open_bench
from flows.cli.options import quiet_libraries
from flows.run import Through
from scoring import Candidate, Score
from store.database import Database
from tests.benchmarks.capacity_model import Costs, Latency, Scoring, Setting, Work, seconds
from tests.benchmarks.late import served
from tests.benchmarks.prefect_many import serving
from tests.conftest import config_for
from tests.formula_scorer import FormulaScorer

MOST_OFF = 0.15
INSTANT = Latency(0.0)
DRAWS = 16  # of latencies, whose mean is predicted
LONG, SHORT = 8, 1  # iterations of the searches that costs are measured with


@dataclass
class Paced(FormulaScorer):
    """Takes its time over a batch."""

    scoring: Scoring
    candidates: int = 0

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        self.candidates += len(candidates)
        time.sleep(self.scoring.batch + len(candidates) * self.scoring.candidate)
        return super().score(candidates)


@dataclass(frozen=True)
class Ran:
    """What a run took and made."""

    searches: int
    seconds: float
    calls: int
    candidates: int
    commits: int

    @property
    def work(self) -> Work:
        return Work(self.calls / self.searches, self.candidates / max(self.calls, 1))


@dataclass
class Runs:
    """Runs of `searches` searches each, every one on a record of its own in `folder`."""

    folder: str
    number: int = 0
    best: dict[Any, Ran] = field(default_factory=dict)

    async def run(
        self, searches: int, iterations: int, setting: Setting, base: str, through: Through = Bench.carry_out
    ) -> Ran:
        self.number += 1
        scorer, commits, url = Paced(setting.scoring), [0], f"{self.folder}/{self.number}.db"
        strong: dict[str, Any] = {"concurrency": max(setting.at_once, 1), "requests_per_minute": setting.per_minute}
        method = {"name": "aligntree", "limits": {"iterations": iterations}, "children": 2, "chunk_tokens": 4}
        config = config_for(
            base, strong=strong, methods=[method], sampling={"max_tokens": 64}, searches_at_once=setting.at_once
        )
        plain = Database.transact_now

        def counted(database: Database, work: Any) -> Any:
            commits[0] += 1
            return plain(database, work)

        with patch("flows.bench.open_scorer", lambda *_: scorer), patch.object(Database, "transact_now", counted):
            async with open_bench(config, url) as bench:
                run_id = await bench.begin([f"Prompt {number}" for number in range(searches)])
                scorer.candidates, commits[0] = 0, 0
                began = time.perf_counter()
                await through(bench, run_id)
                took = time.perf_counter() - began
                calls = sum(len(bench.record.history(row.id).calls) for row in bench.record.searches(run_id))
        return Ran(searches, took, calls, scorer.candidates, commits[0])

    async def fastest(self, searches: int, iterations: int, setting: Setting, base: str, through: Through) -> Ran:
        """Of all such runs so far: the machine's other work only ever adds."""
        ran = await self.run(searches, iterations, setting, base, through)
        kind = searches, iterations, setting, through
        self.best[kind] = min(ran, self.best.get(kind, ran), key=lambda ran: ran.seconds)
        return self.best[kind]


@dataclass(frozen=True)
class Measured:
    """Seconds that calls and searches cost; those that a flow run adds to each search, and to a run; commits a call."""

    costs: Costs
    flow_search: float
    flow_run: float
    commits: float


async def calibrated(runs: Runs, base: str, at_once: int, searches: int, flow: Through) -> Measured:
    """Searches of few and of many calls, alone and many at once, tell the costs of calls and searches apart; flow runs
    of few and of many searches those of searches and runs.
    """
    many, alone = Setting(at_once, INSTANT), Setting(1, INSTANT)
    await runs.run(4, LONG, many, base)  # imports, and what is slow at first
    plain = Bench.carry_out
    short = await runs.fastest(4 * searches, SHORT, many, base, plain)
    long = await runs.fastest(searches, LONG, many, base, plain)
    short_alone = await runs.fastest(searches // 2, SHORT, alone, base, plain)
    long_alone = await runs.fastest(searches // 8, LONG, alone, base, plain)
    call, search = _line(short, long)
    call_alone, search_alone = _line(short_alone, long_alone)
    await runs.run(4, SHORT, many, base, flow)
    flows = [await runs.fastest(n * searches, SHORT, many, base, flow) for n in (1, 3)]
    flow_search = max((flows[1].seconds - flows[0].seconds) / (2 * searches) - short.seconds / short.searches, 0.0)
    flow_run = max(flows[0].seconds - (flow_search + short.seconds / short.searches) * searches, 0.0)
    costs = Costs(call, search, max(call_alone - call, 0.0), max(search_alone - search, 0.0))
    return Measured(costs, flow_search, flow_run, long.commits / long.calls)


def _line(short: Ran, long: Ran) -> tuple[float, float]:
    """Seconds for each call, and for each search beside its calls."""
    a, b = short.seconds / short.searches, long.seconds / long.searches
    calls = short.work.calls, long.work.calls
    call = max((b - a) / (calls[1] - calls[0]), 0.0)
    return call, max(a - call * calls[0], 0.0)


@dataclass(frozen=True)
class Case:
    """A run to predict, and what bounds it."""

    bound_by: str
    searches: int
    setting: Setting
    through_prefect: bool = False


def cases(latency: Latency, at_once: int, searches: int) -> list[Case]:
    slow = Scoring(batch=0.01, candidate=0.02)
    return [
        Case("latency", searches // 2, Setting(at_once // 4, latency)),
        Case("latency", searches, Setting(at_once, latency)),
        Case("latency, as a flow run", searches, Setting(at_once, latency), through_prefect=True),
        Case("the process", searches, Setting(at_once, replace(latency, mean=latency.mean / 10))),
        Case("the scorer", searches, Setting(at_once, latency, slow)),
        Case("the quota", searches // 2, Setting(at_once, latency, per_minute=900)),
    ]


@dataclass(frozen=True)
class Compared:
    case: Case
    predicted: float
    ran: Ran

    @property
    def off(self) -> float:
        return self.predicted / self.ran.seconds - 1


async def compared(runs: Runs, case: Case, measured: Measured, flow: Through) -> Compared:
    """Searches of a number of calls between those that the costs were measured with."""
    through = flow if case.through_prefect else Bench.carry_out
    with served(case.setting.latency) as base:
        ran = await runs.fastest(case.searches, LONG - 2, case.setting, base, through)
    costs, added = measured.costs, 0.0
    if case.through_prefect:
        costs, added = replace(costs, search=costs.search + measured.flow_search), measured.flow_run
    draws = (seconds(case.searches, ran.work, costs, case.setting, seed) for seed in range(DRAWS))
    return Compared(case, fmean(draws) + added, ran)


def shown(found: Sequence[Compared]) -> Table:
    table = Table("bound by", "at once", "searches/s, predicted", "measured", "off", title="simulation against runs")
    for each in found:
        n = each.case.searches
        table.add_row(
            each.case.bound_by, str(each.case.setting.at_once), f"{n / each.predicted:.2f}",
            f"{n / each.ran.seconds:.2f}", f"{each.off:+.0%}",
        )  # fmt: skip
    return table


def day(given: argparse.Namespace, measured: Measured) -> Table:
    """What a day's prompts take, by the simulation of one process and by sums."""
    work, latency = Work(given.calls, given.candidates), Latency(given.latency)
    per_s = given.prompts_per_day / 86_400
    searches = 6 * given.at_once
    costs = replace(measured.costs, search=measured.costs.search + measured.flow_search)
    one = searches / seconds(searches, work, costs, Setting(given.at_once, latency))
    calls, candidates = per_s * given.calls, per_s * given.calls * given.candidates
    tokens = calls * (given.input_tokens + given.output_tokens) * 60
    kept = given.prompts_per_day * given.calls * given.bytes_per_call / 1e9
    table = Table("", "each", "a day", title=f"{given.prompts_per_day:,.0f} prompts a day: {per_s:.1f} a second")
    table.add_row("calls", f"{given.calls:g} a search", f"{calls:.0f}/s, {calls * 60:,.0f} a minute")
    table.add_row("on the wire", f"{given.latency:g} s a call", f"{calls * given.latency:.0f} at once")
    table.add_row("tokens", f"{given.input_tokens} in, {given.output_tokens} out a call", f"{tokens:,.0f} a minute")
    name = f"{one:.2f} searches/s with {given.at_once} at once"
    table.add_row("processes", name, f"{math.ceil(per_s / one / given.busy)} ({given.busy:.0%} busy)")
    pairs = candidates / given.candidates_per_second / given.busy
    table.add_row("weak pairs", f"{given.candidates_per_second:g} candidates/s", f"{candidates:.0f}/s: {pairs:.1f}")
    table.add_row("commits", f"{measured.commits:.2f} a call", f"{calls * measured.commits:.0f}/s")
    table.add_row("record", f"{given.bytes_per_call / 1e3:.1f} KB a call", f"{kept:.0f} GB")
    server = per_s * given.server_ms / 1000
    table.add_row("Prefect's tasks", f"{given.server_ms:g} ms of the server", f"{per_s:.1f}/s: {server:.2f} cores")
    stored = given.prompts_per_day * given.server_kb / 1e6
    table.add_row("Prefect's database", f"{given.server_kb:g} KB a task", f"{stored:.0f} GB")
    return table


async def measure(given: argparse.Namespace, folder: str) -> tuple[Measured, list[Compared]]:
    from flows.flow import through_prefect as flow

    runs, at_once, searches = Runs(folder), given.at_once, given.searches
    for _ in range(given.rounds):  # each does all; in the last, the fastest of each counts
        with served(INSTANT) as base:
            measured = await calibrated(runs, base, at_once, searches, flow)
        found = [await compared(runs, case, measured, flow) for case in cases(Latency(0.3), at_once, searches)]
    return measured, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=96, help="Of the runs that are compared.")
    parser.add_argument("--rounds", type=int, default=3, help="Of which the fastest counts.")
    parser.add_argument("--at-once", type=int, default=32, help="Searches at once of a process.")
    parser.add_argument("--prompts-per-day", type=float, default=1e6)
    parser.add_argument("--calls", type=float, default=16, help="Of a search, one after the other.")
    parser.add_argument("--candidates", type=float, default=4, help="Of a call, each to be scored.")
    parser.add_argument("--latency", type=float, default=1.5, help="Seconds of a reply, on average.")
    parser.add_argument("--input-tokens", type=int, default=300, help="Of a call.")
    parser.add_argument("--output-tokens", type=int, default=64, help="Of a call, all its choices together.")
    parser.add_argument("--candidates-per-second", type=float, default=34, help="Of a weak pair (scoring_speed).")
    parser.add_argument("--bytes-per-call", type=float, default=8000, help="On record (record_speed).")
    parser.add_argument("--server-ms", type=float, default=40, help="CPU time of Prefect's server (prefect_many).")
    parser.add_argument("--server-kb", type=float, default=32, help="Of Prefect's database (prefect_many).")
    parser.add_argument("--busy", type=float, default=0.7, help="Share of its time that anything may be busy.")
    given = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder, serving(folder):
        measured, found = asyncio.run(measure(given, folder))
    costs = measured.costs
    print(
        f"a call takes {costs.call * 1000:.1f} ms of its process and {costs.call_waits * 1000:.1f} ms beside it, "
        f"a search {costs.search * 1000:.1f} and {costs.search_waits * 1000:.1f} ms;\n"
        f"a flow run adds {measured.flow_search * 1000:.1f} ms to a search and {measured.flow_run:.1f} s to a run"
    )
    console = Console()
    console.print(shown(found))
    console.print(day(given, measured))
    if max(abs(each.off) for each in found) > MOST_OFF:
        sys.exit(f"off by more than {MOST_OFF:.0%}")


if __name__ == "__main__":
    main()
