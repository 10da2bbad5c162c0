"""What Prefect's layer adds to a search: runs as flow runs against runs by the driver alone, calls of 300 ms.

python -m tests.benchmarks.prefect_overhead

Against the server that PREFECT_API_URL names, else one of its own on SQLite. Runs of two sizes tell what each search
takes from what each run takes. Each round does all four; the fastest of each counts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from flows.bench import Bench, open_bench
from flows.cli.options import quiet_libraries
from flows.config import RunConfig
from flows.run import Through
from tests.formula_api import FormulaAPI

LATENCY_S = 0.3


async def seconds(config: RunConfig, record: str, prompts: int, through: Through) -> float:
    """From the first search to the end of the run; the models are open and the run is on record before."""
    async with open_bench(config, record) as bench:
        run_id = await bench.begin([f"Prompt {number}" for number in range(prompts)])
        began = time.perf_counter()
        await through(bench, run_id)
        return time.perf_counter() - began


@dataclass
class Fastest:
    """Seconds of the fastest run so far: through Prefect or not, by how many prompts."""

    plain: dict[int, float] = field(default_factory=dict)
    flow: dict[int, float] = field(default_factory=dict)


async def measure(config: RunConfig, folder: Path, sizes: tuple[int, int], rounds: int) -> Fastest:
    from flows.flow import through_prefect

    fastest = Fastest()
    await seconds(config, str(folder / "warm.db"), 1, through_prefect)
    for number in range(rounds):
        for size in sizes:
            for name, found, through in (
                ("plain", fastest.plain, Bench.carry_out),
                ("flow", fastest.flow, through_prefect),
            ):
                took = await seconds(config, str(folder / f"{name}{number}-{size}.db"), size, through)
                found[size] = min(took, found.get(size, took))
    return fastest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=32, help="Of the smaller run; the other has thrice as many.")
    parser.add_argument("--at-once", type=int, default=8, help="Searches at once.")
    parser.add_argument("--calls", type=int, default=8, help="Calls of a search, one after the other.")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    quiet_libraries()
    from prefect.testing.utilities import prefect_test_harness

    from tests.conftest import config_for
    from tests.formula_scorer import open_formula_scorer

    own = nullcontext() if os.environ.get("PREFECT_API_URL") else prefect_test_harness(server_startup_timeout=120)
    with (
        closing(FormulaAPI()) as api,
        tempfile.TemporaryDirectory() as folder,
        patch("flows.bench.open_scorer", open_formula_scorer),
        own,
    ):
        api.delay = lambda: LATENCY_S
        method = {"name": "aligntree", "limits": {"iterations": given.calls}, "children": 2, "chunk_tokens": 4}
        config = config_for(
            api.base, methods=[method], sampling={"max_tokens": 64}, searches_at_once=given.at_once, name="overhead"
        )
        few, many = given.prompts, 3 * given.prompts
        found = asyncio.run(measure(config, Path(folder), (few, many), given.rounds))
    search, flow_search = ((by[many] - by[few]) * given.at_once / (many - few) for by in (found.plain, found.flow))
    print(f"{few} and {many} searches of {given.calls} calls of {LATENCY_S * 1000:.0f} ms, {given.at_once} at once")
    for name, by in (("driver alone", found.plain), ("as flow runs", found.flow)):
        print(f"{name}: {by[few]:.2f} s and {by[many]:.2f} s")
    print(f"Prefect adds {1000 * (flow_search - search):.0f} ms to a search: {100 * (flow_search / search - 1):.1f}%")
    print(f"and {found.flow[few] - found.plain[few] - (flow_search - search) * few / given.at_once:.1f} s to a run")


if __name__ == "__main__":
    main()
