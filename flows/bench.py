"""Everything open that a run works with: the record, the strong model and the weak pair; and the work itself."""

from __future__ import annotations

import asyncio
import gc
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as package_version
from typing import Any

from flows.calls import Line
from flows.config import RunConfig
from flows.errors import BadConfig, FlowError, RunInterrupted
from flows.judging import Judging, judging
from flows.methods import JUDGE
from flows.pace import Pace
from flows.plan import check_finding, check_methods, choices, config_of, method_config, new_searches
from flows.probing import finding_of, warnings_of
from flows.records import open_record
from flows.replay import start
from flows.search import Driver, Models
from flows.self_test import check_scorer
from flows.served import Servers
from flows.share import Search, Share
from flows.tally import Tally
from providers import ProviderError, StrongModel, open_strong_model
from providers.gate import Gate
from scoring import BatchScorer, Scorer, ScoringError, model_dir, open_scorer
from store import ENDED, NewRun, NewSearch, Record, Spent, StoreError, new_run_id

_OURS = (FlowError, ProviderError, ScoringError, StoreError)

Look = Callable[[StrongModel, Scorer, Judging | None], Awaitable[Mapping[str, Any]]]
"""What is to be known of the models before they are worked with."""


@dataclass
class Bench:
    """Everything open that a run works with. Made by `open_bench`."""

    config: RunConfig
    record: Record
    models: Models
    tally: Tally
    finding: Mapping[str, Any]
    run_id: str = field(default_factory=new_run_id)
    """Of the next run, which pays for the probe."""

    def __post_init__(self) -> None:
        for line in self.models.lines:
            line.gate.say = self.tally.say

    async def begin(self, prompts: Sequence[str]) -> str:
        """Put a run on record: each prompt becomes a search for each method and seed. Returns the run's id."""
        return await self.begin_with(new_searches(self.config, prompts))

    async def begin_with(self, searches: Sequence[NewSearch]) -> str:
        """Put a run of these searches on record; returns its id."""
        run_id, self.run_id = self.run_id, new_run_id()
        return await self.record.begin_run(self._new_run(searches), run_id)

    async def begin_what_is_new(self, searches: Sequence[NewSearch], tries: int) -> str | None:
        """Put a run on record of those searches that no run has yet; returns its id, None where there is none."""
        run_id, self.run_id = self.run_id, new_run_id()
        return run_id if await self.record.begin_what_is_new(self._new_run(searches), run_id, tries) else None

    def _new_run(self, searches: Sequence[NewSearch]) -> NewRun:
        return NewRun(
            name=self.config.name,
            config=self.config.model_dump(mode="json"),
            versions=_versions(),
            prices=_prices(self.models),
            finding=self.finding,
            limits=self.config.budget.scopes(),
            searches=searches,
        )

    async def carry_out(self, run_id: str) -> None:
        """All searches of the run that nobody else holds, some at once. Raises RunInterrupted."""
        await carry_out(self.record, self.config, self.tally, run_id, self.search)

    async def search(self, search_id: str) -> str:
        """Claim one search and go on with it from the record; returns its status (`running`: another worker's)."""
        row = self.record.search(search_id)
        begun = start(self.record, self.config, self.finding, row)
        journal = await self.record.claim(search_id)
        if journal is None:
            return "running" if (status := self.record.search(search_id).status) not in ENDED else status
        status = "interrupted"
        try:
            driver = Driver(row, self.config, begun, journal, journal.history(), self.models, self.tally)
            result = await driver.run()
            status = "done" if result.node is not None else "failed"
        finally:
            await self.record.release(journal, status, begun.method.result().to_json())
        return status


async def carry_out(
    record: Record,
    config: RunConfig,
    tally: Tally,
    run_id: str,
    search: Search,
    tries: int | None = None,
    *,
    stay: bool = False,
) -> None:
    """All searches of the run that nobody else holds, some at once, by `search`.

    Those that were claimed as often as `tries` are left alone. Who is to `stay` does not end while others work on the
    run: what one of them leaves, gone or stalled, is gone on with here. Raises RunInterrupted when some did not end.
    """
    tally.run = run_id
    tally.most, tally.spent = config.budget.limits().get("nano_usd"), record.spent(run_id).get(run_id, Spent()).nano_usd
    rows = record.searches(run_id)
    tally.searches, tally.done = len(rows), sum(row.ended for row in rows)
    share = Share(record, run_id, tally, tries, stay)
    failures = await share.carry_out(search, config.searches_at_once)
    left = len(rows) - record.stock(run_id, (), tries).ended
    if failures and (left or not stay):  # else others did what failed here
        first = failures[0]
        told = first if isinstance(first, _OURS) else f"{type(first).__name__}: {first}"
        raise RunInterrupted(
            f"{left} of {len(rows)} searches did not end: {told}",
            where=f"run {run_id}",
            mend=f"What was paid for is on record: aligntree resume {run_id}",
        ) from first
    if not left:
        await record.end_run(run_id)


@asynccontextmanager
async def open_bench(
    config: RunConfig, record: str | None = None, *, tally: Tally | None = None
) -> AsyncIterator[Bench]:
    """Open record, weak pair and strong model, in this order: the free checks before the paid probe."""
    with open_record(record, create=True) as opened:
        run_id = new_run_id()

        async def look(strong: StrongModel, scorer: Scorer, judging: Judging | None) -> Mapping[str, Any]:
            if judging is not None:
                await judging.line.strong.check()
            found = await finding_of(opened, run_id, config, strong)
            warnings = warnings_of(config, strong, datetime.now(UTC).date())
            return {"strong": found, "weak": _told(scorer), "entropy": "bits", "warnings": warnings}

        async with _models(config, opened, look) as (models, finding):
            yield Bench(config, opened, models, tally or Tally(), finding, run_id)


@asynccontextmanager
async def open_bench_of(
    run: str | None, record: str | None = None, *, tally: Tally | None = None, fork: RunConfig | None = None
) -> AsyncIterator[Bench]:
    """The bench of a run on record (`Record.run` finds it), or of one that goes on from it by the config of a `fork`.

    What the probe found when it began still holds.
    """
    with open_record(record) as opened:
        row = opened.run(run)
        config = fork or config_of(row)
        for search in opened.searches(row.id) if fork is None else ():
            method_config(config, search)

        async def known(*_: object) -> Mapping[str, Any]:
            return row.finding

        async with _models(config, opened, known) as (models, finding):
            yield Bench(config, opened, models, tally or Tally(), finding)


@asynccontextmanager
async def _models(config: RunConfig, record: Record, look: Look) -> AsyncIterator[tuple[Models, Mapping[str, Any]]]:
    """Both models, open, with what a `look` at them found."""
    async with AsyncExitStack() as opened:
        servers = opened.enter_context(Servers())
        batches = await BatchScorer.open(partial(_checked_scorer, config, servers))
        opened.callback(batches.close)
        opened.callback(servers.close)  # before: batches wait for what is being scored
        steers = batches.steering() if config.strong.eft is not None else None
        strong = await asyncio.to_thread(open_strong_model, config.strong, model_dir, steers)
        opened.push_async_callback(strong.close)
        judge = await opened.enter_async_context(judging(config.judge, record))
        _check_prices(config, {"strong": strong} | ({"judge": judge.line.strong} if judge else {}))
        check_methods(config, strong.mode)
        finding = await look(strong, batches.scorer, judge)
        check_finding(config, finding)
        strong.adopt(finding["strong"])
        opened.callback(gc.unfreeze)
        gc.freeze()  # what is loaded stays: the collector would look through all of it, 0.3 s each time
        yield Models(_line(strong, config, record, finding), batches, batches.scorer.name, judge), finding


def _checked_scorer(config: RunConfig, servers: Servers) -> Scorer:
    scorer = open_scorer(config.weak, config.values, servers)
    check_scorer(scorer, config.known_texts, alone=not config.values)
    return scorer


def _line(strong: StrongModel, config: RunConfig, record: Record, finding: Mapping[str, Any]) -> Line:
    settings = config.strong
    gate, approximate = Gate(settings.concurrency, settings.retry_for), finding["strong"].get("mode") == "emulated"
    return Line(strong, gate, Pace(record, settings), choices(config, finding), settings.retry_for, approximate)


def _check_prices(config: RunConfig, models: Mapping[str, StrongModel]) -> None:
    """Raises BadConfig where dollars are limited and one of the models, by the settings' name for it, has no price."""
    for role, model in models.items():
        if config.budget.in_usd and model.price is None:
            raise BadConfig(
                f"is set, but the price of {model.name} is not known",
                where=config.budget.in_usd,
                mend=f"Set {role}.input_price and {role}.output_price (USD per million tokens), or limit tokens",
            )


def _prices(models: Models) -> dict[str, Any]:
    """The strong model's, and the judge's by its name."""
    price, judging = models.line.strong.price, models.judging
    judges = judging.line.strong.price if judging else None
    return (price.to_json() if price else {}) | ({JUDGE: judges.to_json()} if judges else {})


def _told(scorer: Scorer) -> dict[str, str]:
    return {"scorer": scorer.name, "scale": scorer.scale} | dict(scorer.traits)


def _versions() -> dict[str, str]:
    packages = ("aligntree", "litellm", "openai", "peft", "prefect", "sqlalchemy", "torch", "transformers")
    return {"python": platform.python_version()} | {name: package_version(name) for name in packages}
