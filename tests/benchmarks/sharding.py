"""What more workers give: a run of many prompts by 1, 2 and 4 workers of a work pool, searches of 4 calls of 1 s.

python -m tests.benchmarks.sharding

On a Prefect server and a record of its own, both on Debian's PostgreSQL. Each worker has so many searches under way,
and the weak pair is a formula: what is shared is the waiting for the endpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from flows.cli.options import quiet_libraries
from store import Record
from tests.conftest import config_for
from tests.formula_api import FormulaAPI
from tests.machines import Site, create_database, site

LATENCY_S = 1.0
CALLS = 4


@dataclass
class Pace:
    """How many searches of the newest run have ended, and when; and when its workers were all at work."""

    record: str
    workers: int
    prompts: int
    owners: set[str] = field(default_factory=set)
    ended: list[tuple[float, int]] = field(default_factory=list)

    def __call__(self) -> None:
        with closing(Record.open(self.record, create=True)) as record:
            if not record.runs():
                return
            rows = record.searches(record.find())
        self.owners |= {row.owner for row in rows if row.owner}
        if len(self.owners) == self.workers:
            self.ended.append((time.monotonic(), sum(row.ended for row in rows)))

    def per_second(self) -> float:
        """Searches, from when all are at work until nine in ten have ended: after that some have nothing to do."""
        (began, before), *rest = self.ended
        seen = [(at, ended) for at, ended in rest if ended <= 0.9 * self.prompts]
        at, ended = seen[-1]
        return (ended - before) / (at - began)


async def measure(found: Site, api: FormulaAPI, workers: Sequence[int], prompts: int, at_once: int) -> None:
    await found.make_pool()
    method = {"name": "aligntree", "limits": {"iterations": CALLS}, "children": 2, "chunk_tokens": 2}
    for number in workers:
        while len(found.machines) < number:
            found.add_machine()
        config = config_for(
            api.base,
            name=f"by{number}",
            methods=[method],
            sampling={"max_tokens": 64},
            strong={"concurrency": at_once},
            searches_at_once=at_once,
        )
        record = create_database(found.postgres, config.name)
        pace = Pace(record, number, prompts * number)
        texts = [f"Prompt {i}" for i in range(pace.prompts)]
        took = await found.run(await found.deploy(config, texts, number, record), pace)
        print(
            f"{number} {'worker' if number == 1 else 'workers'}: {pace.per_second():.1f} searches a second; "
            f"{len(texts)} searches in {took:.0f} s, start-up of their processes included",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--prompts", type=int, default=100, help="For each worker.")
    parser.add_argument("--at-once", type=int, default=4, help="Searches at once, of each worker.")
    given = parser.parse_args()
    quiet_libraries()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with closing(FormulaAPI()) as api, site() as found:
        api.delay = lambda: LATENCY_S
        asyncio.run(measure(found, api, given.workers, given.prompts, given.at_once))


if __name__ == "__main__":
    main()
